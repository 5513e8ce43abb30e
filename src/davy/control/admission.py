"""Which manifests an engine accepts. One pure answer, the same for `davy check` in CI and for `davy apply`.

Manifests are accepted together or not at all: with one error among the findings nothing is changed.
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

import msgspec

from davy import plugins
from davy.analysis import teeth
from davy.analysis.blind import blind_spots
from davy.control import views
from davy.control.catalog import HELD, Catalog, Object
from davy.control.governance import Governance, is_constraint, is_policy
from davy.control.judging import (
    Judged,
    Judgement,
    Result,
    Texts,
    complaints,
    judge,
    name_in,
    not_told_yet,
    object_of,
    place_of,
    still_alone,
)
from davy.model import honour, validate
from davy.model.document import Document
from davy.model.finding import Finding, render
from davy.model.images import ImageMap, ImageSource
from davy.model.loader import Loaded, load_all
from davy.model.raw import RawDocument
from davy.model.references import check_references
from davy.model.rollout import Rollout
from davy.model.waiver import Waiver as WaiverManifest
from davy.policy.decision import Decision
from davy.policy.review import Kind, Review
from davy.policy.review import Object as Json
from davy.policy.waiver_file import is_waiver, read, waiver_of
from davy.policy.waivers import Waiver
from davy.rollout.carry import uncarried

T = TypeVar("T", bound=Object)
Text: TypeAlias = tuple[str, str | bytes]
"""The name of a file, and what stands in it."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """What some texts hold for an engine, and everything there is to say about them.

    `judged` has what became of each object, of kinds that an engine leaves alone as well; it is empty where no
    policies were asked. So are `decisions`, what policies said of each change, and `raw`, every object as JSON.
    """

    objects: tuple[Object, ...]
    findings: tuple[Finding, ...]
    judged: tuple[Judged, ...] = ()
    decisions: tuple[tuple[Review, Decision], ...] = ()
    raw: tuple[Json, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether there is no error among the findings."""
        return all(finding.severity != "error" for finding in self.findings)

    @property
    def results(self) -> Mapping[Result, int]:
        """How many objects there are of each result."""
        return Judgement((), self.judged).results

    def of(self, kind: type[T]) -> tuple[T, ...]:
        """Return the objects of one kind."""
        return tuple(found for found in self.objects if isinstance(found, kind))


def admit(
    texts: Iterable[Text],
    directory: str,
    known: Catalog,
    governance: Governance | None = None,
    *,
    namespace: str = "",
    base: Iterable[Text] | None = None,
) -> Admitted:
    """Read manifests and hold them to every rule, beside what is there already.

    Args:
        texts: file names and what stands in them.
        directory: what the file names are relative to; paths in an ImageMap are relative to its file.
        known: what was accepted before, which the new manifests may refer to.
        governance: whose policies are asked as well, together with policies and waivers among the manifests.
        namespace: where objects go that do not say.
        base: what the texts were before; None where that is not known. It tells policies what is changed, made
            and taken away.
    """
    loaded = load_all(
        texts, wanted=known.workloads, raw=governance is not None, namespace=namespace or "default"
    )
    findings = _typed(loaded, known)
    located = (_located(document, directory) for document in loaded.documents)
    objects = tuple(found for found in located if found)
    gates = _gates(loaded.documents, [*known.objects, *objects])
    if governance is None:
        return Admitted(objects, _sorted([*findings, *(finding for _, finding in gates)]))
    before = None if base is None else load_all(base, raw=True).raw
    governed, everything, told = _governed(loaded, governance, before, namespace)
    findings += told
    judgement = judge(
        Texts(
            documents=loaded.raw,
            gates=gates,
            namespace=namespace,
            base=before,
            spoilt=[finding for finding in findings if finding.severity == "error"],
        ),
        governed,
    )
    findings += _excuses(loaded.documents, judgement, before)
    return Admitted(
        objects,
        _sorted([*still_alone(findings, judgement.judged), *not_told_yet(judgement.findings, findings)]),
        judgement.judged,
        judgement.decisions,
        tuple(everything),
    )


def _typed(loaded: Loaded, known: Catalog) -> list[Finding]:
    """Say what is wrong with manifests of the kinds that Davy knows, each by itself and with each other."""
    findings = list(loaded.findings)
    for document in loaded.documents:
        findings += validate.validate(document)
        findings += honour.unhonoured(document, _is_installed)
        findings += _uncarried(document)
    findings += check_references(loaded.documents, known.objects, loaded.left_alone)
    return findings


def _governed(
    loaded: Loaded, governance: Governance, before: Iterable[RawDocument] | None, namespace: str
) -> tuple[Governance, list[Json], list[Finding]]:
    """Take in the policies and waivers among manifests.

    Returns:
        What governs them, the manifests as they are judged, and what is wrong with policies among them.
    """
    sound = [document for document in loaded.raw if document.sound]
    everything = [object_of(document, namespace) for document in sound]
    overruled = _overruled(everything, governance, before or (), namespace)
    governed, problems = governance.reading([each for each in everything if id(each) not in overruled])
    governed = governed.beside([each for each in everything if id(each) in overruled])
    if not governance.settled:
        governed = replace(governed, waivers=(*governed.waivers, *waivers_in(loaded.documents)))
    findings = [*complaints(problems, everything, sound), *_twice(sound, everything)]
    findings += (
        _not_counted(document)
        for document, each in zip(sound, everything, strict=True)
        if id(each) in overruled and not is_constraint(Kind.of(each))
    )
    return governed, everything, findings


def _overruled(
    objects: Sequence[Json], governance: Governance, before: Iterable[RawDocument], namespace: str
) -> set[int]:
    """Find the policies that would take the place of what judges them, without having been agreed to before.

    Nobody weakens a policy and makes use of that in one go. An engine holds such a change to its policies, and
    goes on with those that it had; where there is no engine, what stood in the base counts as agreed to.
    """
    if governance.settled:
        return set()
    agreed = [object_of(document, namespace) for document in before if document.sound]
    own = {place_of(each): each for each in governance.documents}
    return {
        id(each)
        for each in objects
        if is_policy(Kind.of(each)) and own.get(place_of(each), each) != each and each not in agreed
    }


def _not_counted(document: RawDocument) -> Finding:
    kind, _, name = name_in(document.value)
    return document.finding(
        "DV017",
        "metadata.name",
        f"{kind.kind} {name} is a template of the pack, and here the pack's own counts",
        severity="warning",
        label="says something else",
        why="nobody weakens a policy and makes use of that in one go",
        fix="give it another name; with --base it counts once it stands there",
    )


def _excuses(
    documents: Iterable[Document], judgement: Judgement, before: Iterable[RawDocument] | None
) -> Iterator[Finding]:
    """Say of each waiver among the texts that it excuses something, and on whose word."""
    used = {each.waiver.id for _, decision in judgement.decisions for each in decision.excused}
    known = None if before is None else _read_waivers(document.value for document in before if document.sound)
    for document in documents:
        if not isinstance(document.value, WaiverManifest) or document.value.metadata.name not in used:
            continue
        waiver = waiver_of(document.value)
        fresh = known is not None and waiver not in known
        who = "alone" if waiver.break_glass else f"and {waiver.approver} agreed"
        yield document.finding(
            "DV018",
            "metadata.name",
            f"this waiver excuses {waiver.about}: {waiver.requester} asked {who}, says the file",
            severity="warning" if fresh else "note",
            label="comes with this very change" if fresh else "",
            fix="a file proves nobody's identity: let those who may approve own it, and review this change",
        )


def _read_waivers(objects: Iterable[Json]) -> set[Waiver]:
    found = set()
    for each in filter(is_waiver, objects):
        with suppress(ValueError):
            found.add(read(each))
    return found


def _twice(documents: Sequence[RawDocument], objects: Sequence[Json]) -> Iterator[Finding]:
    """Refuse two policies of one name: only the later one would count, and nobody would look at the other."""
    met: dict[tuple[str, str, str], Json] = {}
    for document, found in zip(documents, objects, strict=True):
        kind, namespace, name = name_in(found)
        if is_policy(kind) and met.setdefault((kind.kind, namespace, name), found) != found:
            title = f"{kind.kind} {name} is here twice, and says two things"
            yield document.finding("DV014", "metadata.name", title, fix="keep one of them")


def waivers_in(documents: Iterable[Document]) -> list[Waiver]:
    """Return the valid waivers among documents; what is wrong with others is told where they are checked."""
    return [
        waiver_of(document.value)
        for document in documents
        if isinstance(document.value, WaiverManifest)
        and all(finding.severity != "error" for finding in validate.validate(document))
    ]


def _gates(documents: Sequence[Document], objects: Iterable[Object]) -> list[tuple[Document, Finding]]:
    """Hold analyses to the gates: each by itself, and in the rollouts that use it."""
    found = [(document, finding) for document in documents for finding in teeth.inspect(document)]
    told: set[Finding] = set()
    for rollout in Catalog(objects).rollouts.values():
        told.update(blind_spots(rollout, documents))
    for finding in told:
        home = max(
            (document for document in documents if document.place.file == finding.place.file),
            key=lambda document: (document.place <= finding.place, document.place),
        )
        found.append((home, finding))
    return found


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: finding.place))


def answer(admitted: Admitted, known: Catalog) -> views.ApplyView:
    """Say what was made, or would be, of each object, and what there is to say."""
    outcomes = tuple(
        views.Applied(found.kind, found.key.namespace, found.key.name, known.outcome(found))
        for found in admitted.objects
    )
    return views.ApplyView(
        accepted=admitted.accepted,
        applied=outcomes if admitted.accepted else (),
        findings=tuple(view(finding) for finding in admitted.findings),
        results=_counts(admitted.results) if admitted.judged else {},
        judged=tuple(
            views.JudgedView(each.kind, each.namespace, each.name, each.file, each.line, each.result)
            for each in admitted.judged
        ),
    )


def _counts(results: Mapping[Result, int]) -> dict[str, int]:
    return {str(result): count for result, count in results.items()}


def view(finding: Finding) -> views.FindingView:
    """Show a finding."""
    return views.FindingView(
        code=finding.code,
        severity=finding.severity,
        title=finding.title,
        file=finding.place.file,
        line=finding.place.line,
        column=finding.place.column,
        text=render(finding),
        label=finding.label,
        path=finding.path,
        why=finding.why,
        fix=finding.fix,
        waive=finding.waive,
        waived=finding.waived,
    )


def _is_installed(provider: str) -> bool:
    return provider in plugins.names("providers")


def _uncarried(document: Document) -> list[Finding]:
    """Refuse weights that leave the canary without a pod."""
    if not isinstance(document.value, Rollout):
        return []
    return [
        document.finding(
            "DV015",
            f"spec.strategy.canary.steps[{index}].setWeight",
            "no replica can carry this weight",
            label=why,
            fix="more replicas, a maxSurge of at least 1, or trafficRouting, which splits by request",
        )
        for index, why in uncarried(document.value)
    ]


def _located(document: Document, directory: str) -> Object | None:
    """Return what an engine holds of a document, None for a kind that it only reads.

    The paths of an ImageMap become absolute, so that they mean the same wherever they are read.
    """
    value = document.value
    if not isinstance(value, HELD):
        return None
    if not isinstance(value, ImageMap):
        return value
    base = posixpath.join(directory, posixpath.dirname(document.place.file))
    images = {pattern: _absolute(image, base) for pattern, image in value.spec.images.items()}
    return msgspec.structs.replace(value, spec=msgspec.structs.replace(value.spec, images=images))


def _absolute(image: ImageSource, base: str) -> ImageSource:
    git, directory = (_from(base, path) for path in (image.source.git, image.source.dir))
    return msgspec.structs.replace(image, source=msgspec.structs.replace(image.source, git=git, dir=directory))


def _from(base: str, path: str) -> str:
    """Read a path as seen from a directory; addresses of other machines and empty paths stay what they are."""
    return posixpath.normpath(posixpath.join(base, path)) if path and "://" not in path else path
