"""A flag is taken out of code: what comes out is written down, and Python does what it did."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from davy.flags.details import Json
from davy.flags.lint.cleanup.clean import Cleaned, clean
from davy.flags.lint.cleanup.registry import without_flag
from davy.flags.lint.scan import scan
from davy.flags.registry import read_registry

CASES = sorted((Path(__file__).parents[1] / "cases" / "flag_cleanup").glob("*.yaml"))
KEY = "shop.cheap"


def cleaned(text: str, file: str, value: Json, *, elsewhere: bool = False) -> Cleaned:
    return clean(scan(text.encode(), file), text.encode(), KEY, value, lambda name: elsewhere)


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_what_comes_out_is_what_is_written_down(path: Path, value: bool) -> None:
    case: dict[str, Any] = YAML(typ="safe").load(path)
    word = str(value).lower()
    found = cleaned(case["before"], path.stem, value)
    assert found.text.decode() == case[f"when_{word}"]
    left = [f"{each.place.line}:{each.place.column} {each.why}" for each in found.left]
    assert left == case.get(f"left_{word}", [])


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_what_was_cleaned_is_clean(path: Path) -> None:
    case: dict[str, Any] = YAML(typ="safe").load(path)
    again = cleaned(case["when_true"], path.stem, True)
    assert again.text.decode() == case["when_true"]
    assert again.taken == ()


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_ends_of_lines_stay_what_they_are(path: Path) -> None:
    case: dict[str, Any] = YAML(typ="safe").load(path)
    found = cleaned(case["before"].replace("\n", "\r\n"), path.stem, True)
    assert found.text.decode() == case["when_true"].replace("\n", "\r\n")


def test_a_condition_within_a_condition_is_one() -> None:
    text = 'x = 1 if (a() and client.get_boolean_value("shop.cheap", False) if b else c) else 2\n'
    assert cleaned(text, "a.py", True).text == b"x = 1 if (a() if b else c) else 2\n"


def test_what_cannot_be_changed_is_left_with_why() -> None:
    text = 'if client.get_boolean_value("shop.cheap", False):\n    f()\n'
    odd = text.encode() + "# \u00fc\n".encode("latin-1")
    found = clean(scan(odd, "a.py"), odd, KEY, True)
    assert [each.why for each in found.left] == ["the file is not UTF-8 (invalid start byte)"]
    deep = "x = " + "(a() or " * 3000 + 'client.get_boolean_value("shop.cheap", False)' + ")" * 3000 + "\n"
    assert cleaned(deep, "a.py", True).text == deep.encode()


# Programs that read a flag, made up: a trace of what they do has to stay the same.

NAMES = ("a", "b", "on", "x")
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Programs do not shrink in a time that anybody would wait for."""


SIMPLE = ["True", "a", "b", "on", "x", "FLAG", "FLAG", "FLAG", "see(1)", "see(0)", "not FLAG"]
JOINED = [
    "(%) and (%)",
    "(% or %)",
    "(not (%))",
    "(% if % else %)",
    "(%) == True",
    "bool(%)",
    "[see(i) for i in (1, 2) if %]",
    "(%) and (%) and (%)",
]


@st.composite
def expressions(draw: st.DrawFn, depth: int) -> str:
    form = draw(st.sampled_from(SIMPLE + JOINED if depth else SIMPLE))
    first, *rest = form.split("%")
    return first + "".join(draw(expressions(depth - 1)) + part for part in rest)


LEAVES = [
    "see(%)",
    "@ = %",
    "# a remark\nsee(@)",
    "return %",
    "@ = FLAG",
    "yield %",
    'see("""\n    @\n""")',
    "FLAG",
    "pass",
]
FORMS = [
    "if %:\n$",
    "if FLAG:  # why\n$else:\n$",
    "if FLAG:\n$",
    "if not FLAG:\n$",
    "if %:\n$elif FLAG:\n$else:\n$",
    "if not FLAG:\n$elif %:\n$",
    "if %: see(3)\nelse: see(4)",
    "for @ in (1, 2):\n&",
    "try:\n$finally:\n    see(5)",
    "def inner():\n?see(list(inner() or ()))",
    "while %:\n    see(6)\n&    break",
]


@st.composite
def blocks(draw: st.DrawFn, depth: int, *, loop: bool = False) -> str:
    written = "".join(draw(statements(depth, loop)) + "\n" for _ in range(draw(st.integers(1, 3))))
    lines, inside = [], False
    for line in written.splitlines(keepends=True):
        lines.append(line if inside else "    " + line)
        inside ^= line.count('"""') % 2 == 1
    return "".join(lines)


@st.composite
def statements(draw: st.DrawFn, depth: int, loop: bool) -> str:
    form = draw(
        st.sampled_from(LEAVES + (["continue", "break"] if loop else []) + (FORMS * 2 if depth else []))
    )
    written = ""
    for part in re.split(r"([%@$&?])", form):
        match part:
            case "%":
                written += draw(expressions(2))
            case "@":
                written += draw(st.sampled_from(NAMES))
            case "$" | "&" | "?":
                written += draw(blocks(depth - 1, loop=part == "&" or (part == "$" and loop)))
            case _:
                written += part
    return written


@st.composite
def programs(draw: st.DrawFn) -> str:
    body = draw(blocks(2))
    bound = "".join(f"    {name} = see({at})\n" for at, name in enumerate(NAMES) if draw(st.booleans()))
    text = f"def program(see, client):\n{bound}{body}"
    return text.replace("FLAG", f'client.get_boolean_value("{KEY}", False)')


class Client:
    """Answers with one value, whatever is asked."""

    def __init__(self, value: bool) -> None:
        self.value = value

    def get_boolean_value(self, key: str, default: bool) -> bool:
        return self.value


class Seen(Exception):
    """Enough was seen."""


def trace(text: str, value: bool) -> list[str]:
    """Run a program, and return everything that can be seen of it."""
    seen: list[str] = []

    def see(what: object) -> object:
        seen.append(repr(what))
        if len(seen) > 200:
            raise Seen
        return what

    found: dict[str, Any] = {}
    exec(compile(text, "program", "exec"), found)
    try:
        result = found["program"](see, Client(value))
        if isinstance(result, Iterator):
            seen.append("generator")
            for each in result:
                see(each)
        else:
            seen.append(repr(result))
    except (NameError, TypeError, Seen) as error:
        seen.append(type(error).__name__)
    return seen


def reads(text: str) -> bool:
    try:
        compile(text, "program", "exec")
    except SyntaxError:
        return False
    return True


@settings(max_examples=300, deadline=None, phases=QUICK)
@given(programs(), st.booleans())
def test_a_program_does_what_it_did_with_the_flag_at_that_value(text: str, value: bool) -> None:
    if not reads(text):
        return
    found = cleaned(text, "program.py", value)
    before = trace(text, value)
    if before[-1] in ("NameError", "UnboundLocalError"):
        return  # names that are read are taken to be bound
    assert trace(found.text.decode(), value) == before, found.text.decode()


@settings(max_examples=100, deadline=None, phases=QUICK)
@given(programs(), st.booleans())
def test_every_read_is_gone_or_is_told_of(text: str, value: bool) -> None:
    found = cleaned(text, "program.py", value)
    rest = scan(found.text, "program.py").usages
    assert not rest or found.left or not reads(text)


@pytest.mark.parametrize(
    ("file", "before", "value", "after"),
    [
        ("a.py", 'x = f(c.get_string_value("shop.cheap", "a"))', "b", 'x = f("b")'),
        ("a.py", 'x = f(c.get_string_value("shop.cheap", "a"))', 'say "b"', "x = f('say \"b\"')"),
        ("a.py", 'x = f"{c.get_string_value(KEY, "")}"', "b", None),
        ("a.py", "x = f\"{c.get_string_value('shop.cheap', '')}\"", "b", "x = f\"{'b'}\""),
        ("a.py", 'x = f\'{c.get_string_value("shop.cheap", "")}\'', "b", "x = f'{\"b\"}'"),
        ("a.py", 'x = c.get_string_value("shop.cheap", "a") in ("b", "c")', "b", "x = True"),
        ("a.py", 'x = c.get_string_value("shop.cheap", "a") not in {"c": 1}', "b", "x = True"),
        ("a.py", 'x = (c.get_object_value("shop.cheap", {}))["a"]', {"a": 1}, "x = ({'a': 1})[\"a\"]"),
        ("a.py", 'x = c.get_object_value("shop.cheap", {}) in {1}', {"a": 1}, "x = {'a': 1} in {1}"),
        ("a.py", 'if c.get_float_value("shop.cheap", 1.0) > 0: f()', 0.5, "if 0.5 > 0: f()"),
        ("a.py", 'x = c.get_integer_value("shop.cheap", 1).real', 5, "x = (5).real"),
        ("a.py", 'x = -c.get_integer_value("shop.cheap", 1) ** 2', -5, "x = -(-5) ** 2"),
        ("a.py", 'def f(): return(c.get_integer_value("shop.cheap", 1))', 5, "def f(): return 5"),
        ("a.ts", 'f(await c.getStringValue("shop.cheap", "a"));', "b", 'f("b");'),
        ("a.ts", "f(await c.getStringValue('shop.cheap', 'a'), 'c');", "b", "f('b', 'c');"),
        (
            "a.ts",
            "f(await c.getStringValue('shop.cheap', 'a') === 'b', 'b' !== 'c');",
            "b",
            "f(true, 'b' !== 'c');",
        ),
        ("a.ts", "f((await c.getNumberValue('shop.cheap', 1)).toFixed());", 5, "f((5).toFixed());"),
        ("a.ts", "f(() => (await c.getObjectValue('shop.cheap', {})));", {"a": 1}, 'f(() => ({"a": 1}));'),
        ("a.ts", "if (await c.getObjectValue('shop.cheap', {})) f();", {}, "f();"),
        ("a.ts", "f(await c.getNumberValue('shop.cheap', 1) ** 2);", -5, "f((-5) ** 2);"),
    ],
)
def test_values_are_written_as_the_language_has_them(
    file: str, before: str, value: Json, after: str | None
) -> None:
    found = cleaned(before + "\n", file, value)
    assert found.text.decode() == (before if after is None else after) + "\n"


def test_what_a_vendor_answers_with_may_be_more_than_the_value() -> None:
    text = 'import ldclient\nx = ldclient.get().variation("shop.cheap", context, "a")\n'
    found = cleaned(text, "a.py", "b")
    assert [each.why for each in found.left] == ["what launchdarkly answers with is more than the value"]


def test_blank_lines_at_the_top_go_with_what_was_there() -> None:
    text = 'from a import client\n\n\nif client.get_boolean_value("shop.cheap", False):\n    f()\n'
    assert cleaned(text, "a.py", True).text == b"f()\n"


def test_a_name_that_another_file_may_mean_stays() -> None:
    text = 'from a import client\nKEY = "shop.cheap"\nx = client.get_boolean_value(KEY, False)\n'
    assert cleaned(text, "a.py", True).text == b"x = True\n"
    kept = cleaned(text, "a.py", True, elsewhere=True).text.decode()
    assert kept == 'from a import client\nKEY = "shop.cheap"\nx = True\n'


FLAG = """\
apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata: {name: NAME}
spec:
  owner: team-shop
  jira: SHOP-1
  expiry: "2027-03-01"
  variants: {reduced: true, full: false}
  safeValue: false
  defaultVariant: full
"""
ONE, TWO, THREE = (FLAG.replace("NAME", name) for name in ("shop.one", "shop.two", "shop.three"))
ENTRY = '{"state": "ENABLED", "variants": {"a": true}, "defaultVariant": "a"}'
BLOCK = "    state: ENABLED\n    variants: {a: true}\n    defaultVariant: a\n"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (ONE, ""),
        (f"---\n{ONE}", ""),
        (f"{ONE}---\n{TWO}", TWO),
        (f"{TWO}---\n{ONE}", TWO),
        (f"{TWO}---\n{ONE}---\n{THREE}", f"{TWO}---\n{THREE}"),
        (f"# about one\n{ONE}---\n# about two\n{TWO}", f"# about two\n{TWO}"),
        (f'{{"flags": {{"shop.one": {ENTRY}, "shop.two": {ENTRY}}}}}', f'{{"flags": {{"shop.two": {ENTRY}}}}}'),
        (f'{{"flags": {{"shop.two": {ENTRY}, "shop.one": {ENTRY}}}}}', f'{{"flags": {{"shop.two": {ENTRY}}}}}'),
        (
            f'{{"flags": {{\n  "shop.one": {ENTRY},\n  "shop.two": {ENTRY}\n}}}}\n',
            f'{{"flags": {{\n  "shop.two": {ENTRY}\n}}}}\n',
        ),
        (f'{{"flags": {{"shop.one": {ENTRY}}}}}', '{"flags": {}}'),
        (f"flags:\n  shop.one:\n{BLOCK}  shop.two:\n{BLOCK}", f"flags:\n  shop.two:\n{BLOCK}"),
        (f"flags:\n  shop.two:\n{BLOCK}  shop.one:\n{BLOCK}", f"flags:\n  shop.two:\n{BLOCK}"),
        (f"flags:\n  shop.one:\n{BLOCK}metadata: {{version: 1}}\n", "flags: {}\nmetadata: {version: 1}\n"),
        (f"kind: List\nitems:\n- {ONE.replace(chr(10), chr(10) + '  ').strip()}\n", None),
        (f"{ONE}---\n{TWO.replace('owner', 'ownr')}", None),
    ],
)
def test_a_declaration_goes_and_everything_around_it_stays(text: str, after: str | None) -> None:
    registry, _ = read_registry([("flags.yaml", text.encode())])
    line = registry.flags["shop.one"].place.line
    assert without_flag(text, "flags.yaml", "shop.one", line) == after


def test_what_cannot_be_read_is_not_touched() -> None:
    assert without_flag("flags: [", "flags.yaml", "shop.one", 1) is None
    assert without_flag("a: 1\n", "flags.yaml", "shop.one", 1) is None
