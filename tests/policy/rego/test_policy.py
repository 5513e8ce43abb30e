"""What callers may rely on: the ways to ask, one evaluation as good as the next, threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.policy.rego.programs import DATA, INPUT, program

from davy.policy.rego import UNDEFINED, BadRego, Context, EvaluationError, Limits, OverBudget, compile
from davy.policy.rego.builtin import Builtin, BuiltinError
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


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_a_program_always_says_the_same(seed: int) -> None:
    text = program(seed)
    assert answer(text) == answer(text)


@settings(deadline=None)
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


V1 = {
    "an else of a key within an object": (
        'p[x] := 1 if x := "a"\np.b := 2 if false else := 3',
        {"a": 1, "b": 3},
    ),
    "arrays of other lengths": ("p := 1 if { x = 1; [x] = input.y }", UNDEFINED),
    "a float for an index": ("p := input.x[1.0]", 2),
    "no such key of a value in a package": ("p := data.lib[x].q.nope if x := input.k", UNDEFINED),
    "a key of what is no collection": ("p := data.lib[x].q.r.deep if x := input.k", UNDEFINED),
    "a package within a package": ("p := data.lib[x].in if x := input.k", {"q": 1}),
    "a key of a value in a package": ("p := [x | data.lib.u[y][x]]", ["q", "r"]),
    "a function in a function's place": ("f(x) := x\np := y if y := f([1, 2]) with f as count", 2),
    "a builtin that cannot answer in its place": ("f(x) := x\np := y if y := f(1) with f as count", UNDEFINED),
    "not so for one": ("f(x) := x\np if not f(1) with f as count", True),
    "a builtin with a context": (
        "f(x, y) := 1\np := y if y := f(1, 2) with f as data.a.g\ng(x, y) := x + y",
        3,
    ),
    "a constant": ("f(x) := x\np := y if y := f(1) with f as [input.k]", ["u"]),
    "a set of a collection": ("p if 1 in {1}", True),
    "an element of what is no collection": ("p if not 1 in input.k", True),
    "keys of objects within each other": (
        "p[x].y contains x if some x in [1, 2]",
        {"1": {"y": [1]}, "2": {"y": [2]}},
    ),
    "nothing to look through": ("p := [x | x := input.k[_]]", []),
    "nothing to look through with keys": ("p := {x | x := input.k[y]; y}", []),
    "a text with several values": ('p := $"{data.a.q[_]}"\nq contains 1\nq contains 2', None),
    "arrays of other lengths as they are written": ("p := 1 if { x = 1; [x] = [1, 2] }", UNDEFINED),
    "a text of what has several values": ('p := $"{walk([1, 2])[1]}"', UNDEFINED),
    "the time": ("p := x if x := q with time.now_ns as 5\nq := time.now_ns() + r\nr := 1", 6),
    "a place for the time": ("p := x if x := f() with f as time.now_ns\nf() := 1", 0),
    "what is in parentheses": ("p := [(1), (input.k), (count([1]))]", [1, "u", 1]),
    "walk of what is known": ("p if not walk([1], [[0], 2])", True),
    "nine steps": ("p := [y | some x in input.x; y := x]", [1, 2]),
    "keys that are objects": ('p := y if { {{"a": 1}: x, 1: y} = {{"a": 1}: 1, 1: x} }', 1),
}


@pytest.mark.parametrize("name", V1)
def test_what_is_seldom_written_works_too(name: str) -> None:
    text, want = V1[name]
    modules = {"m": f"package a\n{text}", "l": "package lib.u\nq.r := 1", "i": "package lib.u.in\nq := 1"}
    if want is None:
        with pytest.raises((BadRego, EvaluationError)):
            compile(modules, "v1").query("a.p", {"x": [1, 2], "k": "u", "y": [1, 2]})
        return
    found = compile(modules, "v1").query("a.p", {"x": [1, 2], "k": "u", "y": [1, 2]})
    assert found == want


@pytest.mark.parametrize(
    "text", ["f(x) := x\np if true with f as f2\nf2(x, y) := x", "p if true with walk as 1"]
)
def test_what_cannot_be_put_in_place_is_refused(text: str) -> None:
    with pytest.raises(BadRego):
        compile({"m": f"package a\n{text}"}, "v1")


@pytest.mark.parametrize("rest", ['p.a := 2\np[x].b := 1 if x := "a"', 'p.a := 2\np[x].b contains 1 if x := "a"',  # noqa: E501
                                  'p.a.b := 2\np[x].b contains 1 if x := "a"', "p[x] := y if { x := 1; y := input.x[_] }",  # noqa: E501
                                  'p[x] := 2 if x := "a"\np[x].b contains 1 if x := "a"',
                                  'p[x].b := 2 if x := "a"\np[x].b contains 1 if x := "a"'])  # fmt: skip
def test_objects_that_contradict_each_other_are_an_error(rest: str) -> None:
    with pytest.raises(EvaluationError, match="object keys must be unique"):
        compile({"m": f'package a\np[x] := 3 if x := "z"\n{rest}'}, "v1").query("a.p", {"x": [1, 2]})


def test_many_queries_may_be_asked() -> None:
    policy = compile("package a\np = 1")
    assert [policy.query(f"data.a.p + {at}") for at in range(200)] == list(range(1, 201))
    assert policy.ask("some x; x = 1")[0].bindings == {"x": 1}


def test_every_way_through_a_collection_is_counted() -> None:
    given = {"x": list(range(100))}
    for body in ("[y | some y in input.x]", "{k: 1 | input.x[k]}", "{y | y := input.x[_]}", "[y | walk(input.x, y)]",  # noqa: E501
                 "[x | data.a[x]; false]", "f(1)"):  # fmt: skip
        policy = compile(
            {"m": f"package b\nf(x) := x\np := {body}", "n": "package a\nq := 1"}, "v1", limits=Limits(0)
        )
        with pytest.raises(OverBudget):
            policy.query("b.p", given)


def test_what_a_builtin_finds_one_by_one_is_counted() -> None:
    def found(count: object) -> object:
        if count == 0:
            raise BuiltinError("none")
        for at in range(10):
            if at == count:
                raise BuiltinError("no more")
            yield at

    builtins = {"found": Builtin("found", 1, found, relation=True)}
    policy = compile("package a\np(c) = [x | found(c, x)]\nq = p(input)", builtins=builtins, limits=Limits(8))
    assert policy.query("a.q", 0) == []
    assert policy.query("a.q", 3) == [0, 1, 2]
    with pytest.raises(OverBudget):
        policy.query("a.q", 10)


def test_a_builtin_that_fails_in_python_ends_the_evaluation() -> None:
    def broken(*_: object) -> object:
        raise OverflowError("too large")

    builtins = {"broken": Builtin("broken", 1, broken)}
    with pytest.raises(EvaluationError, match="too large"):
        compile("package a\np = broken(1)", builtins=builtins).query("a.p")


def test_arithmetic_over_keys_is_dear() -> None:
    text = 'package a\np := [x | x := crypto.parse_private_keys("x")]\n'
    assert compile(text, "v1").query("data.a.p") == [[]]
    with pytest.raises(OverBudget):
        compile(text, "v1", limits=Limits(steps=10_000)).query("data.a.p")


def test_a_query_that_is_nested_too_deep_is_refused() -> None:
    policy = compile({"m.rego": "package a\np := 1\n"}, "v1")
    with pytest.raises(BadRego):
        policy.prepared(f"x := {'[' * 3000}{']' * 3000}")
    with pytest.raises(BadRego, match="too deep"):
        policy.prepared("x := " + " + ".join(["1"] * 20_000))


def test_what_is_no_text_is_no_document_to_read() -> None:
    policy = compile({"m.rego": "package a\np := json.is_valid(input.x)\n"}, "v1")
    assert policy.query("data.a.p", {"x": 1}) is False
