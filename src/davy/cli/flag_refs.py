"""`davy flag refs KEY`: everywhere that code reads a flag."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from davy.cli.flag_scanning import code_options, scan_code
from davy.cli.options import at_home, output
from davy.cli.output import show_data, show_lines
from davy.cli.paint import Line, span
from davy.cli.setting import Setting, talk
from davy.control.views import API_VERSION
from davy.errors import UsageError

if TYPE_CHECKING:
    from davy.flags.lint.usage import Scan, Usage


@click.command("refs")
@click.argument("words", nargs=-1, metavar="KEY [PATH]…")
@click.option(
    "--all", "every", is_flag=True, help="Every key with how often it is read, instead of one; PATH only."
)
@code_options
@output("text", "json")
@at_home
@click.pass_obj
def command(
    setting: Setting,
    words: tuple[str, ...],
    every: bool,
    since: str,
    skip: tuple[str, ...],
    no_cache: bool,
    form: str,
) -> None:
    """Find the code that reads a flag, in Python, JavaScript, TypeScript, Go, Java, C# and Ruby.

    Keys are looked up in constants, enums and functions that hand them on, across files; each place says how
    its key is known. Without a PATH the working directory is read, as far as Git knows its files.

    Exits 1 when nothing reads it.
    """
    if not words and not every:
        raise UsageError("which flag? name its key, or ask for --all", hint="davy flag refs checkout.discount")
    key, paths = ("", words) if every else (words[0], words[1:])
    scanned = scan_code(setting, paths, since=since, skip=skip, no_cache=no_cache)
    usages = [usage for scan in scanned.scans for usage in scan.usages if every or key in usage.keys]
    if form == "json":
        show_data(_told(key, usages, scanned.files), form)
    elif every:
        show_lines(_table(usages))
    else:
        show_lines(_line(usage) for usage in usages)
    unknown = _unknown(scanned.scans)
    if unknown and form == "text":
        calls = "1 call reads" if unknown == 1 else f"{unknown} calls read"
        talk(f"note: {calls} a flag by a key that only is known when it runs; any may be meant")
    if not usages:
        talk(f"nothing in {scanned.files} files reads {key or 'a flag'}")
        raise click.exceptions.Exit(1)


def _unknown(scans: "Sequence[Scan]") -> int:
    return sum(usage.how == "dynamic" for scan in scans for usage in scan.usages)


def _told(key: str, usages: "Sequence[Usage]", files: int) -> dict[str, Any]:
    """Return references as plain values."""
    front: dict[str, Any] = {"apiVersion": API_VERSION, "kind": "FlagReferences"}
    if key:
        front["key"] = key
    return {**front, "files": files, "references": [_reference(usage) for usage in usages]}


def _reference(usage: "Usage") -> dict[str, Any]:
    told: dict[str, Any] = {
        "file": usage.place.file,
        "line": usage.place.line,
        "column": usage.place.column,
        "keys": list(usage.keys),
        "how": usage.how.value,
        "types": [each.value for each in usage.types],
        "language": usage.language.value,
        "function": usage.function,
        "enclosing": usage.enclosing,
        "vendor": usage.vendor.value,
        "inLoop": usage.in_loop,
        "inside": list(usage.inside),
        "clientSide": usage.client_side,
        "generated": usage.generated,
    }
    if usage.default is not None and usage.default.known:
        told["default"] = usage.default.value
    return told


def _line(usage: "Usage") -> Line:
    facts = [usage.function, usage.how.value]
    if usage.default is not None and usage.default.known:
        facts.append(f"default {_short(usage.default.value)}")
    facts += [f"in {usage.enclosing}"] if usage.enclosing else []
    facts += ["in a loop"] if usage.in_loop else []
    facts += [f"inside {', '.join(usage.inside)}"] if usage.inside else []
    facts += ["client-side"] if usage.client_side else []
    return (span(str(usage.place)), span(f"  {'  '.join(facts)}", "faint"))


def _short(value: Any) -> str:
    import json

    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _table(usages: "Sequence[Usage]") -> Iterator[Line]:
    """Write a line for every key: how often it is read, in how many files, in which languages."""
    found: dict[str, list[Usage]] = defaultdict(list)
    for usage in usages:
        for key in usage.keys or (("?",) if usage.how == "dynamic" else ()):
            found[key].append(usage)
    width = max((len(key) for key in found), default=3)
    if found:
        yield (span(f"{'KEY':<{width}}  READ  FILES  LANGUAGES", "faint"),)
    for key, some in sorted(found.items()):
        files = {usage.place.file for usage in some}
        languages = sorted({usage.language.value for usage in some})
        yield (span(f"{key:<{width}}  {len(some):>4}  {len(files):>5}  {', '.join(languages)}"),)
