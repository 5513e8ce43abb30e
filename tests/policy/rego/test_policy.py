"""What callers may rely on: the ways to ask, one evaluation as good as the next, threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy.rego.programs import DATA, INPUT, program

from davy.policy.rego import UNDEFINED, BadRego, Context, EvaluationError, Limits, OverBudget, compile
from davy.policy.rego.values import RegoSet

SEED = """package k8s.guardrails

violation[{"msg": msg}] {
  input.review.object.kind == "Deployment"
  input.review.object.metadata.namespace == "prod"
  msg := sprintf("Deployment %v: use a Rollout", [input.review.object.metadata.name])
}
"""
DEPLOYMENT = {
    "review": {"object": {"kind": "Deployment", "metadata": {"namespace": "prod", "name": "payments"}}}
}


def answer(text: str) -> object:
    try:
        return compile({"m.rego": text}, "v1").query("data.a", INPUT, DATA)
    except (BadRego, EvaluationError) as error:
        return str(error)


@given(st.integers(0, 2**32))
def test_a_program_always_says_the_same(seed: int) -> None:
    text = program(seed)
    assert answer(text) == answer(text)


@given(st.integers(0, 2**32))
def test_no_question_changes_what_it_is_asked_about(seed: int) -> None:
    before = repr((INPUT, DATA))
    answer(program(seed))
    assert repr((INPUT, DATA)) == before


def test_a_template_runs_as_gatekeeper_writes_it() -> None:
    policy = compile({"template": SEED})
    want = [{"msg": "Deployment payments: use a Rollout"}]
    assert policy.query("k8s.guardrails.violation", DEPLOYMENT) == want
    assert policy.query("data.k8s.guardrails", DEPLOYMENT) == {"violation": want}
    assert policy.query("count(data.k8s.guardrails.violation)", DEPLOYMENT) == 1
    assert policy.query("data.k8s.guardrails.nope", DEPLOYMENT) is UNDEFINED
    found = policy.rule("k8s.guardrails.violation")(DEPLOYMENT)
    assert isinstance(found, RegoSet)
    assert list(found) == want


def test_texts_may_come_in_a_list_or_alone() -> None:
    assert compile("package a\np = 1").query("a.p") == 1
    assert compile(["package a\np = data.b.q", "package b\nq = 2"]).query("a.p") == 2


def test_a_document_that_no_rule_makes_cannot_be_prepared() -> None:
    policy = compile("package a\np = 1\nf(x) = x")
    for path in ("a.q", "a", "a.f", "a.p.q"):
        with pytest.raises(BadRego):
            policy.rule(path)


def test_a_query_has_values_and_bindings() -> None:
    policy = compile("package a\np = 1")
    answers = policy.ask("x := [1, 2][_]; y = x + data.a.p")
    assert [found.bindings for found in answers] == [{"x": 1, "y": 2}, {"x": 2, "y": 3}]
    assert policy.ask("1 == 2")[0].expressions == (False,)
    assert not policy.ask("1 == 2; true")


def test_a_query_may_put_other_things_in_place() -> None:
    policy = compile("package a\np = count(input.x)\nq = p")
    assert policy.query("data.a.q with input.x as [1, 2]") == 2
    assert policy.query("data.a.q with count as 7", {"x": []}) == 7
    assert policy.query("data.a.q", {"x": []}) == 0


def test_what_is_printed_is_kept() -> None:
    context = Context()
    policy = compile({"m": 'package a\np if { print("x is", input.x, input.nope) }'}, "v1")
    assert policy.query("a.p", {"x": [1]}, context=context) is True
    assert context.printed == ["x is [1] <undefined>"]


def test_threads_do_not_meet() -> None:
    policy = compile("package a\np[x] { x := input.x[_] }\nq = count(p)")
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda size: policy.query("a.q", {"x": list(range(size))}), range(200))
        assert list(found) == list(range(200))


@pytest.mark.parametrize(
    "body",
    [
        "count([1 | input.x[_]; input.x[_]; input.x[_]; input.x[_]; input.x[_]]) > 0",
        "numbers.range(1, 1000000000000)[_] == 0",
        "count(numbers.range(1, 900000)) > 0; numbers.range(1, 900000)[_] == 0",
        "f5(1)",
    ],
)
def test_a_policy_that_takes_too_much_is_ended(body: str) -> None:
    doubling = "\n".join(
        f"f{at}(x) = [f{at - 1}(x), f{at - 1}(x), f{at - 1}(x), f{at - 1}(x)]" for at in range(1, 6)
    )
    text = f"package a\nf0(x) = [y | y = input.x[_]]\n{doubling}\np {{ {body} }}"
    policy = compile(text, limits=Limits(steps=20_000))
    with pytest.raises(OverBudget):
        policy.query("a.p", {"x": list(range(100))})


def test_a_text_cannot_double_for_ever() -> None:
    lines = "\n".join(f'x{at} := concat("", [x{at - 1}, x{at - 1}])' for at in range(1, 60))
    with pytest.raises(OverBudget):
        compile(f'package a\np {{ x0 := "0123456789"\n{lines} }}').query("a.p")


def test_deep_data_ends_an_evaluation_and_not_the_program() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    policy = compile("package a\np { input.x == input.y }\nq[x] { x := input.x }")
    other: list[object] = []
    for _ in range(100_000):
        other = [other]
    for path in ("a.p", "a.q"):
        with pytest.raises(OverBudget):
            policy.query(path, {"x": deep, "y": other})
    while deep:
        deep = deep.pop()  # type: ignore[assignment]
    while other:
        other = other.pop()  # type: ignore[assignment]
