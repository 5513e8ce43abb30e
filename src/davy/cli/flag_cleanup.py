"""`davy flag cleanup`: take a flag out of code and out of the registry."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

import click

from davy.adapters.source_tree import SourceTree
from davy.cli.fix import diff, replace_file
from davy.cli.flag_files import Code, Declared, Texts, read_code, read_declared, read_settings
from davy.cli.options import at_home, output
from davy.cli.paint import visible
from davy.cli.setting import Setting, talk
from davy.errors import NotFound, NotPermitted, Refused, UsageError
from davy.flags.details import Json
from davy.flags.lint.cleanup.clean import Cleaned, Left, clean
from davy.flags.lint.cleanup.registry import without_flag
from davy.flags.lint.usage import How
from davy.flags.registry import Registry
from davy.model.check import nearest
from davy.model.finding import Place


class Change(NamedTuple):
    """A file before and after; nothing is left of one that is to be removed."""

    file: str
    before: str
    after: str


@click.command("cleanup")
@click.argument("key")
@click.argument("paths", nargs=-1, metavar="[PATH]…")
@click.option("--variant", metavar="NAME", help="The variant that everybody gets from now on.")
@click.option("--value", metavar="JSON", help="Its value, instead.")
@click.option(
    "--flags",
    "sources",
    multiple=True,
    metavar="FILE|DIR",
    help="Where flags are declared; may be given again.",
)
@click.option("--config", metavar="FILE", help="Settings.  [default: davy-flags.yaml, where it is there]")
@click.option("--write", is_flag=True, help="Change the files; else the diff is only printed.")
@output("diff", "json")
@at_home
@click.pass_obj
def command(
    setting: Setting,
    key: str,
    paths: tuple[str, ...],
    variant: str | None,
    value: str | None,
    sources: tuple[str, ...],
    config: str | None,
    write: bool,
    form: str,
) -> None:
    """Take a flag out of Python, JavaScript and TypeScript, as if it always had one value, and out of Git.

    Only what provably behaves the same is changed. Every other place is named, with why a person has to look.

    Exits 1 when places are left to a person.
    """
    settings = read_settings(config)
    declared = read_declared(setting, sources or settings.flags or (".",))
    where = paths or settings.paths or (".",)
    found = read_code(setting, where, no_cache=True)
    code = Code(found.scans, Texts(SourceTree(where).names))
    fixed = _value(declared.registry, key, variant, value)
    cleaned = {
        scan.file: clean(scan, code.texts[scan.file], key, fixed, _used_elsewhere(scan.file, code))
        for scan in code.scans
        if any(key in usage.keys for usage in scan.usages)
    }
    left = [each for one in cleaned.values() for each in one.left]
    changes = [
        Change(file, code.texts[file].decode(), one.text.decode())
        for file, one in cleaned.items()
        if one.text != code.texts[file]
    ]
    changes += _undeclared(declared, key, left)
    left += _still_written(key, code, cleaned, {each.place for each in left})
    left.sort(key=lambda each: each.place)
    _show(changes, left, form)
    if write:
        for change in changes:
            check_inside(change.file, (*where, *(sources or settings.flags or (".",))))
        for change in changes:
            _write(change)
    taken = sum(len(one.taken) for one in cleaned.values())
    talk(f"{taken} of {taken + _untaken(code, key, cleaned)} reads {'are gone' if write else 'would go'}")
    if left:
        raise Refused(f"{len(left)} {'place is' if len(left) == 1 else 'places are'} left to a person")


def _value(registry: Registry, key: str, variant: str | None, value: str | None) -> Json:
    """Return the value that a flag has from now on.

    Raises:
        UsageError: nobody says which, or the flag never has it.
        NotFound: there is no such flag, or no such variant.
    """
    flag = registry.flags.get(key)
    if flag is None:
        meant = nearest(key, registry.flags)
        raise NotFound(
            f"there is no flag {key}", hint=f"did you mean {meant}?" if meant else "--flags says where"
        )
    variants = flag.definition.variants
    listed = ", ".join(f"{name} ({json.dumps(each)})" for name, each in variants.items())
    if (variant is None) is (value is None):
        raise UsageError(f"which value has {key} from now on?", hint=f"--variant NAME, or --value: {listed}")
    if variant is not None:
        if variant not in variants:
            raise NotFound(f"{key} has no variant {variant!r}", hint=f"it has {listed}")
        return variants[variant]
    try:
        found: Json = json.loads(value or "")
    except ValueError:
        found = value
    if not any(each == found and type(each) is type(found) for each in variants.values()):
        raise UsageError(f"{key} never is {value}", hint=f"it is one of {listed}")
    return found


def _used_elsewhere(file: str, code: Code) -> Callable[[str], bool]:
    """Return what says whether another file may mean a name of this one: it has both names in it."""
    path = PurePath(file)
    module = path.parent.name if path.stem in ("__init__", "index") else path.stem

    def used(name: str) -> bool:
        words = [re.compile(rb"(?<!\w)" + re.escape(word.encode()) + rb"(?!\w)") for word in (module, name)]
        return any(
            other != file and all(word.search(text) for word in words) for other, text in code.texts.items()
        )

    return used


def _undeclared(declared: Declared, key: str, left: list[Left]) -> Iterator[Change]:
    """Take the declaration away, unless something still reads the flag."""
    place = declared.registry.flags[key].place
    if left:
        left.append(Left(place, "it stays declared while places are left to a person"))
        return
    text = declared.texts[place.file].decode()
    fresh = without_flag(text, place.file, key, place.line)
    if fresh is None:
        left.append(Left(place, "the declaration cannot be told apart from what is around it"))
    else:
        yield Change(place.file, text, fresh)


def _still_written(key: str, code: Code, cleaned: dict[str, Cleaned], known: set[Place]) -> Iterator[Left]:
    """Find where the key is still written in code: constants, tests, and what no rule reads."""
    needle = re.compile(rb"""["'`]""" + re.escape(key.encode()) + rb"""["'`]""")
    lines = {(place.file, place.line) for place in known}
    for file, before in code.texts.items():
        text = cleaned[file].text if file in cleaned else before
        for found in needle.finditer(text):
            line = text.count(b"\n", 0, found.start()) + 1
            column = found.start() - text.rfind(b"\n", 0, found.start())
            if (file, line) not in lines and not (file in cleaned and cleaned[file].left):
                yield Left(Place(file, line, column), "the key is still written here")


def _untaken(code: Code, key: str, cleaned: dict[str, Cleaned]) -> int:
    reads = sum(
        key in usage.keys and usage.how is not How.PARAMETER for scan in code.scans for usage in scan.usages
    )
    return reads - sum(len(one.taken) for one in cleaned.values())


def _show(changes: Sequence[Change], left: Sequence[Left], form: str) -> None:
    """Print the diff, and what is left to a person."""
    if form == "json":
        from davy.cli.output import show_data

        body = {
            "apiVersion": "davy.dev/v1alpha1",
            "kind": "FlagCleanup",
            "changes": [{"file": each.file, "diff": "\n".join(_diff(each)) + "\n"} for each in changes],
            "left": [
                {"file": each.place.file, "line": each.place.line, "column": each.place.column, "why": each.why}
                for each in left
            ],
        }
        show_data(body, "json")
        return
    for change in changes:
        for line in _diff(change):
            click.echo(line)
    for each in left:
        talk(visible(f"{each.place}: {each.why}"))


def _diff(change: Change) -> Iterator[str]:
    lines = diff(change.file, change.before, change.after)
    for number, line in enumerate(lines):
        gone = number == 1 and not change.after
        yield click.style("+++ /dev/null", fg="green") if gone else line


def check_inside(file: str, named: Sequence[str]) -> None:
    """Make sure that a file is below what was named, wherever links lead to.

    Raises:
        NotPermitted: it is elsewhere.
    """
    real = Path(file).resolve()
    if not any(real.is_relative_to(Path(path).resolve()) for path in named):
        raise NotPermitted(
            f"{file} is a link out of what was named, to {real}; nothing was changed",
            hint=f"name that file: davy flag cleanup … --flags {real}",
        )


def _write(change: Change) -> None:
    """Write a file, or remove the one of which nothing is left.

    Raises:
        UsageError: it cannot be done.
    """
    if change.after:
        replace_file(Path(change.file), change.after)
        return
    try:
        Path(change.file).unlink()
    except OSError as error:
        raise UsageError(f"{change.file} cannot be removed: {error.strerror}") from error
