"""The stream: what happened in each tick goes in, what was counted since the beginning is judged."""

import msgspec
import pytest

from davy.analysis.judge import Judge, verdict
from davy.analysis.judge.lines import Line, begin, judge_for, tick, told


def line(text: str) -> Line:
    return msgspec.json.decode(text, type=Line)


def test_the_first_tick_counts_and_the_next_ones_add_to_it() -> None:
    first = line('{"t": 5, "weight": 0.05, "canary": {"n": 50, "err": 1}, "stable": {"n": 950}}')
    second = line('{"t": 10, "weight": 0.05, "canary": {"n": 60}, "stable": {"n": 940, "err": 2}}')
    state = tick(tick(begin(judge_for(first), first), first), second)
    answer = told(verdict(state, 10.0))
    assert answer["action"] == "continue"
    assert answer["metrics"] == {
        "error_ratio": {
            "log10": answer["evidence"]["log10"],
            "canary": (110, 1),
            "stable": (1890, 2),
            "phi": state.known["error_ratio"].dispersion.factor,
        }
    }
    assert answer["data"] == {"age_s": 0.0, "windows": 2, "state": "ok"}


def test_latency_is_judged_where_the_first_tick_has_a_histogram() -> None:
    plain = line('{"t": 5, "weight": 0, "stable": {"n": 3}}')
    timed = line(
        '{"t": 5, "weight": 0, "stable": {"n": 3, "hist": [1, 2]}, "canary": {"events": {"buy": [0, 0]}}}'
    )
    assert [metric.name for metric in judge_for(plain).metrics] == ["error_ratio"]
    assert judge_for(timed) == Judge()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"t": 1, "weight": 2}', "<= 1.0"),
        ('{"t": 1, "weight": 0, "canary": {"n": -1}}', ">= 0"),
        ('{"t": 1, "weight": 0, "canary": {"n": 1, "err": 2}}', "2 errors of 1 requests"),
        ('{"t": 1, "weight": 0, "canarry": {}}', "unknown field"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=complaint):
        line(text)
