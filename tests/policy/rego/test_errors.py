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
    "p := count(1, 2, 3)": "m.rego:2:6: rego_type_error: count: arity mismatch: it takes 1 arguments, and gets 3",
    "p := q\n\nq := p": "m.rego:2:1: rego_recursion_error: rule data.a.p is recursive: data.a.p -> data.a.q -> data.a.p",
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
    "p := opa.runtime()": "m.rego:2:6: rego_type_error: opa.runtime is refused: it tells the configuration and the "
    "environment of an OPA server, and here is none",
}


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
