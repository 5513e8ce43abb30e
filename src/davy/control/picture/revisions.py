"""One revision as a view: its replicas, its experiments, and what was measured of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from davy.analysis.metric import MetricState, effective_count
from davy.analysis.run import sentence
from davy.analysis.tally import Tally
from davy.control import views
from davy.control.held import Held
from davy.control.runs import RunRecord, verdict
from davy.model.pod import PodTemplateSpec
from davy.rollout import experiment as experiments
from davy.rollout import plan
from davy.rollout.decision import RunKind, Verdict
from davy.rollout.parts import roles
from davy.rollout.platform import Pod, Seen
from davy.rollout.state import Aborted, Experiment, PauseReason, Revision, Side, Stepping

_EXPERIMENT = re.compile(r"-([0-9]+)(?:\.[0-9]+)?-")
"""What stands between the number of a revision and the name of an analysis: the step of an experiment."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a revision is drawn from."""

    held: Held
    seen: Seen
    counters: Mapping[str, Tally]
    runs: Sequence[RunRecord]
    now: float

    def share(self, hash_: str) -> int:
        """Return a version's share of the traffic in percent, as the data plane has acknowledged it."""
        weights = self.seen.weights or {}
        return round(100 * weights.get(hash_, 0) / (sum(weights.values()) or 1))

    def pods(self, hash_: str) -> tuple[views.PodView, ...]:
        """Draw the replicas of a version."""
        return tuple(_pod(pod, self.now) for pod in self.seen.pods if pod.hash == hash_)


def revision(sight: Sight, drawn: Revision) -> views.RevisionView:
    """Draw one revision with its replicas, experiments and analysis runs."""
    held, now = sight.held, sight.now
    counter = sight.counters.get(drawn.hash, Tally(0, 0))
    down = drawn.scale_down_at if drawn.replicas else None
    runs = [run for run in sight.runs if run.hash == drawn.hash]
    return views.RevisionView(
        number=drawn.number,
        hash=drawn.hash,
        status=_status(drawn.hash, drawn.replicas, sight.seen),
        roles=roles(held.manifest, held.state, drawn.hash),
        images=images_of(drawn.template),
        age_s=now - drawn.created_at,
        weight=sight.share(drawn.hash),
        requests=counter.requests,
        errors=counter.errors,
        pods=sight.pods(drawn.hash),
        runs=tuple(_run(run, now) for run in runs if run.kind != RunKind.EXPERIMENT),
        scale_down_in_s=None if down is None else max(0.0, down - now),
        experiments=_experiments(sight, drawn, [run for run in runs if run.kind == RunKind.EXPERIMENT]),
    )


def images_of(template: PodTemplateSpec) -> tuple[str, ...]:
    """Return the images of a version."""
    return tuple(container.image for container in template.spec.containers)


def _status(hash_: str, replicas: int, seen: Seen) -> str:
    """Say how a ReplicaSet is, in Argo's words."""
    counts = seen.count(hash_)
    if replicas == 0 and counts.created == 0:
        return "ScaledDown"
    if any(pod.hash == hash_ and pod.phase == "CrashLoopBackOff" for pod in seen.pods):
        return "Degraded"
    return "Healthy" if counts.available >= replicas == counts.created else "Progressing"


def _experiments(sight: Sight, drawn: Revision, runs: Sequence[RunRecord]) -> tuple[views.ExperimentView, ...]:
    """Draw the experiments of a revision: those that measured, and the last one while its sides run."""
    state = sight.held.state
    found = {_named(run): run.step or 0 for run in runs}
    begun = _begun(sight.held) if drawn.hash == state.current else {}
    latest = next(reversed(begun), "")
    if latest and state.sides:
        found[latest] = begun[latest]
    return tuple(
        _experiment(
            sight,
            name,
            step,
            [run for run in runs if _named(run) == name],
            state.sides if name == latest else (),
            passed=name in begun and step < _reached(sight.held),
        )
        for name, step in found.items()
    )


def _begun(held: Held) -> dict[str, int]:
    """List the experiments that the attempt under way has come to, by name with their step."""
    steps, state = plan.steps(held.manifest), held.state
    indexes = [index for index, step in enumerate(steps[: _reached(held) + 1]) if step.experiment is not None]
    return {experiments.name_of(held.manifest, state, index): index for index in indexes}


def _reached(held: Held) -> int:
    """Return the step that an update is on, or was on when it was aborted; all of them when it is done."""
    match held.state.progress:
        case Stepping(index=index) | Aborted(step=index):
            return index
        case _:
            return len(plan.steps(held.manifest))


def _named(run: RunRecord) -> str:
    """Return the name of the experiment that a run belongs to: it stands before the name of its analysis."""
    start = run.name.index(run.hash) + len(run.hash) + 1
    found = _EXPERIMENT.search(run.name, start)
    assert found is not None, f"{run.name} is no name of an experiment's run"
    return run.name[: found.end() - 1]


def _experiment(
    sight: Sight, name: str, step: int, runs: Sequence[RunRecord], sides: Sequence[Side], *, passed: bool
) -> views.ExperimentView:
    """Draw an experiment with its sides and what was measured of them."""
    now, progress = sight.now, sight.held.state.progress
    ends_at = None
    if isinstance(progress, Stepping) and progress.experiment is not None and progress.experiment.name == name:
        since, ends_at = progress.experiment.since, experiments.ends_at(sight.held.manifest, progress)
        status = _phase(progress, progress.experiment)
    else:
        hashes = [side.hash for side in sides]
        started = [pod.started_at for pod in sight.seen.pods if pod.hash in hashes]
        since = min([*started, *(run.state.started_at for run in runs)], default=now)
        status = _outcome(runs, passed=passed)
    return views.ExperimentView(
        name=name,
        status=status,
        step=step,
        age_s=now - since,
        sides=tuple(_side(sight, side) for side in sides),
        runs=tuple(_run(run, now) for run in runs),
        left_s=None if ends_at is None else max(0.0, ends_at - now),
    )


def _phase(progress: Stepping, experiment: Experiment) -> str:
    """Say how the experiment is that is under way."""
    if progress.pause is not None and progress.pause.reason == PauseReason.INCONCLUSIVE_EXPERIMENT:
        return "Inconclusive"
    return "Pending" if experiment.available_at is None else "Running"


def _outcome(runs: Sequence[RunRecord], *, passed: bool) -> str:
    """Say how an experiment ended; one that was ended before it had shown anything is no success."""
    verdicts = {verdict(run.state) for run in runs}
    if passed or verdicts == {Verdict.PASSED}:
        return "Successful"
    return "Failed" if Verdict.FAILED in verdicts else "Error" if Verdict.ERROR in verdicts else "Inconclusive"


def _side(sight: Sight, side: Side) -> views.SideView:
    counter = sight.counters.get(side.hash, Tally(0, 0))
    down = side.scale_down_at
    return views.SideView(
        name=side.name,
        hash=side.hash,
        of=side.of,
        status=_status(side.hash, side.replicas, sight.seen),
        images=images_of(side.template),
        weight=sight.share(side.hash),
        requests=counter.requests,
        errors=counter.errors,
        pods=sight.pods(side.hash),
        scale_down_in_s=None if down is None else max(0.0, down - sight.now),
    )


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
