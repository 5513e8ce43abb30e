"""One metric, held to what Argo Rollouts' own functions answered."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from davy.analysis.evidence import Evidence
from davy.analysis.metric import (
    Measurement,
    MetricState,
    blind,
    broken_limit,
    due_at,
    judge,
    replay,
    stop,
    take,
    why,
)
from davy.analysis.phase import Phase
from davy.analysis.provider import Answer, Judged, ProviderError
from davy.model.analysis import Metric
from davy.model.validate import validate_metrics

# 600 configurations and measurements, answered by argoproj/argo-rollouts (Apache-2.0, snapshot of 2026-08-17).
CASES = json.loads((Path(__file__).parents[1] / "cases" / "argo_metric_assessment.json").read_text())
PHASES = {"S": Phase.SUCCESSFUL, "F": Phase.FAILED, "I": Phase.INCONCLUSIVE, "E": Phase.ERROR}


def metric(**fields: Any) -> Metric:
    return msgspec.convert({"name": "m", "provider": {"prometheus": {"query": "up"}}} | fields, Metric)


def after(letters: str, **fields: Any) -> MetricState:
    return replay(metric(**fields), [PHASES[letter] for letter in letters])[-1]


@pytest.mark.parametrize("first", range(0, len(CASES), 60))
def test_phases_and_messages_are_those_of_argo(first: int) -> None:
    for case in CASES[first : first + 60]:
        states = replay(metric(**case["config"]), [PHASES[letter] for letter in case["measurements"]])
        limit = broken_limit(states[-1])
        assert [state.phase for state in states] == case["metric_phase_after_each"], case
        assert (limit[1] if limit else "") == case.get("message", ""), case
        assert stop(states[-1]).phase == case["phase_if_terminated_after_last"], case


@pytest.mark.parametrize("first", range(0, len(CASES), 60))
def test_what_argo_calls_invalid_is_invalid(first: int) -> None:
    for case in CASES[first : first + 60]:
        complaint = case.get("validate_error")
        expected = f"metrics[0]: {complaint}" if complaint else ""
        assert validate_metrics([metric(**case["config"])]) == expected, case


def test_a_metric_that_is_stopped_early_is_no_evidence() -> None:
    stopped = stop(after("SSS", interval="10s"))
    assert (stopped.phase, stopped.evidence) == (Phase.SUCCESSFUL, Evidence.UNKNOWN)
    assert stop(MetricState(metric())).evidence is Evidence.UNKNOWN
    done = after("SSS", interval="10s", count=3)
    assert stop(done) is done
    assert done.evidence is Evidence.PASS


@pytest.mark.parametrize(
    ("letters", "evidence"),
    [("S", Evidence.PASS), ("F", Evidence.FAIL), ("I", Evidence.UNKNOWN), ("E", Evidence.UNKNOWN)],
)
def test_only_success_passes_and_only_failure_fails(letters: str, evidence: Evidence) -> None:
    assert after(letters).evidence is evidence


def test_history_is_bounded_and_counters_go_on() -> None:
    state = after("S" * 25, interval="1s")
    assert len(state.measurements) == 10
    assert (state.count, state.consecutive_success) == (25, 25)
    wide = MetricState(metric(interval="1s"), retention=12)
    for at in range(25):
        wide = take(wide, Measurement(at, at, Phase.SUCCESSFUL))
    assert [measurement.started_at for measurement in wide.measurements] == list(range(13, 25))


def test_a_message_is_kept_from_the_measurement_that_changed_the_phase() -> None:
    state = MetricState(metric(interval="1s", failureLimit=1))
    for number, phase in enumerate((Phase.SUCCESSFUL, Phase.FAILED, Phase.FAILED)):
        state = take(state, Measurement(0.0, 0.0, phase, message=f"message {number}"))
        assert state.message == ("message 2" if state.completed else "message 0")


def test_the_next_measurement() -> None:
    assert due_at(MetricState(metric(initialDelay="1m")), 100.0) == 160.0
    assert due_at(MetricState(metric()), 100.0) == 100.0
    assert due_at(after("S", interval="30s"), 100.0) == 30.0
    assert due_at(after("E", interval="5m"), 100.0) == 10.0
    assert due_at(after("E"), 100.0) == 10.0
    assert due_at(after("I", count=2, inconclusiveLimit=1), 100.0) == 10.0
    assert due_at(after("S"), 100.0) is None


def test_an_answer_becomes_a_measurement() -> None:
    limit = metric(successCondition="result[0] <= 0.02", failureCondition="result[0] > 0.02")
    answer = Answer((0.078,), "[0.078]", {"ResolvedPrometheusQuery": "up"})
    assert judge(limit, answer, 5.0, started_at=4.0) == Measurement(
        4.0, 5.0, Phase.FAILED, "[0.078]", metadata={"ResolvedPrometheusQuery": "up"}
    )
    assert judge(limit, Answer((0.01,), "[0.01]"), 5.0).phase is Phase.SUCCESSFUL
    assert judge(limit, Answer((float("nan"),), "[NaN]"), 5.0).phase is Phase.INCONCLUSIVE
    empty = judge(limit, Answer((), "[]"), 5.0)
    assert (empty.phase, empty.started_at) == (Phase.ERROR, 5.0)
    assert "no data" in empty.message


def test_a_condition_may_ask_what_time_it_is() -> None:
    timed = metric(successCondition='now() > date("2020-01-01") && result < 1')
    assert judge(timed, Answer(0.5, "0.5"), 1_700_000_000.0).phase is Phase.SUCCESSFUL
    assert judge(timed, Answer(0.5, "0.5"), 5.0).phase is Phase.FAILED


def test_a_provider_that_cannot_be_asked_is_an_error_and_no_value() -> None:
    error = ProviderError("connection refused")
    assert blind(error, 5.0) == Measurement(5.0, 5.0, Phase.ERROR, message="connection refused")
    assert blind(error, 5.0, started_at=1.0).started_at == 1.0


CONDITIONS = {"successCondition": "result < 1", "failureCondition": "result > 2"}


@pytest.mark.parametrize(
    ("letters", "fields", "sentence"),
    [
        (
            "F",
            CONDITIONS,
            "m: 7 meets failureCondition result > 2: failed (1) > failureLimit (0) after 1 measurement",
        ),
        (
            "SF",
            {"successCondition": "result < 1", "interval": "1s"},
            "m: 7 does not meet successCondition result < 1: "
            "failed (1) > failureLimit (0) after 2 measurements",
        ),
        (
            "I",
            CONDITIONS,
            "m: 7 meets neither successCondition nor failureCondition: "
            "inconclusive (1) > inconclusiveLimit (0) after 1 measurement",
        ),
        ("F", {}, "m: no pods: failed (1) > failureLimit (0) after 1 measurement"),
        (
            "EEEEE",
            {},
            "m: no pods: consecutiveErrors (5) > consecutiveErrorLimit (4) after 5 measurements",
        ),
        (
            "SFS",
            {"count": 3, "interval": "1s", "failureLimit": 1, "consecutiveSuccessLimit": 2},
            "m: 1 of 2 successes in a row after 3 measurements",
        ),
    ],
)
def test_why_is_one_sentence(letters: str, fields: dict[str, Any], sentence: str) -> None:
    state = MetricState(metric(**fields))
    for letter in letters:
        state = take(state, Measurement(0.0, 0.0, PHASES[letter], value="7", message="no pods"))
    assert state.completed
    assert why(state) == sentence


@pytest.mark.parametrize("phase", [Phase.SUCCESSFUL, Phase.FAILED, Phase.INCONCLUSIVE])
def test_who_judges_itself_is_believed_whatever_the_conditions_say(phase: Phase) -> None:
    said = Judged(phase, "it exited with code 3", metadata={"job-name": "j"})
    found = judge(
        metric(successCondition="result > 1", failureCondition="nonsense("), said, 5.0, started_at=1.0
    )
    assert found == Measurement(1.0, 5.0, phase, "", "it exited with code 3", {"job-name": "j"})


def test_why_a_job_failed_is_what_it_said() -> None:
    state = take(
        MetricState(metric(failureCondition="result > 2")),
        Measurement(0.0, 0.0, Phase.FAILED, message="it exited with code 3"),
    )
    assert why(state) == "m: it exited with code 3: failed (1) > failureLimit (0) after 1 measurement"
