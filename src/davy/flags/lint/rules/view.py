"""What the rules look at, and how they say what they found."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from davy.flags.lint.rules.paths import Ownership, among
from davy.flags.lint.rules.settings import LintSettings
from davy.flags.lint.rules.table import RULES
from davy.flags.lint.usage import How, Scan, Usage
from davy.flags.registry import Registry
from davy.model.finding import Finding, Place


class Found(NamedTuple):
    """A finding, and the line of the statement that it is about: a comment there, or above, may excuse it."""

    finding: Finding
    line: int


class View:
    """Everything that is known.

    Args:
        registry: what is declared.
        scans: what code reads, a file each.
        settings: how much is asked for.
        now: in seconds since the epoch.
        line: returns a line of a text that a place is in, empty where it is not at hand.
        owned: lines of CODEOWNERS.
        whole: whether these are all files of the code, so that what is not found is not there.
    """

    def __init__(
        self,
        registry: Registry,
        scans: tuple[Scan, ...],
        settings: LintSettings,
        now: float,
        *,
        line: Callable[[Place], str] = lambda place: "",
        owned: tuple[Ownership, ...] = (),
        whole: bool = True,
    ) -> None:
        self.registry = registry
        self.scans = scans
        self.settings = settings
        self.now = now
        self.line = line
        self.owned = owned
        self.whole = whole

    @cached_property
    def usages(self) -> tuple[Usage, ...]:
        """Every read of a flag, but not those inside of functions whose calls are reads of their own."""
        return tuple(each for scan in self.scans for each in scan.usages if each.how is not How.PARAMETER)

    @cached_property
    def by_key(self) -> Mapping[str, tuple[Usage, ...]]:
        """Where each flag is read."""
        found: dict[str, list[Usage]] = {}
        for usage in self.usages:
            for key in usage.keys:
                found.setdefault(key, []).append(usage)
        return {key: tuple(usages) for key, usages in found.items()}

    def client_side(self, usage: Usage) -> str:
        """Say why code is taken to run in front of users, empty for servers."""
        if among(usage.place.file, self.settings.client.paths):
            return "`client.paths` of the settings say so"
        return usage.client_side

    def at_key(self, code: str, usage: Usage, label: str, fix: str, *, path: str = "") -> Iterator[Found]:
        """Say something of what is written for the key of a read."""
        span = usage.key_span
        length = span.end - span.start if span is not None else 1
        yield from self.at(code, usage.key_place, label, fix, path=path, length=length, line=usage.place.line)

    def at(
        self, code: str, place: Place, label: str, fix: str, *, path: str = "", length: int = 1, line: int = 0
    ) -> Iterator[Found]:
        """Say something of a place; nothing where the rule has no severity.

        The title is that of the rule and `path` is the key: what makes a finding the same one tomorrow says
        nothing that changes with time.
        """
        level = self.settings.level(code)
        if level == "none":
            return
        shown = self.line(place)
        finding = Finding(
            code=code,
            severity=level,
            title=RULES[code].title,
            place=place,
            label=label,
            why=RULES[code].why,
            fix=fix,
            waive=_waive(code),
            source_line=shown,
            length=max(1, min(length, len(shown) - place.column + 1)),
            path=path,
        )
        yield Found(finding, line or place.line)


def _waive(code: str) -> str:
    """Say how to be excused; some things are not excused."""
    if code in ("F019", "F021"):
        return ""
    return f"a comment: davy: allow {code} until YYYY-MM-DD because …"
