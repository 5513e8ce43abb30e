"""Errors say where and what, in OPA's words where OPA has some."""

import pytest

from davy.errors import DavyError
from davy.policy.rego import BadRego, EvaluationError, RegoError, compile

BAD = {
    "p := 1 +": "m.rego:2:9: rego_parse_error: unexpected end of text",
    "p if { x := 1; x := 2 }": "m.rego:2:16: rego_compile_error: var x assigned above",
    "p if { x > 1 }": "m.rego:2:8: rego_unsafe_var_error: var x is unsafe",
    "p if not x": "m.rego:2:6: rego_unsafe_var_error: var x is unsafe",
    "p if { some x }": "m.rego:2:13: rego_compile_error: declared var x unused",
    "p := nosuch(1)": "m.rego:2:6: rego_type_error: undefined function nosuch",
    "p := count(1, 2, 3)": "m.rego:2:6: rego_type_error: count: arity mismatch: it takes 1 arguments, and gets 3",  # noqa: E501
    "p := q\n\nq := p": "m.rego:2:1: rego_recursion_error: rule data.a.p is recursive: data.a.p -> data.a.q -> data.a.p",  # noqa: E501
    "p { true }": "m.rego:2:1: rego_parse_error: `if` keyword is required before rule body",
    "p[1]": "m.rego:2:1: rego_parse_error: `contains` keyword is required for partial set rules",
    "p := 1\np contains 2": "m.rego:3:1: rego_type_error: conflicting rules data.a.p found",
    "input := 1": "m.rego:2:1: rego_compile_error: rules must not shadow input (use a different rule name)",
    "p := 'a'": 'm.rego:2:6: rego_parse_error: illegal token "\'"',
    'p := "a': "m.rego:2:6: rego_parse_error: non-terminated string",
    "p := `a": "m.rego:2:6: rego_parse_error: non-terminated raw string",
    "p := 01": "m.rego:2:6: rego_parse_error: illegal number format",
    'p := "\\q"': "m.rego:2:6: rego_parse_error: illegal string escape sequence",
    'p := $"{x': "m.rego:2:6: rego_parse_error: non-terminated template string",
    'p := $"{}"': "m.rego:2:6: rego_parse_error: invalid template string expression: it is empty",
    'p := $"{x}"': "m.rego:2:9: rego_compile_error: var x is undeclared",
    "p if { 1 := 2 }": "m.rego:2:8: rego_compile_error: cannot assign to number",
    "default p := input.x": "m.rego:2:1: rego_parse_error: illegal default rule (value cannot contain ref)",
    "p := opa.runtime()": "m.rego:2:6: rego_type_error: opa.runtime is refused: it tells the configuration and the "  # noqa: E501
    "environment of an OPA server, and here is none",
}


SENTENCES = {
    "p := 1" + "0" * 400: "too many digits",
    "p := 1e999": "too large",
    'p := $"a\\n': "non-terminated template",
    'p := $"{x @': "non-terminated template",
    'p := $"{1;2}"': "expected }",
    "p if { {x} := {1} }": "cannot assign to set",
    "p if { input.x := 1 }": "cannot assign to ref",
    "p if { [x | x = 1] := 1 }": "cannot assign to arraycomprehension",
    "f(x) := x\np if { true with input as f }": "cannot stand for a document",
    "import data[1]": "text in quotes",
    "import 1": "expected a path to import",
    "import foo.x": "must begin with one of",
    "import future.x": "unexpected import path",
    "import data.x as input": "must not be a reserved name",
    "p contains 1 := 2": "has no value",
    "[1]": "expected a rule",
    "default p := 1 if true": "cannot have a body",
    "default f(1) := 2": "have to be variables",
    "default f(x, x) := 2": "cannot be repeated",
    "default p := x": "cannot contain var",
    "default p := [{input: 1}]": "cannot contain ref",
    "default p := {f(1)}": "cannot contain call",
    "p[x] := 1 if { x := 1 } else := 2": "variables in head",
    "p contains 1 if true else := 2": "multi-value",
    "p := 1 if true else": "rule body expected",
    "p := 1 else := 2": "unexpected 'else'",
    "p if { not some x in [1] }": "unexpected",
    "p if { some x, y, z in [1] }": "expected `some x in xs`",
    "p if { some 1 }": "a variable to declare",
    "p if { every 1 in [1] { true } }": "expected a variable",
    "p if { true with 1 as 2 }": "a path after with",
    "p if { true with input[x] as 2 }": "a path of names",
    "p if { true with foo as 2 }": "must reference existing input, data, or a function",
    "p if { true with foo.bar as 2 }": "undefined function foo.bar",
    "p := input.1": "expected a name",
    "p := input[x](1)": "only a name can be called",
    "p := (input)[0]": "illegal ref",
    "p := (1)[0]": "illegal ref",
    "p := [1](1)": "only a name can be called",
    "p := -(1)": "expected number",
    "p if { true; }": "expected behind ;",
    "p := data.b.f(1)": "undefined function data.b.f",
    "p := q with input as 1": "cannot be used for rule head",
    "p := 1; q := 2": "unexpected ';'",
    "p": "cannot be used for rule name",
    "default p := 1\ndefault p := 2": "multiple default rules",
    "f(input) := 1": "args must not shadow input",
    "import data.x\nimport data.y.x": "must not shadow import data.x",
    "p := print(1)": "used as value",
    "f(x) := x\np := f": "used as reference",
    "p := q if { q := 1 } { q := 2 } 3": "expected a rule",
    "p if { x = y }": "is unsafe",
    "p := [[x] | x > 1]": "var x is unsafe",
    "q := {1: 2}\np if { true with data.a.q.x as 1 }": "partially replace",
    "p if nosuch(1)": "undefined function nosuch",
    "p := 1x": "illegal number format",
    "p := $`abc": "non-terminated template",
    "f(x)[0] := 1": "neither a name, a path nor a function",
    "p if { x = [y | y = x] }": "var x is unsafe",
    "p := (1, x)": "expected )",
    "p := (1, +)": "expected )",
    "p := 1 + (true)[0]": "illegal ref",
    '$"a" := 1': "expected a rule",
    "not := 1": "keyword cannot be used",
    'p if { {"a": x} = {"b": 1, "a": y}; y = 1 }': "var x is unsafe",
}


@pytest.mark.parametrize(("text", "told"), SENTENCES.items())
def test_what_is_wrong_is_said(text: str, told: str) -> None:
    with pytest.raises(BadRego) as caught:
        compile({"m.rego": f"package a\n{text}\n"}, "v1")
    assert told in caught.value.sentence
    assert caught.value.place.file in ("m.rego", "")


@pytest.mark.parametrize("text", ["", "import data.x", "package", "package 1", "package a[b]", "package a p"])
def test_what_has_no_package_is_refused(text: str) -> None:
    with pytest.raises(BadRego):
        compile({"m": text}, "v1")


@pytest.mark.parametrize("query", ["", "x", "p := 1 if true", "data.a.p[x] == x + y"])
def test_a_question_that_makes_no_sense_is_refused(query: str) -> None:
    with pytest.raises(BadRego):
        compile({"m": "package a\np := 1"}, "v1").ask(query)


def test_a_package_cannot_stand_where_a_rule_does() -> None:
    with pytest.raises(BadRego, match="conflicting rules"):
        compile({"m": "package a\nb := 1", "n": "package a.b\nc := 1"}, "v1")
    with pytest.raises(BadRego, match="conflicts with a rule"):
        compile({"m": "package a\nb[x] := 1 if x := 2", "n": "package a.b\nc := 1"}, "v1")


def test_there_may_be_no_end_of_modules() -> None:
    with pytest.raises(BadRego, match="more than"):
        compile(["package a"] * 3000)


@pytest.mark.parametrize(("text", "told"), BAD.items())
def test_a_text_that_is_no_rego_is_refused_with_its_place(text: str, told: str) -> None:
    with pytest.raises(BadRego) as caught:
        compile({"m.rego": f"package a\n{text}"}, "v1")
    assert caught.value.message == told


def test_rules_that_contradict_each_other_are_an_error_with_a_place() -> None:
    policy = compile({"m.rego": "package a\np := 1\np := 2 if input.x"}, "v1")
    assert policy.query("a.p", {}) == 1
    with pytest.raises(EvaluationError) as caught:
        policy.query("a.p", {"x": 1})
    assert (
        caught.value.message
        == "m.rego:3:1: eval_conflict_error: complete rules must not produce multiple outputs"
    )
    assert isinstance(caught.value, DavyError)
    assert isinstance(caught.value, RegoError)


def test_all_unsafe_variables_of_a_body_are_named() -> None:
    with pytest.raises(BadRego) as caught:
        compile({"m": "package a\np if { x > y }"}, "v1")
    assert [error.sentence for error in (caught.value, *caught.value.others)] == [
        "var x is unsafe",
        "var y is unsafe",
    ]
