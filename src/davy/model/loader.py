"""The one way from texts to typed values: bounded, with every problem of a document and where it is.

Only texts come in. Reading files is for whoever has them (`davy.cli`).
"""

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import msgspec

from davy.model import yaml
from davy.model.check import Checker, nearest
from davy.model.document import Document
from davy.model.finding import BadManifest, Finding
from davy.model.kinds import KINDS, is_elsewhere, known_kinds
from davy.model.raw import RawDocument, read_raw
from davy.model.report import Report, Unreadable
from davy.model.rollout import Rollout
from davy.model.shape import ANYTHING, Field, Shape, shape_of
from davy.model.source import Span
from davy.model.workload import WORKLOADS, WorkloadName, named_by
from davy.model.yaml import Limits, Mapping, Node, Scalar, Sequence

__all__ = ["LIMITS", "Document", "Limits", "Loaded", "load", "load_all", "load_raw"]

#: What is read of a text unless the caller says otherwise.
LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Loaded:
    """What some texts hold: the documents that could be read, and everything there is to say about the rest.

    `left_alone` names the workloads that no rollout takes its template from. `raw` has every document, whatever
    its kind, as JSON; it is empty unless it was asked for.
    """

    documents: tuple[Document, ...]
    findings: tuple[Finding, ...]
    left_alone: tuple[WorkloadName, ...] = ()
    raw: tuple[RawDocument, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings on account of which something was not read."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def raise_for_errors(self) -> None:
        """Do nothing if all was read.

        Raises:
            BadManifest: something was not; it carries all findings.
        """
        if self.errors:
            raise BadManifest(self.findings)


def load(text: str | bytes, file: str, *, limits: Limits = LIMITS) -> tuple[Document, ...]:
    """Read one text, all of it or nothing; `file` is what findings call it.

    Raises:
        BadManifest: there is an error in it.
    """
    loaded = load_all([(file, text)], limits=limits)
    loaded.raise_for_errors()
    return loaded.documents


def load_all(
    texts: Iterable[tuple[str, str | bytes]],
    *,
    limits: Limits = LIMITS,
    wanted: Iterable[WorkloadName] = (),
    raw: bool = False,
    namespace: str = "default",
    only: Container[str] | None = None,
) -> Loaded:
    """Read texts, each given with the name of its file, and return what could be read beside what could not.

    Nothing that a text may hold makes it raise. Kinds that are not Davy's are left out with a note each; so are
    workloads, unless a rollout in these texts takes its template from them, or they are `wanted`.

    With `raw` all of them are read as JSON, and what readers of YAML disagree on is found in them as well.
    `namespace` is where objects are that do not say. Of other kinds than the `only` ones nothing is said; what
    has no kind is read as JSON all the same.
    """
    reads = [_read(text, file, limits, namespace, only) for file, text in texts]
    rollouts = [
        each.typed.value
        for read in reads
        for each in read.found
        if each.typed is not None and isinstance(each.typed.value, Rollout)
    ]
    named = {*wanted, *(name for name in map(named_by, rollouts) if name is not None)}
    documents: list[Document] = []
    findings: list[Finding] = []
    left_alone: list[WorkloadName] = []
    everything: list[RawDocument] = []
    for read in reads:
        documents += read.documents(named)
        everything += read.raw() if raw else ()
        findings += read.findings
        workloads = [each.workload for each in read.found if each.workload is not None]
        left_alone += [name for name in workloads if name not in named]
    return Loaded(tuple(documents), tuple(findings), tuple(left_alone), tuple(everything))


def load_raw(text: str | bytes, file: str, *, limits: Limits = LIMITS) -> tuple[RawDocument, ...]:
    """Read one text as JSON, whatever its kinds are: for documents that are not Davy's.

    Raises:
        BadManifest: there is an error in it.
    """
    findings: list[Finding] = []
    found: list[RawDocument] = []
    try:
        report = Report(yaml.decode(text, file, limits), limits.findings)
        findings = report.findings
        for node in _nodes(report, limits):
            if not isinstance(node, Mapping):
                report.tell("DV006", node.span, "a document has to be a mapping", label="this is none")
            elif (document := read_raw(node, report)).sound:
                found.append(document)
    except Unreadable as error:
        findings = [*findings, error.finding]
    if any(finding.severity == "error" for finding in findings):
        raise BadManifest(tuple(findings))
    return tuple(found)


@dataclass(slots=True)
class _Found:
    """A mapping, and what was made of it; a workload waits until it is known whether a rollout wants it.

    `told` says whether somebody has looked at all that is in it, and told of what is wrong, or nobody wants to.
    """

    node: Mapping
    typed: Document | None = None
    workload: WorkloadName | None = None
    told: bool = False


@dataclass(slots=True)
class _Read:
    """One text: what was found in it, up to what cannot be read at all."""

    found: list[_Found]
    report: Report | None = None
    last: Finding | None = None

    def documents(self, wanted: Container[WorkloadName]) -> list[Document]:
        """Return the documents, reading the workloads that are wanted."""
        try:
            for each in self.found:
                if each.workload is not None:
                    self._settle(each, each.workload, wanted)
        except Unreadable as error:
            self.last = self.last or error.finding
        return [each.typed for each in self.found if each.typed is not None]

    def _settle(self, waiting: _Found, name: WorkloadName, wanted: Container[WorkloadName]) -> None:
        assert self.report is not None
        if name in wanted:
            waiting.told = True
            waiting.typed = _typed(waiting.node, name.kind, self.report)
        else:
            _tell_of_other(waiting.node, name.kind, self.report)

    def raw(self) -> Iterator[RawDocument]:
        """Read every document as JSON, up to what cannot be read at all."""
        try:
            for each in self.found:
                assert self.report is not None
                yield read_raw(each.node, self.report, quiet=each.told)
        except Unreadable as error:
            self.last = self.last or error.finding

    @property
    def findings(self) -> list[Finding]:
        """Everything there is to say of the text."""
        found = [] if self.report is None else sorted(self.report.findings, key=lambda finding: finding.place)
        return [*found, self.last] if self.last is not None else found


def _read(text: str | bytes, file: str, limits: Limits, namespace: str, only: Container[str] | None) -> _Read:
    try:
        report = Report(yaml.decode(text, file, limits), limits.findings, namespace)
    except Unreadable as error:
        return _Read([], last=error.finding)
    read = _Read([], report)
    try:
        for each in _documents(report, limits, only):
            read.found.append(each)
    except Unreadable as error:
        read.last = error.finding
    return read


def _documents(report: Report, limits: Limits, only: Container[str] | None) -> Iterator[_Found]:
    for number, node in enumerate(_nodes(report, limits), start=1):
        if number > limits.documents:
            title = f"this is too much to read: more than {limits.documents:,} documents"
            raise Unreadable(report.source.finding("DV002", node.span, title))
        if isinstance(node, Mapping):
            kind = _text(node, "kind")
            other = only is not None and kind not in only
            yield _Found(node, told=bool(kind)) if other else _document(node, report)
        elif only is None:
            title = "a manifest has to be a mapping, with `kind` and `metadata`"
            report.tell("DV006", node.span, title, label="this is none")


def _nodes(report: Report, limits: Limits) -> Iterator[Node]:
    """Go through the documents of a text, those in a `kind: List` of `kubectl get -o yaml` too."""
    for root in yaml.compose(report.source, limits):
        items = _field(root, "items")
        if _text(root, "kind") == "List" and isinstance(items, Sequence):
            yield from items.items
        elif _text(root, "kind") == "List":
            report.tell("DV006", items.span if items else root.span, "`items` of a List has to be a list")
        elif not (isinstance(root, Scalar) and root.plain and not root.text):  # nothing between two ---
            yield root


def _document(node: Mapping, report: Report) -> _Found:
    kind, version = _text(node, "kind"), _text(node, "apiVersion")
    if kind not in KINDS or version not in KINDS[kind][0]:
        _tell_of_kind(node, kind, version, report)
        return _Found(node)
    if kind in WORKLOADS:
        metadata = _field(node, "metadata")
        namespace = _text(metadata, "namespace") or report.namespace
        return _Found(node, workload=WorkloadName(kind, namespace, _text(metadata, "name")))
    return _Found(node, _typed(node, kind, report), told=True)


def _typed(node: Mapping, kind: str, report: Report) -> Document | None:
    errors = report.errors
    checker = Checker(report)
    value = checker.document(node, _document_shape(kind))
    if report.errors > errors:
        return None
    value.pop("status", None)
    value["metadata"].setdefault("namespace", report.namespace)
    document = Document(kind, msgspec.convert(value, KINDS[kind][1]), report.source, checker.positions)
    _check_names(document, report)
    return document if report.errors == errors else None


@cache
def _document_shape(kind: str) -> Shape:
    """Return the shape of a kind; its status is the server's to write, and accepted whatever it is."""
    fields = shape_of(KINDS[kind][1]).fields
    assert fields is not None
    return Shape(fields={**fields, "status": Field(ANYTHING, required=False)})


def _tell_of_kind(node: Mapping, kind: str, version: str, report: Report) -> None:
    """Say why a document is not read."""
    if not kind:
        _tell_of_no_kind(node, report)
    elif is_elsewhere(version, kind):
        _tell_of_other(node, kind, report)
    elif kind in KINDS:
        wanted = KINDS[kind][0][0]
        title = f"{kind} is not of `{version}`" if version else "`apiVersion` is missing"
        code, at = ("DV009", "apiVersion") if version else ("DV007", "kind")
        report.tell(code, _at(node, at), title, fix=f"write `apiVersion: {wanted}`")
    else:
        meant = nearest(kind, known_kinds())
        label = f"did you mean `{meant}`?" if meant else ""
        fix = f"kinds that are read: {', '.join(KINDS)}"
        title = f"the kind `{kind}`{f' of `{version}`' if version else ''} is not known"
        report.tell("DV009", _at(node, "kind"), title, label=label, fix=fix)


def _tell_of_other(node: Mapping, kind: str, report: Report) -> None:
    name = f" `{name}`" if (name := _text(_field(node, "metadata"), "name")) else ""
    report.tell("DV013", _at(node, "kind"), f"{kind}{name} is left alone", severity="note")


def _tell_of_no_kind(node: Mapping, report: Report) -> None:
    if _field(node, "groups") and len(node.entries) == 1:
        title = "this is a file of Prometheus rules, and is left alone"
        report.tell("DV013", _at(node, "groups"), title, severity="note")
    elif isinstance(_field(node, "flags"), Mapping):
        title = "this is a document of flagd, and is left alone: `davy flag list` reads it"
        fix = "davy flag import flagd makes FeatureFlags of it, which an engine holds"
        report.tell("DV013", _at(node, "flags"), title, severity="note", fix=fix)
    else:
        fix = f"kinds that are read: {', '.join(KINDS)}"
        report.tell("DV007", node.span, "`kind` is missing", label="what is this?", fix=fix)


#: RFC 1123, as Kubernetes has it: names end up in host names and file names.
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*", re.ASCII)
_NAMESPACE = re.compile(_LABEL, re.ASCII)


def _check_names(document: Document, report: Report) -> None:
    fix = "use small letters, digits and `-`, and begin and end with a letter or a digit"
    key = document.value.key
    for field, text, pattern in (("name", key.name, _NAME), ("namespace", key.namespace, _NAMESPACE)):
        if not pattern.fullmatch(text):
            span = document.positions[f"metadata.{field}"].value
            report.tell("DV008", span, f"`metadata.{field}` is not a name that Kubernetes takes", fix=fix)


def _field(node: Node | None, name: str) -> Node | None:
    entries = node.entries if isinstance(node, Mapping) else ()
    return next((value for key, value in entries if isinstance(key, Scalar) and key.text == name), None)


def _text(node: Node | None, name: str) -> str:
    value = _field(node, name)
    return value.text if isinstance(value, Scalar) else ""


def _at(node: Mapping, name: str) -> Span:
    value = _field(node, name)
    assert value
    return value.span
