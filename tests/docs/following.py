"""Reads a page as somebody does who follows it: the files that it shows, the commands, and what they say."""

import re

FILE = re.compile(r"^`([a-z.-]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
"""A file by its name, and what is in it."""

CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def steps(page: str) -> list[tuple[str, list[str]]]:
    """Return (command, lines that it shows)."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(CONSOLE.findall(page)).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def shown(lines: list[str]) -> re.Pattern[str]:
    """Return what matches these lines; one that is only `…` is any number of them."""
    pattern = "".join("(?:.*\n)*?" if line == "…" else _pattern(line) + "\n" for line in lines)
    return re.compile(pattern)


def _pattern(line: str) -> str:
    words = re.sub(r"(\\ )+", r"\\s+", re.escape(line))
    return words.replace("…", ".*")
