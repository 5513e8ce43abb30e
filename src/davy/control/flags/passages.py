"""What the record says of the canaries of a rollout: which versions passed, at which weight, by which runs.

It is a fold over entries and over nothing else, so whoever has the record can tell again why a gate was open.
A version has passed at a weight when an analysis of a step passed while that share of the users had it, and at
all of it when it was promoted with every analysis passed. What was passed over by a waiver has not passed, and
neither has what was inconclusive, ended in an error, or was ended before it could tell.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from davy.flags.evidence import Evidence
from davy.ledger.entry import Draft
from davy.model.key import Key

KEPT = 20
"""How many versions that passed are remembered of a rollout; the stable one is always among them."""

ABORTS = frozenset({"change_rolled_back", "change_aborted_unexposed"})
"""The kinds of entries that say that traffic was given back."""

READ = ABORTS | {
    "update_started",
    "weight_set",
    "analysis_finished",
    "step_completed",
    "change_promoted",
    "change_superseded",
    "stable_restored",
    "human_action",
    "object_deleted",
}
"""The kinds of entries that a passage follows from."""


class Trial(msgspec.Struct, frozen=True):
    """A version on its way to the users.

    Args:
        artifact: the hash of its pod template.
        revision: its number.
        weight: the share of users, in percent, that it has; what is not a whole number is not counted as one.
        runs: its analysis runs that passed.
        doubts: of its analyses (`Step/2`, `Background/`) those whose last run did not pass.
        skipped: something of it was passed over.
    """

    artifact: str
    revision: int
    weight: int = 0
    runs: tuple[str, ...] = ()
    doubts: frozenset[str] = frozenset()
    skipped: bool = False

    @property
    def passed(self) -> bool:
        """Whether all that was measured of it was good, and something was."""
        return bool(self.runs) and not self.doubts and not self.skipped


class Passage(msgspec.Struct, frozen=True):
    """What is known of a rollout.

    Args:
        stable: the hash of the version that was promoted last.
        trial: the version that is under way.
        evidence: what passed, the newest last.
        aborted: the update that was aborted last, as in `default/payments#7.2`.
        service: whose users it serves.
    """

    stable: str = ""
    trial: Trial | None = None
    evidence: tuple[Evidence, ...] = ()
    aborted: str = ""
    service: str = ""

    @property
    def users_meet(self) -> frozenset[str]:
        """The artifacts that users may be answered by."""
        trial = {self.trial.artifact} if self.trial else set()
        return frozenset({*trial, self.stable} - {""})

    @property
    def for_anybody(self) -> tuple[Evidence, ...]:
        """The evidence for instances that do not say what they are: none unless all that users meet passed."""
        passed = {each.artifact for each in self.evidence}
        if not self.users_meet or not self.users_meet <= passed:
            return ()
        met = [each for each in self.evidence if each.artifact in self.users_meet]
        weakest = min(met, key=lambda each: each.weight)
        return (weakest,)


def follow(passage: Passage, rollout: Key, drafts: Iterable[Draft]) -> Passage:
    """Return what is known after the entries of one transaction about a rollout."""
    drafts = tuple(drafts)
    promoted = next((draft for draft in drafts if draft.kind == "change_promoted"), None)
    for draft in drafts:
        passage = _follow(passage, rollout, draft, promoting=promoted is not None)
    return passage if promoted is None else _promoted(passage, rollout, promoted)


def _follow(passage: Passage, rollout: Key, draft: Draft, *, promoting: bool) -> Passage:
    detail, trial = draft.detail, passage.trial
    match draft.kind:
        case "update_started":
            service = str(detail.get("service", passage.service))
            return replace(passage, trial=Trial(str(detail["hash"]), int(detail["revision"])), service=service)
        case "change_superseded" | "stable_restored":
            return replace(passage, trial=None)
        case "object_deleted":
            return Passage()
        case kind if kind in ABORTS:
            left = tuple(each for each in passage.evidence if each.artifact != detail["hash"])
            gone = trial is not None and trial.artifact == detail["hash"]
            name = str(detail.get("rollout", ""))
            return replace(passage, trial=None if gone else trial, evidence=left, aborted=name)
        case _ if trial is None:
            return passage
        case "weight_set" if detail["hash"] == trial.artifact:
            share = 100 * int(detail["weight"]) // max(1, int(detail["of"]))
            return replace(passage, trial=replace(trial, weight=share))
        case "analysis_finished" if detail["hash"] == trial.artifact:
            return _finished(passage, rollout, trial, draft, promoting=promoting)
        case "step_completed" if detail.get("skipped"):
            return replace(passage, trial=replace(trial, skipped=True))
        case "human_action" if str(detail.get("action", "")).startswith("promote --"):
            return replace(passage, trial=replace(trial, skipped=True))
        case _:
            return passage


def _finished(passage: Passage, rollout: Key, trial: Trial, draft: Draft, *, promoting: bool) -> Passage:
    """Take in how an analysis ended; one that was only ended early says nothing either way."""
    detail = draft.detail
    analysis = f"{detail['type']}/{'' if detail['step'] is None else detail['step']}"
    if _has_passed(detail, promoting=promoting):
        runs = tuple(dict.fromkeys((*trial.runs, str(detail["run"]))))
        trial = replace(trial, runs=runs, doubts=trial.doubts - {analysis})
        if detail["type"] in ("Step", "Experiment") and trial.passed and trial.weight:
            passage = _with(passage, _evidence(trial, rollout, trial.weight, draft.at))
    elif detail["phase"] != "Successful":
        trial = replace(trial, doubts=trial.doubts | {analysis})
    return replace(passage, trial=trial)


def _has_passed(detail: Mapping[str, Any], *, promoting: bool) -> bool:
    """Say whether a run is evidence for a version.

    One without an end is ended when its version is promoted, which is not before it measured something good.
    """
    if detail["phase"] != "Successful":
        return False
    if detail["evidence"] == "pass":
        return True
    metrics = detail.get("metrics") or ()
    good = bool(metrics) and all(each["successful"] > 0 for each in metrics)
    return promoting and detail["type"] == "Background" and good


def _promoted(passage: Passage, rollout: Key, draft: Draft) -> Passage:
    """Take in that a version is the stable one."""
    artifact, trial = str(draft.detail["hash"]), passage.trial
    passage = replace(passage, stable=artifact, trial=None)
    if trial is None or trial.artifact != artifact or not trial.passed:
        return passage
    return _with(passage, _evidence(trial, rollout, 100, draft.at))


def _evidence(trial: Trial, rollout: Key, weight: int, at: float) -> Evidence:
    return Evidence(rollout, trial.artifact, trial.revision, weight, trial.runs, at)


def _with(passage: Passage, found: Evidence) -> Passage:
    """Remember what passed, in the place of what the same artifact passed with a smaller share of the users."""
    known = next((each for each in passage.evidence if each.artifact == found.artifact), None)
    if known is not None and known.weight >= found.weight:
        return passage
    others = [each for each in passage.evidence if each.artifact != found.artifact]
    old = [each for each in others if each.artifact != passage.stable]
    gone = {each.artifact for each in old[: max(0, len(others) + 1 - KEPT)]}
    return replace(passage, evidence=(*(each for each in others if each.artifact not in gone), found))
