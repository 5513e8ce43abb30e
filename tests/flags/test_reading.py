"""Documents: JSON and YAML, what is refused with its place, and what one flag does not do to the others."""

import json
from typing import Any

import msgspec
import pytest

from davy.flags import Definitions, load
from davy.flags.reading import MOST_BYTES, Reader
from davy.model.finding import BadManifest

GOOD = '{"flags": {"a": {"state": "ENABLED", "variants": {"on": true}, "defaultVariant": "on"}}}'
YAML = "flags:\n  a:\n    state: ENABLED\n    variants: {'on': true}\n    defaultVariant: 'on'\n"


@pytest.mark.parametrize(
    ("text", "file"),
    [
        (GOOD, "a.json"),
        (GOOD.encode(), "a.json"),
        (f"\n {GOOD}", "a.json"),
        (GOOD, "a.yaml"),
        (YAML, "a.yml"),
        (YAML, "flags.json"),
        (YAML.encode(), "stdin"),
    ],
)
def test_a_document_is_json_or_yaml(text: str | bytes, file: str) -> None:
    assert load(text, file=file).evaluate("a", bool, False).variant == "on"


@pytest.mark.parametrize(
    ("text", "place", "title"),
    [
        (
            '{"flags": {\n  "a": {"state" "ENABLED"}}}',
            "a.json:2:17",
            "this is not JSON: Expecting ':' delimiter",
        ),
        (
            '{"flags": {"a": 1},}',
            "a.json:1:20",
            "this is not JSON: Expecting property name enclosed in double quotes",
        ),
        (f"{GOOD}\n}}", "a.json:2:1", "this is not JSON: Extra data"),
        ('{"ü": NaN}', "a.json:1:7", "this is not JSON: JSON is malformed: invalid character (byte 7)"),
        (f'{{"flags": {{"a": {"9" * 5000}}}}}', "a.json:1:1", "an integer in it has too many digits"),
        (f'{{"flags": {{"a": {"[" * 5000}{"]" * 5000}}}}}', "a.json:1:1", "this is nested too deeply"),
        ('{"flags": {"a": "\\ud800"}}', "a.json:1:1", "this is not JSON: Input data was truncated"),
        (f'{{"flags": {"9" * 5000}}}', "a.json:1:1", "an integer in it has too many digits"),
        ('{"ü": "\\ud800"}', "a.json:1:1", "this is not JSON: Input data was truncated"),
        (b'{"a": "\xff"}', "a.json:1:1", "this is not JSON: 'utf-8' codec"),
        ('{"a": ' + "[" * 100_000, "a.json:1:1", "this is nested too deeply to be read"),
        ("flags: [\n", "a.json:2:1", ""),
        ("- 1\n", "a.json:1:1", ""),
        ("", "a.json:1:1", "there has to be one document of flags in it, not 0"),
        ("flags: {}\n---\nflags: {}\n", "a.json:1:1", "there has to be one document of flags in it, not 2"),
        ("{}", "a.json:1:1", "`flags` is missing"),
        ('{\n"flags": []}', "a.json:2:1", "`flags` has to be an object"),
        ('{"flags": {}, "$evaluators": 5}', "a.json:1:15", "`$evaluators` has to be an object"),
        ('{"flags": {}, "metadata": 5}', "a.json:1:15", "`metadata` has to be an object"),
        ('{"flags": {}, "metadata": {"a": []}}', "a.json:1:15", "its metadata `a` has to be a string"),
        ("x" * (MOST_BYTES + 1), "a.json:1:1", "this is too much to read"),
    ],
)
def test_what_cannot_be_read_has_a_place(text: str | bytes, place: str, title: str) -> None:
    with pytest.raises(BadManifest) as error:
        load(text, file="a.json")
    found = error.value.findings[0]
    assert str(found.place) == place
    assert found.title.startswith(title)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, "it has to be an object"),
        ({}, "its `state` has to be ENABLED or DISABLED"),
        ({"state": "enabled"}, "its `state` has to be ENABLED or DISABLED"),
        ({"state": "ENABLED"}, "its `variants` have to be an object with at least one variant"),
        ({"state": "ENABLED", "variants": {}}, "its `variants` have to be an object with at least one variant"),
        ({"targeting": "x"}, "its `targeting` has to be an object"),
        ({"defaultVariant": 5}, "its `defaultVariant` has to be the name of a variant"),
        ({"metadata": 5}, "its `metadata` has to be an object"),
        ({"metadata": {"": 5}}, "its metadata `` has to be a string, a number or a boolean, with a name"),
        ({"metadata": {"a": None}}, "its metadata `a` has to be a string, a number or a boolean, with a name"),
    ],
)
def test_one_flag_that_cannot_be_read_does_not_switch_off_the_others(value: Any, message: str) -> None:
    good = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
    whole = {**good, **value} if isinstance(value, dict) and len(value) == 1 and "state" not in value else value
    found = load(msgspec.json.encode({"flags": {"good": good, "bad": whole}}))
    assert found.evaluate("good", bool, False).value is True
    bad = found.evaluate("bad", bool, False)
    assert (bad.value, bad.reason, bad.error_code) == (False, "ERROR", "PARSE_ERROR")
    assert bad.error_message == f"flag `bad`: {message}"


def test_a_value_is_not_so_deep_that_nobody_can_copy_it() -> None:
    deep = '{"flags": {"a": {"state": "ENABLED", "variants": {"on": %s%s}, "defaultVariant": "on"}}}'
    found = load(deep % ("[" * 63, "]" * 63)).evaluate("a", "object", None)
    assert found.error_code is None
    found = load(deep % ("[" * 64, "]" * 64)).evaluate("a", "object", None)
    assert found.error_message == (
        "flag `a`: its `variants` are too deep: more than 64 lists and objects within each other"
    )


def test_what_is_written_as_before_is_not_read_again() -> None:
    reader = Reader()

    def asked(**flags: Any) -> Definitions:
        return reader.read(json.dumps({"flags": flags}))

    one = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
    before = asked(a=one, b=one, c=5)
    after = asked(b={**one, "state": "DISABLED"}, a=one, c=5)
    assert after.flags["a"] is before.flags["a"]
    assert [after.flags[key].enabled for key in ("a", "b")] == [True, False]
    assert after.broken == before.broken
    assert list(asked(a=one).flags) == ["a"]
    assert asked(b=one).flags["b"] is not before.flags["b"]
    with pytest.raises(BadManifest):
        reader.read('{"flags": {"b": {"state": "\\ud800"}}}')
    assert asked(b=one).flags["b"] == before.flags["b"]


def test_what_nobody_knows_in_a_flag_is_left_alone() -> None:
    assert load(GOOD.replace('"state"', '"owner": "pay", "state"')).evaluate("a", bool, False).value is True
