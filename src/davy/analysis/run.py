"""An analysis run: several metrics measured side by side, and one verdict.

The algorithm is Argo Rollouts' (`analysis/analysis.go`): what is measured when, which metrics end a run and
what the run is then called. It is a value that is stored after every measurement; a loop that crashes anywhere
asks `due` again and goes on. What was asked and not answered before a crash is asked once more.

Beside Argo's phase a run has `evidence`. They differ where Argo is too kind: a run that was ended before its
metrics were done is Successful there, and not judged here.
"""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence

import msgspec

from davy.analysis.evidence import Evidence
from davy.analysis.metric import HISTORY, Measurement, MetricState, broken_limit, due_at, stop, take, why
from davy.analysis.phase import Phase
from davy.model.analysis import Metric, MetricProvider, SecretKeyRef
from davy.model.validate import validate_metrics

#: How metrics end, from best to worst (`utils/analysis/helpers.go`).
_SEVERITY = (Phase.SUCCESSFUL, Phase.INCONCLUSIVE, Phase.ERROR, Phase.FAILED)


class RunState(msgspec.Struct, frozen=True):
    """All that is remembered of a run.

    `terminated` says that somebody ended it. `completed_at` is None while it runs. `secrets` says where the
    arguments are kept that stand in the metrics still, since their values are read when measuring.
    """

    name: str
    started_at: float
    metrics: tuple[MetricState, ...] = ()
    phase: Phase = Phase.RUNNING
    message: str = ""
    terminated: bool = False
    completed_at: float | None = None
    secrets: Mapping[str, SecretKeyRef] = {}

    @property
    def completed(self) -> bool:
        """Whether nothing is measured any more."""
        return self.completed_at is not None

    @property
    def evidence(self) -> Evidence:
        """What the run shows about the new version; metrics in dry run show nothing."""
        if self.phase is Phase.FAILED:
            return Evidence.FAIL
        counted = [metric.evidence for metric in self.metrics if not metric.dry_run]
        passed = bool(counted) and all(evidence is Evidence.PASS for evidence in counted)
        return Evidence.PASS if self.phase is Phase.SUCCESSFUL and passed else Evidence.UNKNOWN


class Task(msgspec.Struct, frozen=True):
    """A question that is due: measure this metric by asking this provider."""

    metric: Metric

    @property
    def name(self) -> str:
        """The name of the metric."""
        return self.metric.name

    @property
    def provider(self) -> MetricProvider:
        """What to ask, and whom."""
        return self.metric.provider


class Summary(msgspec.Struct, frozen=True):
    """How many metrics there are and how those that are finished ended, as Argo counts them."""

    count: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0


def start(
    name: str,
    metrics: Sequence[Metric],
    dry_run: Collection[str] = (),
    retention: Mapping[str, int] = {},
    secrets: Mapping[str, SecretKeyRef] = {},
    *,
    now: float,
) -> RunState:
    """Begin a run of resolved metrics; one with metrics that Argo calls invalid ends in Error at once.

    Args:
        name: how the run is known.
        metrics: what to measure, arguments filled in.
        dry_run: names of the metrics that decide nothing.
        retention: how many measurements to keep of a metric; 10 where it says nothing.
        secrets: where the arguments are kept that are read when measuring.
        now: the clock's time.
    """
    if invalid := validate_metrics(metrics):
        return broken(name, f"Analysis spec invalid: {invalid}", now=now)
    states = tuple(
        MetricState(metric, dry_run=metric.name in dry_run, retention=retention.get(metric.name, HISTORY))
        for metric in metrics
    )
    return RunState(name, now, states, secrets=secrets)


def broken(name: str, message: str, *, now: float) -> RunState:
    """Make a run that could not even begin."""
    return RunState(name, now, phase=Phase.ERROR, message=message, completed_at=now)


def due(run: RunState, now: float) -> tuple[Task, ...]:
    """Say what to measure now.

    The answer is the same until it is recorded: whoever asks several questions at a time keeps track of those
    that are out.
    """
    return tuple(Task(metric.metric) for metric, at in _schedule(run) if at is not None and at <= now)


def next_due(run: RunState, *, without: Container[str] = ()) -> float | None:
    """Say when `due` has something next, None for never; metrics that are being asked already are left out."""
    times = [at for metric, at in _schedule(run) if at is not None and metric.name not in without]
    return min(times, default=None)


def record(run: RunState, metric_name: str, measurement: Measurement) -> RunState:
    """Take in a measurement and assess the run, as `record_all` does for several."""
    return record_all(run, {metric_name: measurement})


def record_all(run: RunState, measurements: Mapping[str, Measurement]) -> RunState:
    """Take in measurements by the names of their metrics, and assess the run.

    Hand over together what came in together: then the worst of it names the run, so that a failure is not
    hidden behind something inconclusive. What comes in for a metric that is finished already, since another
    one ended the run meanwhile, is dropped.
    """
    metrics = tuple(
        take(metric, measurements[metric.name])
        if metric.name in measurements and not metric.completed
        else metric
        for metric in run.metrics
    )
    latest = max((measurement.finished_at for measurement in measurements.values()), default=run.started_at)
    return _assess(msgspec.structs.replace(run, metrics=metrics), latest)


def terminate(run: RunState, now: float) -> RunState:
    """End a run; what is unfinished becomes Successful, and is no evidence."""
    if run.completed:
        return run
    return _assess(msgspec.structs.replace(run, terminated=True), now)


def run_summary(run: RunState) -> Summary:
    """Count the metrics that decide."""
    return _summary(metric for metric in run.metrics if not metric.dry_run)


def dry_run_summary(run: RunState) -> Summary:
    """Count the metrics in dry run."""
    return _summary(metric for metric in run.metrics if metric.dry_run)


def sentence(run: RunState) -> str:
    """Say in one sentence how the run stands and why: metric, value, limit, number of measurements."""
    taken = sum(metric.count for metric in run.metrics if not metric.dry_run)
    measured = f"{taken} measurement{'' if taken == 1 else 's'}"
    if not run.completed:
        return f"running, {measured} so far"
    if run.phase is not Phase.SUCCESSFUL:
        culprits = (metric for metric in run.metrics if not metric.dry_run and metric.phase is run.phase)
        return next((why(metric) for metric in culprits), run.message)
    if run.evidence is Evidence.PASS:
        return f"passed after {measured}"
    if all(metric.dry_run for metric in run.metrics):
        return "not judged: every metric is in dry run"
    return f"not judged: ended after {measured}, before its metrics were done"


def _schedule(run: RunState) -> list[tuple[MetricState, float | None]]:
    if run.completed:
        return []
    return [(metric, due_at(metric, run.started_at)) for metric in run.metrics]


def _assess(run: RunState, now: float) -> RunState:
    """Find out whether the run is over, and what it is called then."""
    if run.completed:
        return run
    if run.terminated or any(metric.completed and _counts_against(metric) for metric in run.metrics):
        run = msgspec.structs.replace(run, metrics=tuple(stop(metric) for metric in run.metrics))
    if not all(metric.completed for metric in run.metrics):
        return run
    phase, message = Phase.SUCCESSFUL, "Run Terminated" if run.terminated else ""
    for metric in run.metrics:
        if not metric.dry_run and _SEVERITY.index(metric.phase) > _SEVERITY.index(phase):
            phase, message = metric.phase, _message(metric) or message
    return msgspec.structs.replace(run, phase=phase, message=message, completed_at=now)


def _counts_against(metric: MetricState) -> bool:
    return metric.phase is not Phase.SUCCESSFUL and not metric.dry_run


def _message(metric: MetricState) -> str:
    """Say which limit a metric exceeded; empty where it ended badly without exceeding one."""
    limit = broken_limit(metric)
    if not limit:
        return ""
    text = f'Metric "{metric.name}" assessed {metric.phase} due to {limit[1]}'
    return f'{text}: "Error Message: {metric.message}"' if metric.message else text


def _summary(metrics: Iterable[MetricState]) -> Summary:
    """Count by broken limits alone, as Argo does: a metric that ran out of `count` was successful here."""
    counted = list(metrics)
    limits = [broken_limit(metric) for metric in counted if metric.completed and metric.measurements]
    phases = Counter(limit[0] if limit else Phase.SUCCESSFUL for limit in limits)
    return Summary(
        count=len(counted),
        successful=phases[Phase.SUCCESSFUL],
        failed=phases[Phase.FAILED],
        inconclusive=phases[Phase.INCONCLUSIVE],
        error=phases[Phase.ERROR],
    )
