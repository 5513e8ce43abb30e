"""One metric of an analysis run: its measurements, its counters, and what follows from them.

The rules are Argo Rollouts' own (`analysis/analysis.go`, `assessMetricStatus` and what it calls), message for
message. Beside its phase a metric says whether it was `judged`: one that is stopped before it is finished is
Successful for Argo, and no evidence for anybody.
"""

from collections.abc import Iterable, Mapping

import msgspec

from davy.analysis.condition import Assessment
from davy.analysis.evidence import Evidence
from davy.analysis.phase import Phase
from davy.analysis.provider import Answer, Judged
from davy.analysis.word import assessed
from davy.model.analysis import Metric
from davy.model.part import int_value

#: How many measurements of a metric are kept where `measurementRetention` says nothing.
HISTORY = 10
#: When to ask again after an error, and between measurements where no interval is given.
RETRY_S = 10.0
#: `consecutiveErrorLimit` where a metric says nothing: the fifth error in a row is one too many.
ERROR_LIMIT = 4


class Measurement(msgspec.Struct, frozen=True):
    """One answer and what the conditions make of it; `value` is the answer as Argo prints it."""

    started_at: float
    finished_at: float
    phase: Phase
    value: str = ""
    message: str = ""
    metadata: Mapping[str, str] = {}


class MetricState(msgspec.Struct, frozen=True):
    """A metric and what was measured of it so far.

    `judged` is false when a metric was ended by something else than its own measurements. Counters go on where
    the history was cut off.
    """

    metric: Metric
    dry_run: bool = False
    retention: int = HISTORY
    phase: Phase = Phase.PENDING
    message: str = ""
    judged: bool = True
    measurements: tuple[Measurement, ...] = ()
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0
    consecutive_error: int = 0
    consecutive_success: int = 0

    @property
    def name(self) -> str:
        """The name of the metric."""
        return self.metric.name

    @property
    def count(self) -> int:
        """How many measurements count towards `count`; errors do not."""
        return self.successful + self.failed + self.inconclusive

    @property
    def completed(self) -> bool:
        """Whether this metric is measured no more."""
        return self.phase not in (Phase.PENDING, Phase.RUNNING)

    @property
    def evidence(self) -> Evidence:
        """What this metric shows about the new version."""
        if self.phase is Phase.FAILED:
            return Evidence.FAIL
        return Evidence.PASS if self.phase is Phase.SUCCESSFUL and self.judged else Evidence.UNKNOWN


def judge(
    metric: Metric, answer: Answer | Judged, now: float, *, started_at: float | None = None
) -> Measurement:
    """Turn the answer of a provider into a measurement.

    Args:
        metric: whose conditions decide.
        answer: what the provider said.
        now: when it was said.
        started_at: when it was asked, if that was earlier.
    """
    if isinstance(answer, Judged):
        assessment = Assessment(answer.phase, answer.message)
    else:
        assessment = assessed(metric, answer.result, now)
    return Measurement(
        started_at=now if started_at is None else started_at,
        finished_at=now,
        phase=assessment.phase,
        value=answer.text,
        message=assessment.message,
        metadata=answer.metadata,
    )


def blind(error: Exception, now: float, *, started_at: float | None = None) -> Measurement:
    """Turn the failure of a provider into a measurement: nothing was seen, and that is all it says."""
    return Measurement(
        started_at=now if started_at is None else started_at,
        finished_at=now,
        phase=Phase.ERROR,
        message=str(error),
    )


def effective_count(metric: Metric) -> int | None:
    """Say after how many measurements a metric is done, None for never (Argo's `EffectiveCount`)."""
    count = int_value(metric.count)
    if count:
        return count
    return None if metric.interval else 1


def take(state: MetricState, measurement: Measurement) -> MetricState:
    """Count a measurement and assess the metric again."""
    good, bad = measurement.phase is Phase.SUCCESSFUL, measurement.phase is Phase.ERROR
    state = msgspec.structs.replace(
        state,
        measurements=(*state.measurements, measurement)[-state.retention :],
        successful=state.successful + good,
        failed=state.failed + (measurement.phase is Phase.FAILED),
        inconclusive=state.inconclusive + (measurement.phase is Phase.INCONCLUSIVE),
        error=state.error + bad,
        consecutive_error=state.consecutive_error + 1 if bad else 0,
        consecutive_success=state.consecutive_success + 1 if good else 0,
    )
    phase = _phase(state)
    message = measurement.message if phase is not state.phase else state.message
    return msgspec.structs.replace(state, phase=phase, message=message)


def stop(state: MetricState) -> MetricState:
    """End a metric before it is finished: Successful, as Argo has it, and not judged."""
    if state.completed:
        return state
    message = state.measurements[-1].message if state.measurements else ""
    return msgspec.structs.replace(state, phase=Phase.SUCCESSFUL, message=message, judged=False)


def replay(metric: Metric, phases: Iterable[Phase]) -> tuple[MetricState, ...]:
    """Show a metric after each of some measurements, for those who want to try limits out."""
    states = [MetricState(metric)]
    for phase in phases:
        states.append(take(states[-1], Measurement(0.0, 0.0, phase)))
    return tuple(states[1:])


def broken_limit(state: MetricState) -> tuple[Phase, str] | None:
    """Say which limit was exceeded, with Argo's words, or None.

    One measurement moves one counter and the first broken limit completes the metric, so the order in which
    Argo lets a later limit override an earlier one is never seen.
    """
    metric = state.metric
    failures = int_value(metric.failure_limit)
    inconclusives = int_value(metric.inconclusive_limit)
    errors = (
        ERROR_LIMIT if metric.consecutive_error_limit is None else int_value(metric.consecutive_error_limit)
    )
    if state.consecutive_error > errors:
        text = f"consecutiveErrors ({state.consecutive_error}) > consecutiveErrorLimit ({errors})"
        return Phase.ERROR, text
    if state.inconclusive > inconclusives:
        return Phase.INCONCLUSIVE, f"inconclusive ({state.inconclusive}) > inconclusiveLimit ({inconclusives})"
    if 0 <= failures < state.failed:
        return Phase.FAILED, f"failed ({state.failed}) > failureLimit ({failures})"
    return None


def due_at(state: MetricState, started_at: float) -> float | None:
    """Say when to measure next in a run that began at `started_at`, None for never.

    Argo waits for the first instant *after* an interval; here it is the instant itself, so that a clock that is
    set forward to it finds the question due.
    """
    if state.completed:
        return None
    if not state.measurements:
        return started_at + state.metric.initial_delay_s
    last = state.measurements[-1]
    interval = state.metric.interval_s
    wait = RETRY_S if last.phase is Phase.ERROR or interval is None else interval
    return last.finished_at + wait


def why(state: MetricState) -> str:
    """Say in one sentence why a metric ended badly: the last value, what it was held against, and the limit."""
    metric, last = state.metric, state.measurements[-1]
    measured = f"after {_taken(state)}"
    limit = broken_limit(state)
    if not limit:
        wanted = int_value(metric.consecutive_success_limit)
        return f"{metric.name}: {state.consecutive_success} of {wanted} successes in a row {measured}"
    match limit[0]:
        case _ if last.message and not last.value:
            held = last.message
        case Phase.FAILED if metric.failure_condition:
            held = f"{last.value} meets failureCondition {metric.failure_condition}"
        case Phase.FAILED if metric.success_condition:
            held = f"{last.value} does not meet successCondition {metric.success_condition}"
        case Phase.INCONCLUSIVE if metric.success_condition:
            held = f"{last.value} meets neither successCondition nor failureCondition"
        case _:
            held = last.message or last.value
    return f"{metric.name}: {held}: {limit[1]} {measured}"


def _phase(state: MetricState) -> Phase:
    """Assess a metric that has just been measured."""
    if broken := broken_limit(state):
        return broken[0]
    wanted = int_value(state.metric.consecutive_success_limit)
    if 0 < wanted <= state.consecutive_success:
        return Phase.SUCCESSFUL
    enough = effective_count(state.metric)
    if enough is None or state.count < enough:
        return Phase.RUNNING
    if wanted <= 0:
        return Phase.SUCCESSFUL
    return Phase.INCONCLUSIVE if int_value(state.metric.failure_limit) >= 0 else Phase.FAILED


def _taken(state: MetricState) -> str:
    """Write how many measurements were taken, errors included."""
    taken = state.count + state.error
    return f"{taken} measurement{'' if taken == 1 else 's'}"
