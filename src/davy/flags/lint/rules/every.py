"""All rules in the order of their codes."""

from collections.abc import Callable, Iterable, Iterator

from davy.flags.lint.rules import around, declared, read
from davy.flags.lint.rules.view import Found, View

CHECKS: dict[str, Callable[[View], Iterator[Found]]] = {
    "F001": read.undeclared,
    "F002": declared.incomplete,
    "F003": declared.expired,
    "F004": declared.unread,
    "F005": read.unsafe_default,
    "F006": read.wrong_type,
    "F007": read.exposed,
    "F008": read.foreign,
    "F009": read.dynamic,
    "F010": declared.polarity,
    "F011": read.in_loop,
    "F012": read.nested,
    "F013": declared.retired,
    "F014": around.hasty,
    "F015": around.personal,
    "F016": read.unlike,
    "F017": read.vendors,
    "F018": around.dead,
    "F020": around.broken,
}
"""What finds what; F019 and F021 are about exceptions, and come when the rest is known."""


def lint(view: View, codes: Iterable[str] = CHECKS) -> list[Found]:
    """Return what the rules find, by place."""
    wanted = set(codes)
    found = [each for code, check in CHECKS.items() if code in wanted for each in check(view)]
    return sorted(found, key=lambda each: (each.finding.place, each.finding.code))
