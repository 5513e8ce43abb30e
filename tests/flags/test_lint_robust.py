"""No text makes the scanner fail, and no file that has something to find is passed over unread."""

import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.flags.lint import calls
from davy.flags.lint.extract import NEAREST, extract
from davy.flags.lint.languages import syntax_of
from davy.flags.lint.linking import Calls
from davy.flags.lint.prefilter import SUFFIXES, may_hold
from davy.flags.lint.scan import scan
from davy.flags.lint.usage import How, Language, Scan, Vendor
from davy.flags.lint.where import client_side

CASES = Path(__file__).parents[1] / "cases" / "flag_scan"
SPEAK = re.compile("openfeature|open_feature|ldclient|Unleash|splitio")
SAMPLES = {path: path.read_bytes() for path in sorted(CASES.rglob("*.case"))}
ENDS = {
    "python": "py",
    "javascript": "js",
    "typescript": "ts",
    "tsx": "tsx",
    "go": "go",
    "java": "java",
    "csharp": "cs",
    "ruby": "rb",
}
NAMES = {
    Language.PYTHON: [
        f"get_{t}_{v}{a}"
        for t in ("boolean", "string", "integer", "float", "object")
        for v in ("value", "details")
        for a in ("", "_async")
    ],
    Language.TSX: [
        f"get{t}{v}" for t in ("Boolean", "String", "Number", "Object") for v in ("Value", "Details")
    ]
    + [
        f"use{s}{t}Flag{v}"
        for s in ("", "Suspense")
        for t in ("Boolean", "String", "Number", "Object")
        for v in ("Value", "Details")
    ]
    + ["useFlag", "useSuspenseFlag"],
    Language.JAVA: [
        f"get{t}{v}" for t in ("Boolean", "String", "Integer", "Double", "Object") for v in ("Value", "Details")
    ],
    Language.GO: [
        f"{t}Value{v}" for t in ("Boolean", "String", "Float", "Int", "Object") for v in ("", "Details")
    ],
    Language.CSHARP: [
        f"Get{t}{v}Async"
        for t in ("Boolean", "String", "Integer", "Double", "Object")
        for v in ("Value", "Details")
    ],
    Language.RUBY: [
        f"fetch_{t}_{v}"
        for t in ("boolean", "string", "number", "integer", "float", "object")
        for v in ("value", "details")
    ],
}
SHAPES = {
    Language.PYTHON: 'client.{}("a.b", x)',
    Language.TSX: "const a = client.{}('a.b', x);",
    Language.JAVA: 'class A {{ Object a = client.{}("a.b", x); }}',
    Language.GO: 'package a\nfunc f() {{ client.{}(ctx, "a.b", x, ec) }}',
    Language.CSHARP: 'class A {{ void F() {{ client.{}("a.b", x); }} }}',
    Language.RUBY: 'client.{}(flag_key: "a.b", default_value: x)',
}


def is_sound(found: Scan, text: bytes) -> None:
    lines = text.count(b"\n") + 1
    for usage in found.usages:
        assert 0 <= usage.call.start < usage.call.end <= len(text)
        assert usage.value.start <= usage.call.start
        assert 1 <= usage.place.line <= lines
        assert usage.place.column >= 1
        assert (usage.how in (How.DYNAMIC, How.PARAMETER)) == (not usage.keys)


@pytest.mark.parametrize(
    ("language", "name"), [(language, name) for language, names in NAMES.items() for name in names]
)
def test_every_call_is_found_and_not_passed_over(language: Language, name: str) -> None:
    text = SHAPES[language].format(name).encode()
    assert may_hold(text)
    (usage,) = scan(text, f"a.{ENDS[language.value]}").usages
    assert (usage.key, usage.function, usage.details) == (
        "a.b",
        name,
        "Details" in name or "details" in name or name in ("useFlag", "useSuspenseFlag"),
    )
    assert calls.meaning(language, name) is not None


@given(text=st.binary(max_size=400), end=st.sampled_from(sorted(SUFFIXES)))
@settings(max_examples=150, deadline=None)
def test_no_bytes_make_it_fail(text: bytes, end: str) -> None:
    extract(text, f"a{end}")
    is_sound(scan(b"client openfeature\n" + text, f"a{end}"), b"client openfeature\n" + text)


@given(data=st.data(), path=st.sampled_from(sorted(SAMPLES)))
@settings(max_examples=150, deadline=None)
def test_no_damage_to_code_makes_it_fail(data: st.DataObject, path: Path) -> None:
    text = bytearray(SAMPLES[path])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(text)))
        match data.draw(st.sampled_from(("cut", "put", "double"))):
            case "cut":
                del text[at : at + data.draw(st.integers(1, 60))]
            case "put":
                text[at:at] = data.draw(
                    st.sampled_from([b"(", b")", b'"', b"{", b"}", b"`", b"\n", b"\xff", b"#", b":"])
                )
            case _:
                text[at:at] = text[at : at + data.draw(st.integers(1, 200))]
    is_sound(scan(bytes(text), f"a.{ENDS[path.parent.name]}"), bytes(text))


def nested(language: str, depth: int) -> bytes:
    call = {
        "python": b"c.get_boolean_value(",
        "go": b"c.BooleanValue(x, ",
        "ruby": b"c.fetch_boolean_value(",
    }.get(language, b"c.GetBooleanValueAsync(" if language == "csharp" else b"c.getBooleanValue(")
    before = {
        "go": b"package a\nfunc f() { ",
        "java": b"class A { Object a = ",
        "csharp": b"class A { object a = ",
    }
    return (
        b"// openfeature\n" * (language != "python") * (language != "ruby")
        + before.get(language, b"")
        + call * depth
        + (b'"a.b", 1' + b")" * depth)
    )


@pytest.mark.parametrize("language", sorted(ENDS))
@pytest.mark.parametrize("shape", ["calls", "brackets", "sums", "blocks"])
def test_depth_is_no_way_to_stop_it(language: str, shape: str) -> None:
    depth = 2000
    text = {
        "calls": nested(language, depth),
        "brackets": b"client = openfeature; x = " + b"(" * depth + b")" * depth,
        "sums": b"openfeature = x; client.getBooleanValue(" + b'"a" + ' * depth + b'"b", false)',
        "blocks": b"openfeature; " + b"if (x) { " * depth + b"}" * depth,
    }[shape]
    is_sound(scan(text, f"a.{ENDS[language]}"), text)


def test_constants_that_double_each_other_end() -> None:
    lines = ["client = openfeature", *(f"A{n} = A{n + 1} + A{n + 1}" for n in range(60)), "A60 = 'a'"]
    text = "\n".join(
        [*lines, "client.get_boolean_value(A0, False)", "A = B", "B = A", "client.get_boolean_value(A, True)"]
    )
    assert [usage.how for usage in scan(text.encode(), "a.py").usages] == [How.DYNAMIC, How.DYNAMIC]


def installed() -> Iterator[tuple[str, bytes]]:
    size = 0
    for number, path in enumerate(sorted(Path(sysconfig.get_path("purelib")).rglob("*"))):
        if (
            path.suffix in (".py", ".js", ".ts")
            and path.is_file()
            and (number % 29 == 0 or SPEAK.search(str(path)))
        ):
            content = path.read_bytes()
            if len(content) < 100_000 and (size := size + len(content)) < 10_000_000:
                yield path.name, content


def test_nothing_is_passed_over_in_code_that_is_installed() -> None:
    found = passed_over = 0
    for name, text in installed():
        facts = extract(text, name)
        if facts is not None and (facts.evaluations or facts.providers):
            found += 1
            passed_over += not may_hold(text)
    assert found >= 5
    assert passed_over == 0


@pytest.mark.parametrize(
    ("text", "vendor"),
    [
        (b"ld.variation('a.b', u, False)", Vendor.LAUNCHDARKLY),
        (b"self._ld\\\n  .bool_variation('a.b', u, False)", Vendor.LAUNCHDARKLY),
        (b"split.get_treatment('u', 'a.b')", Vendor.SPLIT),
        (b"unleash.is_enabled('a.b')", Vendor.UNLEASH),
    ],
)
def test_vendors_are_known_by_what_they_are_called_on(text: bytes, vendor: Vendor) -> None:
    assert may_hold(text)
    (usage,) = scan(text, "a.py").usages
    assert (usage.key, usage.vendor) == ("a.b", vendor)


@pytest.mark.parametrize("head", [b"/* a */ " * 250, b"/**/" * 500, b"// a\n" * 400])
def test_comments_before_all_else_are_read_once(head: bytes) -> None:
    """A pattern that can read comments in many ways never comes back from these."""
    assert client_side(head + b"x", "a.ts", Language.TYPESCRIPT, ()) == ""
    assert client_side(head[:400] + b"'use client'", "a.ts", Language.TYPESCRIPT, ()) == "'use client'"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("from a import ask\nask('x')\n", True),
        ("from .a import ask\nif ask ('x'): pass\n", True),
        ("import banana\ntask('x')\n", False),
        ("a = task('x')\n", False),
        ("import banana\nask('x')\n", False),
    ],
)
def test_a_file_is_read_for_whole_words_of_a_wrapper_and_where_it_is_from(text: str, read: bool) -> None:
    wrapper = b"from openfeature import api\n\ndef ask(key):\n    return client.get_boolean_value(key, False)\n"
    facts = extract(wrapper, "src/a.py")
    assert facts is not None
    assert Calls([facts]).may_be_in("other/b.py", text.encode()) is read


SPEAKING = "from openfeature import api\n"


def test_what_nests_too_deep_to_be_looked_at_whole_is_told() -> None:
    call = "client.get_boolean_value('a.b', {})"

    def nested(depth: int) -> Scan:
        text = "1"
        for _ in range(depth):
            text = call.format(text)
        return scan(f"{SPEAKING}x = {text}\n".encode(), "a.py")

    assert (len(nested(50).usages), nested(50).deep) == (50, False)
    assert (len(nested(80).usages), nested(80).deep) == (80, True)


def test_of_many_assignments_those_right_before_a_condition_guard_it() -> None:
    lines = [f"x = client.get_boolean_value('a.f{number}', False)" for number in range(200)]
    text = "\n".join([SPEAKING, *lines, "if x:", "    client.get_boolean_value('a.last', False)", ""])
    last = scan(text.encode(), "a.py").usages[-1]
    assert last.inside == tuple(f"a.f{number}" for number in range(200 - NEAREST, 200))


def test_a_long_chain_is_known_by_its_ends() -> None:
    chain = "client" + ".get_boolean_value('a.b', False)" * 100
    usages = scan(f"{SPEAKING}x = {chain}\n".encode(), "a.py").usages
    assert len(usages) == 100
    assert usages[-1].receiver == chain[:80]
    after = chain.replace("client", "ldclient" + ".x" * 500 + ".client", 1)
    assert all(each.vendor is Vendor.OPENFEATURE for each in scan(f"{SPEAKING}{after}".encode(), "a.py").usages)


def test_of_comments_without_end_the_last_are_read() -> None:
    call = "client.get_boolean_value(name, False)\n"
    many = f"{SPEAKING}{'# ä' * 3}\n" + "# x\n\n" * 2000
    text = f"{many}    # davy: flags a.b\n{call}{many}# davy: flags a.c\n{call}".encode()
    kept = syntax_of(Language.PYTHON).readable(text)
    assert kept.count(b"#") < 2 * 60
    assert [len(each) for each in kept.split(b"\n")] == [len(each) for each in text.split(b"\n")]
    assert [each.keys for each in scan(text, "a.py").usages] == [("a.b",), ("a.c",)]
    assert syntax_of(Language.PYTHON).readable(b"# x\n" * 499) == b"# x\n" * 499
    few = b"# x\ny\n" * 1000
    assert syntax_of(Language.PYTHON).readable(few) == few


@pytest.mark.parametrize("before", ["'ä' + ", "'a' + "])
def test_a_column_is_counted_in_characters(before: str) -> None:
    usage = scan(f"x = {before}client.get_boolean_value('a.b', False)\n".encode(), "a.py").usages[0]
    assert usage.place.column == len(f"x = {before}") + 1


def test_of_comments_that_fill_a_line_the_first_are_read() -> None:
    call = "client.getBooleanValue(name, false);\n"
    [usage] = scan(f"/* davy: flags a.b */ {'/* more */ ' * 1000}{call}".encode(), "a.js").usages
    assert usage.keys == ("a.b",)
    [usage] = scan(f"{'/* more */ ' * 1000}/* davy: flags a.b */ {call}".encode(), "a.js").usages
    assert usage.keys == ()
