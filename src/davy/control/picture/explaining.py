"""Why a rollout is as it is: one sentence, and what it rests on."""

from collections.abc import Sequence

from davy.control import views
from davy.control.held import Held
from davy.control.picture.judge import sentences
from davy.control.picture.revisions import images_of
from davy.ledger.entry import Entry
from davy.rollout.decision import Verdict
from davy.rollout.state import Aborted, Initial, Previewing, Promoting, Settled, Stepping, Verifying
from davy.rollout.status import RolloutPhase

KEY_KINDS = {
    "change_exposed",
    "change_promoted",
    "change_rolled_back",
    "change_aborted_unexposed",
    "change_superseded",
    "analysis_finished",
    "human_action",
    "update_started",
    "judge_awaited",
    "bake_started",
    "bake_doubted",
    "bake_cleared",
    "paused",
}
"""The entries that explain how a rollout came to be as it is."""


def why(held: Held, view: views.RolloutView, entries: Sequence[Entry]) -> views.WhyView:
    """Say in one sentence why a rollout is as it is, and what that rests on."""
    latest = [entry for entry in entries if entry.kind in KEY_KINDS][-8:]
    runs = view.revisions[0].all_runs
    evidence = [_sentence_of(metric) for run in runs for metric in run.metrics]
    if view.guard:
        evidence.append(view.guard.sentence)
    if view.judge:
        evidence += [view.judge.sentence, *sentences(view.judge.verdict)]
    if view.restart:
        evidence.append(f"a restart has replaced {view.restart.replaced} of {view.restart.of} replicas")
    if view.trouble:
        evidence.append(f"in the way: {view.trouble}")
    return views.WhyView(
        namespace=held.key.namespace,
        name=held.key.name,
        status=view.status,
        sentence=explain(held, view, entries),
        evidence=tuple(evidence),
        entries=tuple(latest),
    )


def explain(held: Held, view: views.RolloutView, entries: Sequence[Entry]) -> str:
    """Find the one sentence; it is the same wherever it is read."""
    state, name = held.state, held.key.name
    number, image = state.newest.number, ", ".join(images_of(state.newest.template))
    match state.progress:
        case Aborted(weight=weight):
            because = _blame(state.progress, view, entries)
            return f"{name} revision {number} ({image}) was aborted at {weight} %{because}"
        case Settled(reason=reason):
            return f"{name} revision {number} ({image}) has all the traffic: {reason}"
        case Initial():
            return f"{name} revision {number} ({image}) is the first version and is coming up: {view.message}"
        case Promoting(reason=reason):
            return f"{name} revision {number} ({image}) is taking all the traffic: {reason}"
        case Previewing():
            waits = f" and waits: {view.message}" if view.message else ""
            return f"{name} revision {number} ({image}) is a preview beside the active version{waits}"
        case Verifying():
            waits = f": {view.message}" if view.message else ""
            return f"{name} revision {number} ({image}) has all the traffic and is being verified{waits}"
        case Stepping(index=index):
            paused = view.status == RolloutPhase.PAUSED
            where = f"{name} revision {number} ({image}) is at {view.actual_weight or 0} %"
            if index < len(view.steps):
                waits = f" and waits: {view.message}" if paused else ""
                return f"{where}, on step {index + 1}/{len(view.steps)} ({view.steps[index].what}){waits}"
            waits = view.message if paused else "its background analysis has measured nothing good yet"
            return f"{where}, at the end of its steps, and waits: {waits}"


def _blame(progress: Aborted, view: views.RolloutView, entries: Sequence[Entry]) -> str:
    """Say what an abort rests on: the evidence itself where there is any, or who asked for it and why."""
    failed = [run for run in view.revisions[0].all_runs if run.verdict in (Verdict.FAILED, Verdict.ERROR)]
    if not progress.cause:
        asked = [
            entry for entry in entries if entry.kind == "human_action" and entry.detail.get("action") == "abort"
        ]
        return f" by {asked[-1].actor}: {asked[-1].reason}" if asked else ""
    if failed and "error/failed" in progress.cause:
        return f": {failed[-1].sentence}"
    return f": {progress.cause}"


def _sentence_of(metric: views.MeasurementView) -> str:
    """Say what was measured: metric, value, limit, number of measurements."""
    taken = metric.successful + metric.failed + metric.inconclusive + metric.errors
    return (
        f"{metric.metric}: {metric.value or metric.message} ({metric.phase}), limit {metric.limit}, n={taken}"
    )
