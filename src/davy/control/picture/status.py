"""A manifest with its status, as the Kubernetes API would return it from Argo's controller."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from davy.control import views
from davy.control.held import Held
from davy.control.picture.header import step
from davy.control.runs import RunRecord
from davy.rollout import plan
from davy.rollout.decision import RunKind, Word
from davy.rollout.parts import active_hash
from davy.rollout.platform import Seen
from davy.rollout.state import Aborted, Previewing, RolloutState, Settled, Stepping, Verifying, pause_of
from davy.rollout.status import count, status

Fields = dict[str, object]


def manifest(
    held: Held, seen: Seen, written: msgspec.Struct, runs: Sequence[RunRecord], word: Word | None = None
) -> views.ManifestView:
    """Show a manifest as it was `written`, with the status that Argo's types give it (`types.go`).

    `word` is the last that its judge said, where it has one.
    """
    rollout, state = held.manifest, held.state
    name = {"apiVersion": rollout.api_version, "kind": rollout.kind}
    own = [run for run in runs if run.hash == state.current]
    found: Fields = {**_common(held, seen, word)}
    if plan.blue_green(rollout) is None:
        found["canary"] = _canary(held, seen, own)
    else:
        found["blueGreen"] = _blue_green(held, own)
    body = {**name, **msgspec.to_builtins(written), "status": _without_nothing(found)}
    return views.ManifestView(manifest=body)


def _common(held: Held, seen: Seen, word: Word | None) -> Fields:
    """Return what the two strategies have in common."""
    rollout, state, progress = held.manifest, held.state, held.state.progress
    how, numbers = status(rollout, state, seen, word), count(rollout, state, seen)
    pause = pause_of(progress)
    return {
        "abort": isinstance(progress, Aborted),
        "abortedAt": _instant(progress.at) if isinstance(progress, Aborted) else None,
        "currentPodHash": state.current,
        "stableRS": state.stable,
        "currentStepHash": state.steps_hash,
        "currentStepIndex": step(state, len(plan.steps(rollout))),
        "phase": how.phase,
        "message": how.message,
        "replicas": numbers.current,
        "updatedReplicas": numbers.updated,
        "readyReplicas": numbers.ready,
        "availableReplicas": numbers.available,
        "controllerPause": pause is not None,
        "pauseConditions": [{"reason": pause.reason, "startTime": _instant(pause.since)}] if pause else [],
        "restartedAt": None if state.restarted_at is None else rollout.spec.restart_at,
        "conditions": [
            {
                "type": condition.type,
                "status": str(condition.status),
                "reason": condition.reason,
                "message": condition.message,
                "lastTransitionTime": _instant(condition.since),
            }
            for condition in state.conditions
        ],
    }


def _canary(held: Held, seen: Seen, runs: Sequence[RunRecord]) -> Fields:
    """Return the part of a canary: the split that the data plane has acknowledged, and what measures."""
    state, progress = held.state, held.state.progress
    on_step = progress if isinstance(progress, Stepping) else None
    return {
        "weights": _weights(held, seen) if plan.is_routed(held.manifest) else None,
        "currentStepAnalysisRunStatus": _run(runs, on_step.run) if on_step is not None else None,
        "currentBackgroundAnalysisRunStatus": _run(runs, state.background),
        "currentExperiment": on_step.experiment.name if on_step and on_step.experiment else None,
    }


def _weights(held: Held, seen: Seen) -> Fields:
    """Return the weights by destination; with a settled rollout, all of it is stable's."""
    state, strategy = held.state, plan.canary(held.manifest)
    served = {hash_: weight for hash_, weight in (seen.weights or {}).items() if weight}
    stable = state.stable or state.current
    canary = 0 if state.current == stable else served.get(state.current, 0)
    return {
        "canary": {
            "podTemplateHash": state.current,
            "serviceName": strategy.canary_service,
            "weight": canary,
        },
        "stable": {
            "podTemplateHash": stable,
            "serviceName": strategy.stable_service,
            "weight": served.get(stable, 0),
        },
        "additional": [
            {"podTemplateHash": side.hash, "serviceName": side.service, "weight": served[side.hash]}
            for side in state.sides
            if side.hash in served
        ],
        "verified": served == {hash_: weight for hash_, weight in state.weights.items() if weight},
    }


def _blue_green(held: Held, runs: Sequence[RunRecord]) -> Fields:
    """Return the part of blue/green: where the services lead, and what is or was measured around the switch."""
    state, strategy = held.state, plan.blue_green(held.manifest)
    assert strategy is not None
    return {
        "previewSelector": state.current if strategy.preview_service else None,
        "activeSelector": active_hash(state),
        "scaleUpPreviewCheckPoint": strategy.preview_replica_count is not None and _is_allowed(state),
        "prePromotionAnalysisRunStatus": _last(runs, RunKind.PRE_PROMOTION),
        "postPromotionAnalysisRunStatus": _last(runs, RunKind.POST_PROMOTION),
    }


def _is_allowed(state: RolloutState) -> bool:
    """Say whether the switch to the newest version was allowed, so that it got all of its replicas."""
    match state.progress:
        case Previewing(approved=approved):
            return bool(approved)
        case Verifying() | Settled():
            return True
        case _:
            return False


def _run(runs: Sequence[RunRecord], name: str) -> Fields | None:
    """Show an analysis run as Argo's RolloutAnalysisRunStatus, None if there is none of that name."""
    found = next((run for run in runs if run.name == name), None)
    if found is None:
        return None
    return _without_nothing(
        {"name": found.name, "status": found.state.phase, "message": found.state.message or None}
    )


def _last(runs: Sequence[RunRecord], kind: RunKind) -> Fields | None:
    """Show the newest run of a kind."""
    names = [run.name for run in runs if run.kind == kind]
    return _run(runs, names[-1]) if names else None


def _instant(seconds: float) -> str:
    """Write a time as Kubernetes does."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _without_nothing(fields: Fields) -> Fields:
    """Leave out what is not there, as Argo does."""
    kept = {name: value for name, value in fields.items() if value is not None}
    return {name: _without_nothing(value) if isinstance(value, dict) else value for name, value in kept.items()}
