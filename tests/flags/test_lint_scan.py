"""What the scanner finds in code, in the words of comments in the code itself."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from davy.flags.lint.scan import scan_texts
from davy.flags.lint.usage import Scan, Usage

CASES = Path(__file__).parents[1] / "cases" / "flag_scan"
FILES = sorted(CASES.rglob("*.case"))
EXPECT = re.compile(r"expect(-above)?: (.*)$")
PROVIDER = re.compile(r"provider: waits=(true|false)")


def texts_of(case: str) -> dict[str, bytes]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in case.splitlines():
        if line.startswith("== "):
            name = line[3:]
            found[name] = []
        else:
            found[name].append(line)
    return {name: "\n".join(lines).encode() for name, lines in found.items()}


def asked_of(text: bytes) -> list[tuple[int, dict[str, str]]]:
    found = []
    for number, line in enumerate(text.decode().splitlines(), 1):
        if said := EXPECT.search(line):
            words = dict((*word.split("=", 1), "")[:2] for word in said[2].removesuffix("*/").split())
            found.append((number - (1 if said[1] else 0), words))
    return found


def differs(usage: Usage, words: dict[str, str]) -> list[str]:
    keys = words["key"] if "key" in words else words["keys"]
    default: Any = "-" if usage.default is None else "?"
    if usage.default is not None and usage.default.known:
        default = json.dumps(usage.default.value, separators=(",", ":"))
    told = {
        "keys": ",".join(usage.keys),
        "how": usage.how.value,
        "types": ",".join(usage.types),
        "default": default,
        "vendor": usage.vendor.value,
        "inside": ",".join(usage.inside),
        "attributes": ",".join(each.name for each in usage.attributes),
    }
    wanted = {**{"vendor": "openfeature", "inside": "", "attributes": ""}, **words, "keys": keys}
    wrong = [f"{name}={told[name]!r}" for name in told if name in wanted and wanted[name] != told[name]]
    for name, is_so in (
        ("loop", usage.in_loop),
        ("client", bool(usage.client_side)),
        ("details", usage.details),
    ):
        if is_so != (name in words):
            wrong.append(f"{name}={is_so}")
    return wrong


def problems(scan: Scan, text: bytes) -> list[str]:
    asked = asked_of(text)
    lines = text.decode().splitlines()
    wrong = []
    for usage in scan.usages:
        words = next((words for line, words in asked if line == usage.place.line), None)
        if words is None:
            wrong.append(f"{usage.place}: not expected: {usage.keys} {usage.function}")
        elif found := differs(usage, words):
            wrong.append(f"{usage.place}: {' '.join(found)}: {lines[usage.place.line - 1].strip()}")
    found_lines = {usage.place.line for usage in scan.usages}
    wrong += [
        f"{scan.file}:{line}: not found: {lines[line - 1]}" for line, _ in asked if line not in found_lines
    ]
    waits = [
        (number, said[1] == "true") for number, line in enumerate(lines, 1) if (said := PROVIDER.search(line))
    ]
    if waits != [(each.place.line, each.waits) for each in scan.providers]:
        wrong.append(f"{scan.file}: providers {[(each.place.line, each.waits) for each in scan.providers]}")
    return wrong


@pytest.mark.parametrize("case", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_code_is_read_as_its_comments_say(case: Path) -> None:
    texts = texts_of(case.read_text())
    scans = {each.file: each for each in scan_texts(texts)}
    wrong = [problem for name, text in texts.items() for problem in problems(scans.get(name, Scan(name)), text)]
    assert not wrong, "\n" + "\n".join(wrong)
