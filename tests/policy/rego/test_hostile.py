"""No text of a policy becomes Python: what is executed is made of counters and literals."""

import ast
import re
import resource
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.policy.rego import BadRego, EvaluationError, OverBudget, compile
from davy.policy.rego.builtins import BUILTINS
from davy.policy.rego.compiler import SCOPE, Compiler
from davy.policy.rego.policy import Limits

OURS = re.compile(r"[vkrab]\d+|C|[mbo]|found|_|q|(?:b|m)_\w+")
HOSTILE = st.text(max_size=30) | st.sampled_from(
    [
        "'",
        '"',
        "\\",
        "\n",
        "\r",
        "\0",
        "'''",
        '"""',
        "\u2028",
        "{x}",
        "__import__('os')",
        "');boom(",
        "#",
        "\ud7ff",
    ]
)


def names_in(source: str) -> set[str]:
    """Return every name and attribute that a text of Python uses."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.FunctionDef):
            found |= {node.name, *(argument.arg for argument in node.args.args)}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            raise AssertionError("nothing is imported")
    return found


KNOWN = {
    "input",
    "data",
    "memo",
    "budget",
    "builtin",
    "steps",
    "spend",
    "grow",
    "size",
    "replaced",
    "append",
    "add",
    "get",
    "BuiltinError",
}


def written(text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the Python that a module becomes."""
    kept: list[str] = []
    executed = Compiler.executed

    def spy(self: Compiler, writer: object, more: object) -> object:
        kept.append("\n".join(writer.lines))  # type: ignore[attr-defined]
        return executed(self, writer, more)  # type: ignore[arg-type]

    monkeypatch.setattr(Compiler, "executed", spy)
    compile({"m": text}, "v1")
    return kept[0]


def quoted(text: str) -> str:
    import json

    return json.dumps(text)


TEMPLATE = """package outermost[{0}].b

import data[{0}] as other

p[{0}] := {0} if {{
  input[{0}][{0}] == {0}
  x := {{{0}: {0}, "k": [{0}, {{{0}}}]}}
  x[{0}] == other[{0}]
  not data[{0}].x == {0}
  every y in [{0}] {{ y == {0} }}
  f({0}, {0}) with input[{0}] as {0} with data.z[{0}] as {0}
  startswith($"{{x}}", {0})
}}

f({0}, y) if y == {0}

q.a[{0}].c contains {0}
"""


@settings(deadline=None)
@given(HOSTILE)
def test_names_that_are_executed_are_ours(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        source = written(TEMPLATE.format(quoted(text)), patch)
    builtins = {f"b_{name.replace('.', '_')}" for name in BUILTINS}
    strange = {name for name in names_in(source) - SCOPE.keys() - KNOWN - builtins if not OURS.fullmatch(name)}
    strange -= set(SCOPE["__builtins__"])
    assert not strange


NESTED = {
    "loops": ("count([y | y := input.a[_]; ", "y == 1", "]) > 0"),
    "every": ("every y in input.a { ", "y == 1", " }"),
    "arrays": ("[", "1", "]"),
    "negations": ("not f([y | y := input.a[_]; ", "y == 1", "])"),
    "else": ("f(", "1", ")"),
}


@pytest.mark.parametrize("way", NESTED)
def test_what_is_not_refused_when_it_is_read_python_compiles_later(way: str) -> None:
    before, within, after = NESTED[way]
    refused = 0
    for depth in range(1, 101):
        text = f"package a\np if {{ {before * depth}{within}{after * depth} }}\nf(x) := x"
        try:
            policy = compile({"m": text}, "v1")
        except BadRego:
            refused += 1
            continue
        policy.query("data.a.p", {"a": [1]})
    assert refused


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_compiled_or_refused(text: str) -> None:
    for version in ("v0", "v1"):
        with suppress(BadRego, EvaluationError):
            compile({"m": f"package a\n{text}"}, version).query("data.a")


PIECES = ("p", " ", "\n", "{", "}", "[", "]", "(", ")", ":=", "=", "==", "if", "not", "some x in", "every", "with", "as",  # noqa: E501
          "input", "data.a.p", "x", "1", '"s"', "|", ",", ";", ":", ".", "else", "default", "contains", "-", "+", "_", '$"{')  # fmt: skip # noqa: E501


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_any_words_are_compiled_or_refused(pieces: list[str]) -> None:
    for version in ("v0", "v1"):
        with suppress(BadRego, EvaluationError):
            compile({"m": "package a\n" + " ".join(pieces)}, version).query("data.a")


@pytest.mark.parametrize("opened", ["[", "{", "(", "f(", "{1:", "[x|", "-", "not ", "x[", '$"{'])
def test_deep_nesting_is_refused(opened: str) -> None:
    with pytest.raises(BadRego):
        compile({"m": "package a\np := " + opened * 5000}, "v1")
    with pytest.raises(BadRego):
        compile({"m": "package a\np if " + opened * 5000}, "v1")


def test_many_loops_within_each_other_are_refused() -> None:
    body = "\n".join(f"x{at} := input[_]" for at in range(40))
    with pytest.raises(BadRego, match="too deep"):
        compile({"m": f"package a\np if {{\n{body}\n}}"}, "v1")


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadRego, match="longer than"):
        compile({"m": "package a\n" + "#" * 1_000_001}, "v1")


LARGE = {
    "lists in a loop": "r := [x | some i in numbers.range(1, 1000); x := numbers.range(1, 1000000 - i)]",
    "elements of a set": "r := {x | some i in N; some j in N; x := i * 10000 + j}",
    "objects": 'r := [x | some i in N; some j in N; x := {"a": i, "b": j}]',
    "long numbers": "b := product([10 | N[_]])\nr := [x | some i in N; some j in N; x := b + j]",
    "wide arrays": f"r := [x | some i in N; some j in N; x := [{'i,' * 3000}j]]",
    "short texts": 'r := [x | some i in N; some j in N; x := concat("", ["x", "y"])]',
    "templates": 't := concat("", ["a" | N[_]])\nr := [x | some i in N; some j in N; x := $"{t}{j}"]',
    "documents": "t := json.marshal([[] | N[_]])\nr := [x | some i in N; x := json.unmarshal(t)]",
    "looking through": "b := numbers.range(1, 1000000)\nr := [1 | some i in b; sum(b) > 0]",
}


@pytest.mark.parametrize("name", LARGE)
def test_what_takes_memory_or_time_is_ended(name: str) -> None:
    few = Limits(steps=1_000_000, size=8 * 1024 * 1024)
    policy = compile({"m": f"package a\nN := numbers.range(1, 3000)\n{LARGE[name]}"}, "v1", limits=few)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(OverBudget):
        policy.query("data.a.r")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000, "less than a gigabyte"


@pytest.mark.parametrize(
    "use",
    [
        "r := x59",
        "r := json.marshal(x59)",
        'r := sprintf("%v", [x59])',
        "r := {x59}",
        "r := sort([x59, [1]])",
        "r := x59 == y59",
        "r := x59 < y59",
        'r := object.union({"a": x59}, {"a": y59})',
    ],
)
def test_values_that_double_are_ended(use: str) -> None:
    lines = "\n".join(
        f"x{at} := [x{at - 1}, x{at - 1}]\ny{at} := [y{at - 1}, y{at - 1}]" for at in range(1, 60)
    )
    with pytest.raises(OverBudget):
        compile({"m": f"package a\nx0 := [1]\ny0 := [1]\n{lines}\n{use}"}, "v1").query("data.a.r")


def test_a_deep_question_is_refused() -> None:
    with pytest.raises(BadRego):
        compile({"m": "package a"}).query("[" * 5000)
