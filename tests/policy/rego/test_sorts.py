"""What is refused for its sorts, as OPA 1.22 refuses it, and what is taken, though OPA knows better of some."""

import pytest

from davy.policy.rego import BadRego, compile
from davy.policy.rego.builtins import BUILTINS
from davy.policy.rego.declared import DECLARED

REFUSED = {
    "p { count(1) }": "count: argument 1 is number, and has to be string or array or object or set",
    "p { [1, 2] - 1 }": "minus: argument 1 is array, and has to be number or set",
    'p { startswith(input.a, ["a"]) }': "startswith: argument 2 is array, and has to be string",
    "p { not count(null) }": "count: argument 1 is null",
    "p { x := {1 | input.a}; y := x + 1; y > 2 }": "plus: argument 1 is set",
    "p { x := {1: 2 | input.a}; lower(x) }": "lower: argument 1 is object",
    "p { x := [1 | input.a]; abs(x) }": "abs: argument 1 is array",
    "p { x := count(input.a); startswith(x, input.b) }": "startswith: argument 1 is number",
    "p { y := [1 | count(1)]; y }": "count: argument 1 is number",
    "p { y := {input.a: [1 | count(1)]}; y }": "count: argument 1 is number",
    "p { count(1) with input as 2 } ;; q { count(1) }": "count: argument 1 is number",
    'p { x := "a"; x.b }': "undefined ref: string holds nothing",
    "p { x := true; input.a[x.b] }": "undefined ref: boolean holds nothing",
    "p { x := 5; y := [z | z := x[_]]; y }": "undefined ref: number holds nothing",
    "p = 1 ;; q { p.x }": "undefined ref: number holds nothing",
    'p = 1 { input.a } else = "b" ;; q { p[_] }': "undefined ref: number or string holds nothing",
    "p[1] { input.a } ;; q { p + 1 }": "plus: argument 1 is set",
    "p[input.b] = 1 { input.a } ;; q { lower(p) }": "lower: argument 1 is object",
    "default p = 1 ;; p = 2 { input.a } ;; q { lower(p) }": "lower: argument 1 is number",
    "f(x) = y { y := x + 1 } ;; q { lower(f(1)) }": "lower: argument 1 is number",
    "default p = false ;; p { count(1) }": "count: argument 1 is number",
}

TAKEN = (
    "p { x := 1; x == [2] }",
    "p { x := 1; x < [2] }",
    "p { x := input.a; count(x) }",
    "p { f(1) } ;; f(x) { lower(x) }",
    "p { [x] = input.a; x = 1; lower(x) }",
    'p { x = 1; x = input.a; x[_] } ;; q = "a"',
    "p { x := data.nope.b; lower(x) }",
    'p { x := data.m.q; lower(x) } ;; q = "a"',
    "p { x := {1} - {2}; count(x) }",
    "p { x := 5; y := x with input as 1; lower(y) }",
    "p[x] = y { y := input.a[x] } ;; q { lower(p.b) }",
    "p = 1 { input.a } ;; p = [1] { input.b } ;; q { p[_] }",
    "f(1) = 2 ;; f([x]) = x ;; q { lower(f([input.a])) }",
    "p { walk(input.a, [x, y]); lower(y); x[0] }",
    "p { x := object.get(input.a, input.b, 1); lower(x) }",
    "p = 1 ;; q { x := p; y := p; x == y; abs(x) }",
    "p { i = 1; input.a[i]; lower(input.b) }",
    "p { count(input.a[i]); not input.b[i]; i = 1 }",
    "p { set() == input.a; {input.b: 1}[input.c] }",
)


@pytest.mark.parametrize("text", REFUSED)
def test_what_can_never_be_is_refused(text: str) -> None:
    with pytest.raises(BadRego) as raised:
        compile("package m\n" + text.replace(" ;; ", "\n"))
    assert "rego_type_error" in str(raised.value)
    assert REFUSED[text] in str(raised.value)


@pytest.mark.parametrize("text", TAKEN)
def test_what_might_be_is_taken(text: str) -> None:
    compile("package m\n" + text.replace(" ;; ", "\n"))


def test_opa_does_not_look_into_every() -> None:
    compile("package m\np if every k, x in input.a { k > 0; count(1) > x }\n", "v1")
    compile("package m\np if every x in input.a { count(1) > x }\n", "v1")
    with pytest.raises(BadRego, match="count: argument 1 is number"):
        compile("package m\np if every x in [y | y := count(1)] { x > 1 }\n", "v1")


def test_a_package_is_of_any_sort() -> None:
    compile({"m": "package m\np { data.lib[_].q == 1; count(data.lib) > 0 }", "u": "package lib.u\nq = 1"})


def test_every_builtin_that_is_declared_is_there_with_as_many_arguments() -> None:
    for name, (arguments, _) in DECLARED.items():
        if name in BUILTINS:
            assert BUILTINS[name].arity == len(arguments), name
    assert len(BUILTINS.keys() & DECLARED.keys()) > 150
