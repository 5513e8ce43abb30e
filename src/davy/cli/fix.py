"""`davy fix`: mend what can be mended by machine."""

import difflib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from davy.analysis.fix import fix
from davy.cli.findings import refuse, tell
from davy.cli.manifests import as_text, read_manifests
from davy.cli.options import common
from davy.cli.setting import Setting, talk
from davy.control.admission import view
from davy.errors import UsageError

CHANGES = 1
"""The exit code of something that would change, as with `diff`."""

_LOOKS = {"+": "green", "-": "red", "@": "cyan"}


@click.command("fix")
@click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR…")
@click.option("--diff", "mode", flag_value="diff", default=True, help="Print what would change (the default).")
@click.option("--check", "mode", flag_value="check", help="Only name the files that would change.")
@click.option("--write", "mode", flag_value="write", help="Change the files.")
@common
@click.pass_obj
def command(setting: Setting, paths: tuple[str, ...], mode: str) -> None:
    """Mend manifests: what has one right answer is changed, and nothing else, not even a blank.

    Prints a diff, and exits 1 when something would change; with --write it changes the files and exits 0. What
    is left to a person is said on standard error, and has the exit code that `davy check` gives it.
    """
    if "-" in paths:
        raise UsageError("standard input cannot be mended in place", hint="save it to a file first")
    texts = as_text(read_manifests(paths), signed=True)
    mended = [(name, text, fix(text, name)) for name, text in texts]
    changed = [(name, text, fixed.text) for name, text, fixed in mended if fixed.text != text]
    for name, text, fresh in changed:
        if mode == "write":
            replace_file(Path(name), fresh)
            click.echo(f"{name} mended")
        elif mode == "check":
            click.echo(name)
        else:
            for line in diff(name, text, fresh):
                click.echo(line)
    if not changed:
        talk("nothing to mend")
    left = [view(finding) for _, _, fixed in mended for finding in fixed.findings]
    tell(setting, left)
    refuse(left, "this is left to a person")
    if changed and mode != "write":
        click.get_current_context().exit(CHANGES)


def diff(name: str, text: str, mended: str) -> Iterator[str]:
    """Write a diff that `patch -p1` takes, line by line."""
    before, after = text.splitlines(keepends=True), mended.splitlines(keepends=True)
    path = name.lstrip("/")
    for line in difflib.unified_diff(before, after, f"a/{path}", f"b/{path}"):
        end = "" if line.endswith("\n") else "\n\\ No newline at end of file"
        yield click.style(line.rstrip("\n"), fg=_LOOKS.get(line[0])) + end


def replace_file(path: Path, text: str) -> None:
    """Write a file anew in one step, with the mode that it has; a link keeps pointing to it.

    Raises:
        UsageError: it cannot be written; it is then as it was.
    """
    target = path.resolve()
    try:
        mode = stat.S_IMODE(target.stat().st_mode)
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).chmod(mode)
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
