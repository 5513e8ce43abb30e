"""What the checks of one document have to say, and the small checks that several of them share."""

import re
from collections.abc import Mapping, Sequence

import re2

from davy.model.document import Document, Part
from davy.model.finding import Finding, Severity
from davy.model.meta import LabelSelector
from davy.model.origin import wrong
from davy.model.part import IntOrString
from davy.model.source import join

#: How regular expressions of manifests are compiled: without a word on stderr.
PATTERNS = re2.Options()
PATTERNS.log_errors = False

_SHARE = re.compile(r"[0-9]{1,9}%?", re.ASCII)
_LABEL_KEY = re.compile(
    r"(?:(?=[^/]{1,253}/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?",
    re.ASCII,
)
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", re.ASCII)


class Complaints:
    """Collects the findings about one document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.findings: list[Finding] = []

    def add(
        self,
        path: str,
        title: str,
        *,
        code: str = "DV008",
        severity: Severity = "error",
        part: Part = "field",
        label: str = "",
        fix: str = "",
    ) -> None:
        """Complain about a path; about one that was not written, at the nearest path above it."""
        self.findings.append(
            self.document.finding(code, path, title, severity=severity, part=part, label=label, fix=fix)
        )

    def check_least(self, path: str, value: int | None, least: int = 0) -> None:
        """Refuse a number that is too small."""
        if value is not None and value < least:
            self.add(path, f"`{path}` is {value}: must be greater than or equal to {least}", part="value")

    def check_port(self, path: str, port: int) -> None:
        """Refuse a number that is no port."""
        if not 1 <= port <= 65535:
            self.add(path, f"`{path}` is {port}: must be between 1 and 65535, inclusive", part="value")

    def check_bound(self, path: str, bound: IntOrString | None) -> None:
        """Refuse what is neither a count nor a share, e.g. of `maxSurge`; Argo takes "25" for 25 % too."""
        if isinstance(bound, str) and not _SHARE.fullmatch(bound):
            title = f"`{path}` is {bound!r}: must be an integer or percentage (e.g '5%')"
            self.add(path, title, part="value")
        elif isinstance(bound, int):
            self.check_least(path, bound)

    def check_one_of(self, path: str, value: str, known: Sequence[str]) -> None:
        """Refuse a word that is not one of those that mean something."""
        if value not in known:
            fix = f"write one of {', '.join(known)}"
            self.add(path, f"`{path}` is {value!r}, which means nothing", part="value", fix=fix)

    def check_unique(self, path: str, field: str, names: Sequence[str]) -> None:
        """Refuse a list in which two entries have the same name."""
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            self.add(path, f"`{path}` has two entries with the {field} {name!r}", part="key")

    def check_pattern(self, path: str, pattern: str) -> None:
        """Refuse a regular expression that cannot be read; they are Go's, which are RE2's."""
        try:
            re2.compile(pattern, PATTERNS)
        except re2.error as error:
            fix = "all names are `.*`" if pattern == "*" else ""
            reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error
            title = f"`{path}` is not a regular expression: {reason}"
            self.add(path, title, part="value", fix=fix)

    def check_labels(self, path: str, labels: Sequence[tuple[str, str]]) -> None:
        """Refuse labels that Kubernetes does not take."""
        for key, value in labels:
            below = join(path, key)
            if not _LABEL_KEY.fullmatch(key):
                self.add(below, f"{key!r} is not a key that a label may have", part="key")
            if not _LABEL_VALUE.fullmatch(value):
                self.add(below, f"{value!r} is not a value that a label may have", part="value")

    def check_origin(self, path: str, annotations: Mapping[str, str]) -> None:
        """Refuse annotations that are to say which change this is, and do not."""
        for name, (title, fix) in wrong(annotations).items():
            self.add(join(path, name), title, part="value", fix=fix)

    def check_selector(self, path: str, selector: LabelSelector) -> None:
        """Refuse a selector that Kubernetes does not take."""
        for index, expression in enumerate(selector.match_expressions):
            below = f"{path}.matchExpressions[{index}]"
            match expression.operator:
                case "In" | "NotIn" if not expression.values:
                    self.add(below, "values must be specified when `operator` is 'In' or 'NotIn'")
                case "Exists" | "DoesNotExist" if expression.values:
                    self.add(below, "values may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
                case "In" | "NotIn" | "Exists" | "DoesNotExist":
                    pass
                case _:
                    self.add(f"{below}.operator", "not a valid selector operator", part="value")
