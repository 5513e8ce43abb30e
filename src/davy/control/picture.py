"""Draw what is held: from state and what is seen to the views that people get."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from davy.analysis import guard
from davy.analysis.metric import MetricState, effective_count
from davy.analysis.promql.result import Matrix, Result, Scalar, String, Vector
from davy.analysis.run import sentence
from davy.analysis.tally import Tally
from davy.control import views
from davy.control.held import Held
from davy.control.runs import RunRecord, verdict
from davy.ledger.entry import Entry
from davy.rollout import plan as plans
from davy.rollout.decision import Verdict
from davy.rollout.platform import Pod, Seen
from davy.rollout.state import (
    Aborted,
    Initial,
    Previewing,
    Promoting,
    Revision,
    RolloutState,
    Settled,
    Stepping,
    Verifying,
    pause_of,
)
from davy.rollout.status import RolloutPhase, count, status

KEY_KINDS = {
    "change_exposed",
    "change_promoted",
    "change_rolled_back",
    "change_aborted_unexposed",
    "change_superseded",
    "analysis_finished",
    "human_action",
    "update_started",
    "paused",
}
"""The entries that explain how a rollout came to be as it is."""


def rollout(
    held: Held, seen: Seen, counters: Mapping[str, Tally], runs: Sequence[RunRecord], now: float
) -> views.RolloutView:
    """Draw one rollout."""
    manifest, state = held.manifest, held.state
    how, numbers = status(manifest, state, seen), count(manifest, state, seen)
    pause = pause_of(state.progress)
    left = None if pause is None or pause.duration_s is None else max(0.0, pause.since + pause.duration_s - now)
    return views.RolloutView(
        namespace=held.key.namespace,
        name=held.key.name,
        status=how.phase,
        message=how.message,
        strategy="Canary" if plans.blue_green(manifest) is None else "BlueGreen",
        step=_step(state, len(plans.steps(manifest))),
        steps=_steps(held),
        set_weight=_set_weight(held),
        actual_weight=_actual_weight(held, seen),
        images=_images(state, seen),
        replicas=views.ReplicaNumbers(**msgspec.structs.asdict(numbers)),
        revisions=tuple(
            _revision(held, revision, seen, counters, runs, now)
            for revision in sorted(state.revisions, key=lambda revision: -revision.number)
        ),
        guard=_guard(held),
        url=f"http://127.0.0.1:{seen.port}/" if seen.port else "",
        paused_for_s=None if pause is None else now - pause.since,
        pause_left_s=left,
        age_s=now - min(revision.created_at for revision in state.revisions),
        trouble=held.trouble or seen.trouble,
    )


def why(held: Held, view: views.RolloutView, entries: Sequence[Entry]) -> views.WhyView:
    """Say in one sentence why a rollout is as it is, and what that rests on."""
    latest = [entry for entry in entries if entry.kind in KEY_KINDS][-8:]
    runs = view.revisions[0].runs
    evidence = [_sentence_of(metric) for run in runs for metric in run.metrics]
    if view.guard:
        evidence.append(view.guard.sentence)
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
    number, image = state.newest.number, ", ".join(_of(state.newest))
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
            what = view.steps[index].what if index < len(view.steps) else "the end of its steps"
            waits = f" and waits: {view.message}" if view.status == RolloutPhase.PAUSED else ""
            where = f"at {view.actual_weight or 0} %, on step {index + 1}/{len(view.steps)} ({what})"
            return f"{name} revision {number} ({image}) is {where}{waits}"


def _blame(progress: Aborted, view: views.RolloutView, entries: Sequence[Entry]) -> str:
    """Say what an abort rests on: the evidence itself where there is any, or who asked for it and why."""
    failed = [run for run in view.revisions[0].runs if run.verdict in (Verdict.FAILED, Verdict.ERROR)]
    if not progress.cause:
        asked = [
            entry for entry in entries if entry.kind == "human_action" and entry.detail.get("action") == "abort"
        ]
        return f" by {asked[-1].actor}: {asked[-1].reason}" if asked else ""
    if failed and "analysis phase error/failed" in progress.cause:
        return f": {failed[-1].sentence}"
    return f": {progress.cause}"


def manifest(held: Held, seen: Seen) -> views.ManifestView:
    """Show a manifest with its status, as the Kubernetes API would return it."""
    state, how = held.state, status(held.manifest, held.state, seen)
    numbers = count(held.manifest, state, seen)
    name = {"apiVersion": held.manifest.api_version, "kind": held.manifest.kind}
    body = {**name, **msgspec.to_builtins(held.manifest)}
    weight = (seen.weights or {}).get(state.current, 0)
    body["status"] = {
        "abort": isinstance(state.progress, Aborted),
        "currentPodHash": state.current,
        "stableRS": state.stable,
        "currentStepHash": state.steps_hash,
        "currentStepIndex": _step(state, len(plans.steps(held.manifest))),
        "phase": how.phase,
        "message": how.message,
        "replicas": numbers.current,
        "updatedReplicas": numbers.updated,
        "readyReplicas": numbers.ready,
        "availableReplicas": numbers.available,
        "pauseConditions": _pauses(state),
        "conditions": [
            {"type": c.type, "status": str(c.status), "reason": c.reason, "message": c.message}
            for c in state.conditions
        ],
        "canary": {"weights": {"canary": {"podTemplateHash": state.current, "weight": weight}}},
    }
    return views.ManifestView(manifest=body)


def _step(state: RolloutState, total: int) -> int | None:
    """Return the step index as Argo counts it: 0 after an abort, all of them when done."""
    if not total:
        return None
    match state.progress:
        case Stepping(index=index):
            return index
        case Aborted():
            return 0
        case _:
            return total


def _steps(held: Held) -> tuple[views.StepView, ...]:
    """List the plan, and how far the update has come in it."""
    plan, progress = plans.steps(held.manifest), held.state.progress
    if isinstance(progress, Stepping):
        reached, at = progress.index, "paused" if progress.pause else "active"
    elif isinstance(progress, Aborted):
        reached, at = progress.step, "aborted"
    else:
        reached, at = len(plan), "done"
    states = ["done" if i < reached else at if i == reached else "pending" for i in range(len(plan))]
    return tuple(views.StepView(plans.describe(step), state) for step, state in zip(plan, states, strict=True))


def _set_weight(held: Held) -> int | None:
    """Return the weight that the plan asks for now."""
    match held.state.progress:
        case Stepping(index=index):
            return plans.set_weight(held.manifest, index)
        case Aborted():
            return 0
        case _:
            return plans.full_weight(held.manifest)


def _actual_weight(held: Held, seen: Seen) -> int | None:
    """Return the share that the data plane has acknowledged."""
    if isinstance(held.state.progress, Settled):
        return plans.full_weight(held.manifest)
    weights = seen.weights or {}
    total = sum(weights.values())
    whole = plans.full_weight(held.manifest)
    return round(weights.get(held.state.current, 0) * whole / total) if total else 0


def _roles(state: RolloutState, hash_: str) -> tuple[str, ...]:
    """Say which parts a revision plays; a settled one is only stable."""
    if hash_ == state.stable:
        return ("stable",)
    return ("canary",) if hash_ == state.current else ()


def _images(state: RolloutState, seen: Seen) -> tuple[views.Image, ...]:
    """List the images that run or are about to, newest first."""
    running = {pod.hash for pod in seen.pods}
    found: dict[str, tuple[str, ...]] = {}
    for revision in sorted(state.revisions, key=lambda revision: -revision.number):
        if revision.hash in running or revision.hash in (state.current, state.stable):
            for image in _of(revision):
                found[image] = (*found.get(image, ()), *_roles(state, revision.hash))
    return tuple(views.Image(image, tuple(dict.fromkeys(roles))) for image, roles in found.items())


def _of(revision: Revision) -> tuple[str, ...]:
    """Return the images of a revision."""
    return tuple(container.image for container in revision.template.spec.containers)


def _revision(
    held: Held,
    revision: Revision,
    seen: Seen,
    counters: Mapping[str, Tally],
    runs: Iterable[RunRecord],
    now: float,
) -> views.RevisionView:
    """Draw one revision with its replicas and analysis runs."""
    state, counter = held.state, counters.get(revision.hash, Tally(0, 0))
    weights = seen.weights or {}
    total = sum(weights.values()) or 1
    down = revision.scale_down_at if revision.replicas else None
    return views.RevisionView(
        number=revision.number,
        hash=revision.hash,
        status=_revision_status(revision, seen),
        roles=_roles(state, revision.hash),
        images=_of(revision),
        age_s=now - revision.created_at,
        weight=round(100 * weights.get(revision.hash, 0) / total),
        requests=counter.requests,
        errors=counter.errors,
        pods=tuple(_pod(pod, now) for pod in seen.pods if pod.hash == revision.hash),
        runs=tuple(_run(run, now) for run in runs if run.hash == revision.hash),
        scale_down_in_s=None if down is None else max(0.0, down - now),
    )


def _revision_status(revision: Revision, seen: Seen) -> str:
    """Say how a ReplicaSet is, in Argo's words."""
    counts = seen.count(revision.hash)
    if revision.replicas == 0 and counts.created == 0:
        return "ScaledDown"
    if any(pod.hash == revision.hash and pod.phase == "CrashLoopBackOff" for pod in seen.pods):
        return "Degraded"
    return "Healthy" if counts.available >= revision.replicas == counts.created else "Progressing"


def _pod(pod: Pod, now: float) -> views.PodView:
    return views.PodView(
        name=pod.name,
        status=pod.phase,
        ready=pod.ready,
        restarts=pod.restarts,
        age_s=now - pod.started_at,
        port=pod.port,
        message=pod.message,
    )


def _run(run: RunRecord, now: float) -> views.RunView:
    """Draw an analysis run."""
    return views.RunView(
        name=run.name,
        type=run.kind,
        phase=run.state.phase,
        verdict=verdict(run.state),
        message=run.state.message,
        sentence=sentence(run.state),
        age_s=now - run.state.started_at,
        step=run.step,
        metrics=tuple(_metric(metric) for metric in run.state.metrics),
    )


def _metric(metric: MetricState) -> views.MeasurementView:
    """Draw what was measured of one metric."""
    last = metric.measurements[-1] if metric.measurements else None
    success, failure = metric.metric.success_condition, metric.metric.failure_condition
    limit = f"failure when {failure}" if failure else f"success when {success}" if success else "none"
    return views.MeasurementView(
        metric=metric.name,
        phase=metric.phase,
        value=last.value if last else "",
        limit=limit,
        successful=metric.successful,
        failed=metric.failed,
        inconclusive=metric.inconclusive,
        errors=metric.error,
        count=effective_count(metric.metric),
        message=(last.message if last else "") or metric.message,
        source=(last.metadata if last else {}).get("source", ""),
    )


def _sentence_of(metric: views.MeasurementView) -> str:
    """Say what was measured: metric, value, limit, number of measurements."""
    taken = metric.successful + metric.failed + metric.inconclusive + metric.errors
    return (
        f"{metric.metric}: {metric.value or metric.message} ({metric.phase}), limit {metric.limit}, n={taken}"
    )


def _guard(held: Held) -> views.GuardView | None:
    """Draw the guard while it watches."""
    if held.watch is None:
        return None
    found = guard.verdict(held.watch.guard)
    return views.GuardView(
        sentence=found.sentence,
        evidence=round(found.log10_evidence, 2),
        needed=round(found.needed, 2),
        canary_requests=found.canary.requests,
        canary_errors=found.canary.errors,
        stable_requests=found.stable.requests,
        stable_errors=found.stable.errors,
        alarm=found.abort,
    )


def _pauses(state: RolloutState) -> list[dict[str, object]]:
    """List the pause conditions as Argo's status has them."""
    pause = pause_of(state.progress)
    return [{"reason": pause.reason, "startTime": pause.since}] if pause else []


def query(result: Result) -> views.QueryView:
    """Show what a query evaluates to; of a matrix, the last value of each series."""
    match result:
        case Scalar(value=value):
            return views.QueryView(result_type="scalar", samples=(views.SampleView({}, f"{value:g}"),))
        case String(value=text):
            return views.QueryView(result_type="string", samples=(views.SampleView({}, text),))
        case Vector(samples=samples):
            found = tuple(views.SampleView(dict(sample.labels), f"{sample.value:g}") for sample in samples)
            return views.QueryView(result_type="vector", samples=found)
        case Matrix(series=series):
            found = tuple(views.SampleView(dict(points.labels), f"{points.values[-1]:g}") for points in series)
            return views.QueryView(result_type="matrix", samples=found)
