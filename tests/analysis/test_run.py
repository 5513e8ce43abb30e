"""A run of several metrics: what is asked when, how it ends, and what it is evidence of."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.analysis.evidence import Evidence
from davy.analysis.metric import Measurement
from davy.analysis.phase import Phase
from davy.analysis.run import (
    RunState,
    Summary,
    broken,
    dry_run_summary,
    due,
    next_due,
    record,
    record_all,
    run_summary,
    sentence,
    start,
    terminate,
)
from davy.model.analysis import Metric

GOOD, BAD, UNCLEAR, ERROR = Phase.SUCCESSFUL, Phase.FAILED, Phase.INCONCLUSIVE, Phase.ERROR


def metric(name: str, **fields: Any) -> Metric:
    return msgspec.convert({"name": name, "provider": {"prometheus": {"query": name}}} | fields, Metric)


ENDLESS = metric("endless", interval="10s")
THRICE = metric("thrice", interval="10s", count=3, failureLimit=1)
ONCE = metric("once")


def measured(run: RunState, name: str, phase: Phase, at: float = 0.0, **fields: Any) -> RunState:
    return record(run, name, Measurement(at, at, phase, **fields))


def names(run: RunState, now: float) -> list[str]:
    return [task.name for task in due(run, now)]


def test_a_run_asks_each_metric_at_its_time() -> None:
    run = start("r", [THRICE, metric("late", initialDelay="1m")], now=100.0)
    assert names(run, 100.0) == ["thrice"]
    assert due(run, 100.0)[0].provider.prometheus == THRICE.provider.prometheus
    run = measured(run, "thrice", GOOD, 101.0)
    assert names(run, 110.9) == []
    assert next_due(run) == 111.0
    assert names(run, 111.0) == ["thrice"]
    assert next_due(run) == 111.0
    assert names(run, 160.0) == ["thrice", "late"]


def test_an_error_is_asked_again_after_ten_seconds_whatever_the_interval() -> None:
    run = measured(start("r", [metric("m", interval="5m")], now=0.0), "m", ERROR, 1.0)
    assert next_due(run) == 11.0


def test_nothing_is_due_in_a_run_that_is_over() -> None:
    run = measured(start("r", [ONCE], now=0.0), "once", GOOD, 1.0)
    assert (run.completed_at, due(run, 99.0), next_due(run)) == (1.0, (), None)


def test_a_run_passes_when_every_metric_has() -> None:
    run = measured(start("r", [ONCE, THRICE], now=0.0), "once", GOOD)
    for _ in range(3):
        assert (run.phase, run.evidence) == (Phase.RUNNING, Evidence.UNKNOWN)
        run = measured(run, "thrice", GOOD)
    assert (run.phase, run.message, run.evidence) == (GOOD, "", Evidence.PASS)
    assert sentence(run) == "passed after 4 measurements"


def test_the_first_failure_ends_the_run_and_the_rest_is_not_judged() -> None:
    run = start("r", [ENDLESS, THRICE, metric("late", initialDelay="1h")], now=0.0)
    run = measured(measured(run, "endless", GOOD), "thrice", BAD)
    assert run.phase is Phase.RUNNING
    run = measured(run, "thrice", BAD, 20.0, value="[0.08]")
    assert (run.phase, run.evidence, run.completed_at) == (BAD, Evidence.FAIL, 20.0)
    assert run.message == 'Metric "thrice" assessed Failed due to failed (2) > failureLimit (1)'
    assert [state.phase for state in run.metrics] == [GOOD, BAD, GOOD]
    assert [state.judged for state in run.metrics] == [False, True, False]
    assert sentence(run) == "thrice: [0.08]: failed (2) > failureLimit (1) after 2 measurements"


def test_the_message_quotes_an_error() -> None:
    run = start("r", [metric("m", consecutiveErrorLimit=0)], now=0.0)
    run = measured(run, "m", ERROR, message="connection refused")
    assert run.message == (
        'Metric "m" assessed Error due to consecutiveErrors (1) > consecutiveErrorLimit (0): '
        '"Error Message: connection refused"'
    )
    assert run.evidence is Evidence.UNKNOWN


def test_the_worst_of_what_came_in_together_names_the_run() -> None:
    run = start("r", [metric(name, interval="1s", consecutiveErrorLimit=0) for name in "abc"], now=0.0)
    for phases in ((UNCLEAR, BAD, ERROR), (BAD, ERROR, UNCLEAR), (ERROR, UNCLEAR, BAD)):
        ended = record_all(
            run, {name: Measurement(1.0, 2.0, phase) for name, phase in zip("abc", phases, strict=True)}
        )
        assert (ended.phase, ended.evidence, ended.completed_at) == (BAD, Evidence.FAIL, 2.0)
        assert run_summary(ended) == Summary(count=3, failed=1, inconclusive=1, error=1)
    assert record_all(run, {}) == run


def test_what_comes_in_after_the_end_is_dropped() -> None:
    run = start("r", [metric("a", interval="1s"), metric("b", interval="1s")], now=0.0)
    ended = measured(run, "a", UNCLEAR)
    assert measured(ended, "b", BAD) == ended
    assert (ended.phase, ended.evidence) == (UNCLEAR, Evidence.UNKNOWN)


def test_a_metric_that_ran_out_of_count_is_inconclusive_and_counted_as_successful() -> None:
    limits = {"count": 3, "interval": "1s", "failureLimit": 1, "consecutiveSuccessLimit": 2}
    run = start("r", [metric("m", **limits)], now=0.0)
    for phase in (GOOD, BAD, GOOD):
        run = measured(run, "m", phase)
    assert (run.phase, run.message, run.evidence) == (UNCLEAR, "", Evidence.UNKNOWN)
    assert run_summary(run) == Summary(count=1, successful=1)
    assert sentence(run) == "m: 1 of 2 successes in a row after 3 measurements"


def test_a_terminated_run_is_successful_for_argo_and_not_judged() -> None:
    run = measured(start("r", [ENDLESS], now=0.0), "endless", GOOD)
    assert sentence(run) == "running, 1 measurement so far"
    ended = terminate(run, 33.0)
    assert (ended.phase, ended.message, ended.completed_at) == (GOOD, "Run Terminated", 33.0)
    assert ended.evidence is Evidence.UNKNOWN
    assert sentence(ended) == "not judged: ended after 1 measurement, before its metrics were done"
    assert terminate(ended, 44.0) is ended


def test_a_run_terminated_before_anything_was_measured_is_not_judged() -> None:
    ended = terminate(start("r", [ENDLESS, ONCE], now=0.0), 1.0)
    assert (ended.phase, ended.evidence) == (GOOD, Evidence.UNKNOWN)
    assert run_summary(ended) == Summary(count=2)


def test_dry_run_decides_nothing_and_is_waited_for() -> None:
    run = start("r", [ONCE, THRICE], ["thrice"], now=0.0)
    run = measured(measured(run, "once", GOOD), "thrice", BAD)
    assert run.phase is Phase.RUNNING
    run = measured(run, "thrice", BAD)
    assert (run.phase, run.evidence) == (GOOD, Evidence.PASS)
    assert run_summary(run) == Summary(count=1, successful=1)
    assert dry_run_summary(run) == Summary(count=1, failed=1)


def test_a_failure_in_dry_run_ends_nothing() -> None:
    run = measured(start("r", [ENDLESS, ONCE], ["once"], now=0.0), "once", BAD)
    assert (run.phase, run.completed_at) == (Phase.RUNNING, None)
    assert names(run, 0.0) == ["endless"]


def test_a_run_of_dry_runs_only_is_successful_and_no_evidence() -> None:
    run = measured(start("r", [ONCE], {"once"}, now=0.0), "once", BAD)
    assert (run.phase, run.evidence) == (GOOD, Evidence.UNKNOWN)
    assert sentence(run) == "not judged: every metric is in dry run"


def test_retention_says_how_many_measurements_are_kept() -> None:
    run = start("r", [ENDLESS], retention={"endless": 2}, now=0.0)
    for at in range(5):
        run = measured(run, "endless", GOOD, float(at))
    assert [measurement.started_at for measurement in run.metrics[0].measurements] == [3.0, 4.0]


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ([], "Analysis spec invalid: no metrics specified"),
        (
            [metric("m", count=2)],
            "Analysis spec invalid: metrics[0]: interval must be specified when count > 1",
        ),
    ],
)
def test_a_run_of_invalid_metrics_ends_in_error(metrics: list[Metric], message: str) -> None:
    run = start("r", metrics, now=7.0)
    assert (run.phase, run.message, run.evidence, run.completed_at) == (ERROR, message, Evidence.UNKNOWN, 7.0)
    assert sentence(run) == message


def test_a_run_that_could_not_begin_says_why() -> None:
    run = broken("r", "args.x was not resolved", now=1.0)
    assert (run.phase, sentence(run)) == (ERROR, "args.x was not resolved")


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["endless", "thrice", "once"]), st.sampled_from([GOOD, BAD, UNCLEAR, ERROR]))
    ),
    st.booleans(),
)
def test_promises_of_a_run(measurements: list[tuple[str, Phase]], end: bool) -> None:
    """Stored and resumed at every step: it stays over once it is over, and never passes on less than all."""
    run = start("r", [ENDLESS, THRICE, ONCE], now=0.0)
    for name, phase in measurements:
        later = msgspec.json.decode(msgspec.json.encode(measured(run, name, phase)), type=RunState)
        assert later == measured(run, name, phase)
        if run.completed:
            assert later == run
        run = later
    if end:
        run = terminate(run, 9.0)
    assert run.evidence is not Evidence.PASS, "one metric never ends by itself, so the run cannot have passed"
    assert run.completed == all(state.completed for state in run.metrics)
    assert (run.evidence is Evidence.FAIL) == (run.phase is BAD)
    if BAD not in (phase for _, phase in measurements):
        assert run.phase is not BAD
