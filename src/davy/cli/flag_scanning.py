"""What commands that read code have in common: which of it, and where what was found is kept."""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from davy.cli.setting import Setting, talk

if TYPE_CHECKING:
    from davy.adapters.lint_scan import Scanned

Command = TypeVar("Command", bound=Callable[..., Any])

_TOLD = 5


def code_options(command: Command) -> Command:
    """Let a command say which code it reads."""
    command = click.option(
        "--changed", "since", metavar="REF", default="", help="Only files that differ from this commit."
    )(command)
    command = click.option(
        "--skip", multiple=True, metavar="NAME", help="A directory that is left out; may be given again."
    )(command)
    return click.option("--no-cache", is_flag=True, help="Read everything again, and keep nothing.")(command)


def scan_code(
    setting: Setting, paths: Sequence[str], *, since: str = "", skip: Sequence[str] = (), no_cache: bool = False
) -> "Scanned":
    """Scan code, and tell of what could not be read.

    Raises:
        DavyError: a path is not there, or there is no such commit.
    """
    from davy.adapters.lint_scan import scan_tree
    from davy.adapters.source_tree import VENDORED, SourceTree

    tree = SourceTree(paths or ["."], skip=VENDORED | frozenset(skip))
    scanned = scan_tree(tree, cache=None if no_cache else _cache(setting, paths), since=since)
    for each in scanned.unread[:_TOLD]:
        talk(f"note: {each.file} is not read: {each.why}")
    if len(scanned.unread) > _TOLD:
        talk(f"note: {len(scanned.unread) - _TOLD} more files are not read")
    return scanned


def _cache(setting: Setting, paths: Sequence[str]) -> Path | None:
    """Return where it is kept what was found in these paths, as seen from here; None where there is no home."""
    if given := setting.environment.get("XDG_CACHE_HOME"):
        base = Path(given)
    else:
        try:
            base = Path.home() / ".cache"
        except RuntimeError:
            return None
    seen_from = blake2b("\0".join([str(Path.cwd()), *sorted(paths)]).encode("utf-8", "replace"), digest_size=8)
    return base / "davy" / "flags" / f"{seen_from.hexdigest()}.scan"
