"""From decisions about objects to findings in texts: what policies say, at the line that it is about."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from shlex import quote
from typing import Literal

from davy.control.analysis_gates import GATE, AnalysisGates, FoundByGates, Name, violation
from davy.control.governance import Governance, is_policy
from davy.model.document import Document
from davy.model.finding import Finding, Severity
from davy.model.kinds import is_cluster_scoped
from davy.model.raw import RawDocument
from davy.policy.decision import Decision, Excused
from davy.policy.digest import digest_of
from davy.policy.engine import Action, Violation
from davy.policy.pack import RULES
from davy.policy.problem import Problem
from davy.policy.review import Kind, Object, Review, review_of

Result = Literal["pass", "fail", "waived", "not-applicable", "error"]
"""What became of an object: no policy is about one that is `not-applicable`; an `error` cannot be judged."""

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
    """What policies say of texts; `decisions` is what they say of each change, as it was asked."""

    findings: tuple[Finding, ...] = ()
    judged: tuple[Judged, ...] = ()
    decisions: tuple[tuple[Review, Decision], ...] = ()

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


def judge(texts: Texts, governance: Governance) -> Judgement:
    """Ask the policies about every object, and say it where it is written."""
    return _Judge(texts, governance).judgement()


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


def not_told_yet(said: Iterable[Finding], findings: Iterable[Finding]) -> Iterator[Finding]:
    """Leave out that a template is not there where its name could not be resolved: that is one thing."""
    told = {
        (each.place.file, each.place.line)
        for each in findings
        if each.code == "DV010" and each.severity == "error"
    }
    for finding in said:
        if finding.code != "PD031" or (finding.place.file, finding.place.line) not in told:
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
    gates: dict[int, list[tuple[Violation, Finding]]] = field(default_factory=dict)

    def judgement(self) -> Judgement:
        documents = [document for document in self.texts.documents if document.sound]
        objects = [object_of(document, self.texts.namespace) for document in documents]
        findings: list[Finding] = []
        named = {
            (document.source.file, document.node.span.start): id(found)
            for document, found in zip(documents, objects, strict=True)
        }
        for typed, finding in self.texts.gates:
            found_in = named.get((typed.source.file, typed.positions[""].value.start))
            if found_in is None:  # so much is wrong with the text that it was not read to its end
                findings.append(finding)
            else:
                self.gates.setdefault(found_in, []).append((violation(finding), finding))
        said = {number: [each for each, _ in found] for number, found in self.gates.items()}
        self.governance = replace(
            self.governance,
            policies=tuple(
                FoundByGates(said) if isinstance(policy, AnalysisGates) else policy
                for policy in self.governance.policies
            ),
            inventory=self.governance.inventory.with_(objects),
        )
        judged: list[Judged] = []
        decisions: list[tuple[Review, Decision]] = []
        base = {place_of(self.old(document)): document for document in self.texts.base or () if document.sound}
        for document, found in zip(documents, objects, strict=True):
            review = self.review(found, base.get(place_of(found)))
            decision = self.governance.decide(review)
            if self.governance.settled and is_unchanged(review):
                decision = _warned_of(decision)
            decisions.append((review, decision))
            findings += self.findings(document, review, decision)
            judged.append(self.judged(document, review, decision))
        stays = {place_of(found) for found in objects}
        for document in (each for place, each in base.items() if place not in stays):
            review = _removal(self.old(document))
            decisions.append((review, self.governance.decide(review)))
            findings += self.findings(document, *decisions[-1])
        return Judgement(tuple(findings), (*judged, *self.unread(judged)), tuple(decisions))

    def unread(self, judged: Sequence[Judged]) -> Iterator[Judged]:
        """Name what could not be judged, since it could not be read: objects, and texts from some line on."""
        met = set()
        for document in self.texts.documents:
            if not document.sound:
                met.add(document.place.file)
                kind, namespace, name = name_in(document.value)
                yield Judged(kind.kind, namespace, name, document.place.file, document.place.line, "error")
        met |= {each.file for each in judged if each.result == "error"}
        for finding in self.texts.spoilt:
            if finding.place.file not in met:
                met.add(finding.place.file)
                yield Judged("", "", "", finding.place.file, finding.place.line, "error")

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
        waive = how_to_waive(said, review, document.source.file)
        if typed := self.typed(review, said):
            return replace(typed, severity=_SEVERITIES[said.action], waive=waive)
        title = said.message.replace(f"{said.rule}: ", "", 1) + (f" ({said.note})" if said.note else "")
        found = document.finding(
            said.rule,
            _best_path(document, said.path),
            title,
            severity=_SEVERITIES[said.action],
            label=_label(document, review, said),
            why=_why(said),
            fix=RULES[said.rule].fix if said.rule in RULES else "",
            waive=waive,
        )
        return replace(found, path=said.path)

    def excused(self, document: RawDocument, review: Review, excused: Excused) -> Finding:
        """Keep what a waiver covers in sight."""
        found = self.finding(document, review, excused.violation)
        covered = excused.sentence.removeprefix(excused.violation.sentence).strip(" -")
        return replace(
            found, severity="note", title=f"{found.title} - {covered}", waive="", waived=excused.waiver.id
        )

    def typed(self, review: Review, said: Violation) -> Finding | None:
        """Return the finding that a gate's violation was made of."""
        if said.source != GATE:
            return None
        found = self.gates.get(id(review.object), ())
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


def place_of(found: Object) -> Name:
    """Name an object as a cluster does: an API version is a way to write it, and makes no other of it."""
    kind, namespace, name = name_in(found)
    return kind._replace(version=""), namespace, name


def is_unchanged(review: Review) -> bool:
    """Say whether nothing is to become of an object."""
    return bool(review.object and review.old_object) and digest_of(review.subject) == digest_of(
        review.old_object or {}
    )


def _warned_of(decision: Decision) -> Decision:
    """Let an object that stays what it is stand in nobody's way: what ran out is told, and blocks its change.

    What Davy's gates find stays: a rollout that changes may use a template otherwise that does not.
    """
    told = tuple(
        each if each.source == GATE or each.action != "deny" else replace(each, action="warn")
        for each in decision.violations
    )
    return replace(decision, violations=told)


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
    return said.path if "." in said.path else ""


def _why(said: Violation) -> str:
    """Name the policy as a cluster would."""
    why = f"{RULES[said.rule].why}; " if said.rule in RULES else ""
    if said.broken:
        why = "could not be evaluated, and so refuses: "
    if not said.source:
        return f"{why}policy {said.policy}"
    if said.source in _ACTS_ALONE:
        return f"{why}{said.source} {said.policy}"
    return f"{why}constraint {said.policy} (template {said.source})"


def how_to_waive(said: Violation, review: Review, file: str = "") -> str:
    """Say how to be excused; nothing excuses from a policy that nobody can evaluate.

    Args:
        said: what refuses.
        review: of what.
        file: where it is written; without one it is the object that an engine holds.
    """
    if said.broken or said.action != "deny":
        return ""
    kind = "" if review.kind.kind == "Rollout" else f" --kind {quote(review.kind.kind)}"
    where = "" if review.namespace in ("", "default") else f" -n {quote(review.namespace)}"
    whom = f"--scope {quote(review.name or 'NAME')}{where}{kind}" + (f" -f {quote(file)}" if file else "")
    return f'davy waiver request {quote(said.rule)} {whom} --for 48h --ticket ID --reason "…"'
