"""What is told about one text, and when it is enough."""

from davy.model.finding import Finding, Severity
from davy.model.source import Source, Span


class Unreadable(Exception):
    """The rest of a text cannot be read, or so much is wrong with it that nobody reads on."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.title)
        self.finding = finding


class Report:
    """Collects the findings of one text, up to `most` errors and as many warnings.

    `namespace` is where the objects of the text are that do not say.
    """

    def __init__(self, source: Source, most: int, namespace: str = "default") -> None:
        self.source = source
        self.most = most
        self.namespace = namespace
        self.findings: list[Finding] = []
        self.errors = 0
        self.others = 0

    def tell(
        self, code: str, span: Span, title: str, *, severity: Severity = "error", label: str = "", fix: str = ""
    ) -> None:
        """Add a finding.

        Raises:
            Unreadable: there have been too many errors already.
        """
        if severity == "error":
            self.errors += 1
            if self.errors > self.most:
                title = f"there are more errors than these {self.most}"
                raise Unreadable(self.source.finding("DV002", span, title, fix="mend those above first"))
        elif severity == "warning":
            self.others += 1
            if self.others > self.most + 1:
                return
            if self.others > self.most:
                severity, label, fix = "note", "", ""
                title = f"there are more warnings than these {self.most}"
        self.findings.append(self.source.finding(code, span, title, severity=severity, label=label, fix=fix))
