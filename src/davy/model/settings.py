"""Files of Davy's own that are no manifests: one mapping, within the limits and of a type, as manifests are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from davy.model import yaml
from davy.model.check import Checker
from davy.model.finding import BadManifest, Finding
from davy.model.loader import LIMITS
from davy.model.part import Part
from davy.model.report import Report, Unreadable
from davy.model.shape import shape_of
from davy.model.source import Position, Source, Span, parents

Read = TypeVar("Read", bound=Part)


@dataclass(frozen=True, slots=True)
class Settings(Generic[Read]):
    """What a file says, with where everything in it was written."""

    value: Read
    source: Source
    positions: Mapping[str, Position]

    def finding(self, code: str, path: str, title: str, *, fix: str = "") -> Finding:
        """Make a finding about a path; about a path that was not written, it points at the nearest above."""
        nearest = (
            path if path in self.positions else next(each for each in parents(path) if each in self.positions)
        )
        key, value = self.positions[nearest]
        span = value if key is None or nearest == path else key
        return self.source.finding(code, span, title, fix=fix, path=path)


def load_settings(text: bytes, file: str, kind: type[Read]) -> Settings[Read]:
    """Read a text that is one mapping, all of it or nothing.

    Raises:
        BadManifest: it is not, or there is an error in it.
    """
    findings: list[Finding] = []
    try:
        report = Report(yaml.decode(text, file, LIMITS), LIMITS.findings)
        findings = report.findings
        nodes = list(yaml.compose(report.source, LIMITS))
        if len(nodes) != 1 or not isinstance(nodes[0], yaml.Mapping):
            first = nodes[0].span if nodes else Span(0, 0)
            report.tell("DV006", first, "this has to be one mapping")
            raise BadManifest(tuple(findings))
        checker = Checker(report)
        value = checker.document(nodes[0], shape_of(kind))
    except Unreadable as error:
        raise BadManifest((*findings, error.finding)) from None
    if report.errors:
        raise BadManifest(tuple(findings))
    return Settings(msgspec.convert(value, kind), report.source, checker.positions)
