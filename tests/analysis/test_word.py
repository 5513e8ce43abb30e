"""What a metric makes of a judge's word: never a success without one."""

from hypothesis import given
from hypothesis import strategies as st

from davy.analysis.judge import Action
from davy.analysis.metric import judge
from davy.analysis.phase import Phase
from davy.analysis.probe import decides_itself, gives_numbers, gives_words
from davy.analysis.provider import Answer
from davy.analysis.word import PHASES, takes_the_word
from davy.model.analysis import Metric, MetricProvider

ASKING = Metric(name="word", provider=MetricProvider(plugin={"davy/judge": {}}))
BY_HAND = Metric(
    name="word",
    provider=MetricProvider(plugin={"davy/judge": {"judge": "strict"}}),
    success_condition='result.verdict == "advance"',
    failure_condition='result.verdict == "abort"',
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.sampled_from([*PHASES]),
    lambda below: st.lists(below) | st.dictionaries(st.text() | st.just("verdict"), below),
    max_leaves=5,
)


def phase(metric: Metric, result: object) -> Phase:
    return judge(metric, Answer(result, ""), 0.0).phase


def test_every_word_of_the_judge_has_its_phase() -> None:
    assert {word: phase(ASKING, {"verdict": word}) for word in Action} == {
        Action.CONTINUE: Phase.INCONCLUSIVE,
        Action.ADVANCE: Phase.SUCCESSFUL,
        Action.ABORT: Phase.FAILED,
        Action.HOLD: Phase.INCONCLUSIVE,
        Action.ROLLBACK: Phase.FAILED,
    }
    assert PHASES.keys() == set(Action)


def test_conditions_of_a_metrics_own_come_first() -> None:
    assert not takes_the_word(BY_HAND)
    found = {word: phase(BY_HAND, {"verdict": word}) for word in PHASES}
    assert found == {**PHASES, "rollback": Phase.INCONCLUSIVE}


@given(JSON)
def test_only_a_word_to_go_on_is_a_success(result: object) -> None:
    found = phase(ASKING, result)
    word = result.get("verdict") if isinstance(result, dict) else None
    assert (found is Phase.SUCCESSFUL) == (word == "advance")
    assert (found is Phase.ERROR) == (word not in list(PHASES))


def test_a_word_is_no_number() -> None:
    assert gives_words(ASKING.provider)
    assert not gives_numbers(ASKING.provider)
    assert not decides_itself(ASKING.provider)


def test_other_metrics_have_no_word_to_take() -> None:
    other = Metric(name="a", provider=MetricProvider(plugin={"a/b": {}}))
    assert not takes_the_word(other)
    assert phase(other, {"verdict": "abort"}) is Phase.SUCCESSFUL
