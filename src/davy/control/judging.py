"""From decisions about objects to findings in texts: what policies say, at the line that it is about."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from davy.control.analysis_gates import GATE, AnalysisGates, FoundByGates, Name, violation
from davy.control.governance import Governance, is_policy
from davy.model.document import Document
from davy.model.finding import Finding, Severity
from davy.model.kinds import is_cluster_scoped
from davy.model.raw import RawDocument
from davy.policy.decision import Decision, Excused
from davy.policy.engine import Action, Violation
from davy.policy.problem import Problem
from davy.policy.review import Kind, Object, Review, review_of

Result = Literal["pass", "fail", "waived", "not-applicable", "error"]
"""What became of an object: no policy is about one that is `not-applicable`; an `error` cannot be judged."""

Fix = Callable[[str], str]
"""How to mend what breaks a rule, in a few words; empty where nobody knows."""

_SEVERITIES: dict[Action, Severity] = {"deny": "error", "warn": "warning", "dryrun": "note"}
_ACTS_ALONE = frozenset({"ValidatingAdmissionPolicy", "ValidatingPolicy", "ClusterPolicy", "Policy"})


@dataclass(frozen=True, slots=True)
class Judged:
    """One object of a text, and what became of it; `concerned` is one that policies look at, or that is one."""

    kind: str
    namespace: str
    name: str
    file: str
    line: int
    result: Result
    concerned: bool = True


@dataclass(frozen=True, slots=True)
class Judgement:
    """What policies say of texts."""

    findings: tuple[Finding, ...] = ()
    judged: tuple[Judged, ...] = ()

    @property
    def results(self) -> Mapping[Result, int]:
        """How many objects there are of each result."""
        counted = Counter(each.result for each in self.judged)
        order: tuple[Result, ...] = ("pass", "fail", "waived", "not-applicable", "error")
        return {result: counted[result] for result in order}


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What is judged: documents with their places, and what there was before them.

    Args:
        documents: each of them, whatever its kind.
        gates: what Davy's gates found in them, with the document that it is in.
        namespace: where objects go that do not say.
        base: the documents that these take the place of; None where nobody knows.
        spoilt: findings on account of which something could not be read.
    """

    documents: Sequence[RawDocument]
    gates: Sequence[tuple[Document, Finding]] = ()
    namespace: str = ""
    base: Sequence[RawDocument] | None = None
    spoilt: Sequence[Finding] = ()


def judge(texts: Texts, governance: Governance, *, fix: Fix = lambda _: "") -> Judgement:
    """Ask the policies about every object, and say it where it is written."""
    return _Judge(texts, governance, fix).judgement()


def complaints(
    problems: Iterable[Problem], objects: Iterable[Object], documents: Iterable[RawDocument]
) -> Iterator[Finding]:
    """Say what is wrong with policies themselves, at their places."""
    places = {id(found): document for found, document in zip(objects, documents, strict=True)}
    for problem in problems:
        document = places.get(id(problem.subject))
        if document is not None:
            yield document.finding(
                "DV017", problem.path or "kind", problem.message, severity=problem.severity, fix=problem.fix
            )


def still_alone(findings: Sequence[Finding], judged: Sequence[Judged]) -> Iterator[Finding]:
    """Leave out that an object is left alone where policies have looked at it, or where it is one."""
    starts = sorted((each.file, each.line, each.concerned) for each in judged)
    for finding in findings:
        if finding.code == "DV013":
            at = bisect_right(starts, (finding.place.file, finding.place.line, True)) - 1
            if at >= 0 and starts[at][0] == finding.place.file and starts[at][2]:
                continue
        yield finding


def object_of(document: RawDocument, namespace: str) -> Object:
    """Return the object as it will be: in its namespace, if it has one."""
    kind = Kind.of(document.value)
    if not namespace or is_cluster_scoped(kind.api_version, kind.kind):
        return document.value
    return review_of(document.value, namespace=namespace).subject


@dataclass(slots=True)
class _Judge:
    texts: Texts
    governance: Governance
    fix: Fix
    gates: dict[Name, list[tuple[Violation, Finding]]] = field(default_factory=dict)

    def judgement(self) -> Judgement:
        objects = [object_of(document, self.texts.namespace) for document in self.texts.documents]
        findings: list[Finding] = []
        named = {
            (document.source.file, document.node.span.start): name_in(found)
            for document, found in zip(self.texts.documents, objects, strict=True)
        }
        for typed, finding in self.texts.gates:
            name = named.get((typed.source.file, typed.positions[""].value.start))
            if name is None:  # so much is wrong with the text that it was not read to its end
                findings.append(finding)
            else:
                self.gates.setdefault(name, []).append((violation(finding), finding))
        said = {name: [each for each, _ in found] for name, found in self.gates.items()}
        self.governance = replace(
            self.governance,
            policies=tuple(
                FoundByGates(said) if isinstance(policy, AnalysisGates) else policy
                for policy in self.governance.policies
            ),
            inventory=self.governance.inventory.with_(objects),
        )
        judged: list[Judged] = []
        base = {name_in(self.old(document)): document for document in self.texts.base or ()}
        for document, found in zip(self.texts.documents, objects, strict=True):
            review = self.review(found, base.pop(name_in(found), None))
            decision = self.governance.decide(review)
            findings += self.findings(document, review, decision)
            judged.append(self.judged(document, review, decision))
        for document in base.values():
            review = _removal(self.old(document))
            findings += self.findings(document, review, self.governance.decide(review))
        return Judgement(tuple(findings), tuple(judged))

    def old(self, document: RawDocument) -> Object:
        return object_of(document, self.texts.namespace)

    def review(self, found: Object, base: RawDocument | None) -> Review:
        """Make the review of an object; what was not there is created, if it is known what was there."""
        review = review_of(found, old=None if base is None else self.old(base))
        if self.texts.base is not None and base is None:
            return replace(review, operation="CREATE")
        return review

    def findings(self, document: RawDocument, review: Review, decision: Decision) -> Iterator[Finding]:
        for said in decision.violations:
            yield self.finding(document, review, said)
        for excused in decision.excused:
            yield self.excused(document, review, excused)
        for warning in decision.warnings:
            yield document.finding("DV018", "metadata.name", warning, severity="warning")

    def finding(self, document: RawDocument, review: Review, said: Violation) -> Finding:
        """Say what a policy says; a gate of Davy's has said it already, at the very character."""
        waive = _waive(said, review)
        if typed := self.typed(review, said):
            return replace(typed, severity=_SEVERITIES[said.action], waive=waive)
        title = f"{said.message} ({said.note})" if said.note else said.message
        found = document.finding(
            said.rule,
            _best_path(document, said.path),
            title,
            severity=_SEVERITIES[said.action],
            label=_label(document, review, said),
            why=_why(said),
            fix=self.fix(said.rule),
            waive=waive,
        )
        return replace(found, path=said.path)

    def excused(self, document: RawDocument, review: Review, excused: Excused) -> Finding:
        """Keep what a waiver covers in sight."""
        found = self.finding(document, review, excused.violation)
        covered = excused.sentence.removeprefix(excused.violation.sentence).strip(" -")
        return replace(found, severity="note", title=f"{found.title} - {covered}", waive="")

    def typed(self, review: Review, said: Violation) -> Finding | None:
        """Return the finding that a gate's violation was made of."""
        if said.source != GATE:
            return None
        found = self.gates.get(name_in(review.subject), ())
        return next((finding for each, finding in found if each == replace(said, note="")), None)

    def judged(self, document: RawDocument, review: Review, decision: Decision) -> Judged:
        end = document.source.place(document.node.span.end)
        spoilt = any(
            finding.place.file == document.place.file and document.place <= finding.place <= end
            for finding in self.texts.spoilt
        )
        return Judged(
            review.kind.kind,
            review.namespace,
            review.name,
            document.place.file,
            document.place.line,
            self.result(review, decision, spoilt=spoilt),
            is_policy(review.kind) or self.governance.concerns(review),
        )

    def result(self, review: Review, decision: Decision, *, spoilt: bool) -> Result:
        if spoilt or any(said.broken for said in decision.violations):
            return "error"
        if not decision.allowed:
            return "fail"
        if decision.excused:
            return "waived"
        return "pass" if decision.violations or self.governance.concerns(review) else "not-applicable"


def name_in(found: Object) -> Name:
    """Name an object."""
    review = review_of(found)
    return review.kind, review.namespace, review.name


def _removal(found: Object) -> Review:
    """Make the review of an object that is to go."""
    review = review_of(found)
    return replace(review, object=None, old_object=found, operation="DELETE")


def _best_path(document: RawDocument, path: str) -> str:
    """Choose what to point at: the field, else the name, else the kind."""
    return next((each for each in (path, "metadata.name", "kind") if each and _reached(document, each)), "")


def _reached(document: RawDocument, path: str) -> bool:
    """Say whether a path leads anywhere below the document itself."""
    return document.position(path).value != document.node.span


def _label(document: RawDocument, review: Review, said: Violation) -> str:
    if review.operation == "DELETE":
        return f"{review.kind.kind} {review.name} is taken away"
    if said.path and not document.has(said.path):
        return f"{said.path} is not here"
    return said.path


def _why(said: Violation) -> str:
    """Name the policy as a cluster would."""
    broken = "could not be evaluated, and so refuses: " if said.broken else ""
    if not said.source:
        return f"{broken}policy {said.policy}"
    if said.source in _ACTS_ALONE:
        return f"{broken}{said.source} {said.policy}"
    return f"{broken}constraint {said.policy} (template {said.source})"


def _waive(said: Violation, review: Review) -> str:
    """Say how to be excused; nothing excuses from a policy that nobody can evaluate."""
    if said.broken or said.action != "deny":
        return ""
    return f'davy waiver request {said.rule} --scope {review.name or "NAME"} --for 48h --reason "…"'
