"""A set of flags: values, reasons, types and errors, and what is the same while sets are swapped."""

import threading
from typing import Any

import pytest

from davy.errors import UsageError
from davy.flags import Definition, Definitions, Details, ErrorCode, FlagSet, FlagType, Reason

from .asking import NOW, flag, flags

ON = {"if": [{"var": "on"}, "on", None]}


def asked(found: Details) -> tuple[Any, ...]:
    return found.value, found.variant, found.reason, found.error_code


@pytest.mark.parametrize(
    ("fields", "context", "answer"),
    [
        ({}, {}, (False, "off", "STATIC", None)),
        ({"defaultVariant": None}, {}, (True, None, "DEFAULT", None)),
        ({"defaultVariant": ""}, {}, (True, None, "DEFAULT", None)),
        ({"state": "DISABLED"}, {}, (True, None, "DISABLED", None)),
        ({"targeting": ON}, {"on": 1}, (True, "on", "TARGETING_MATCH", None)),
        ({"targeting": ON}, {}, (False, "off", "DEFAULT", None)),
        ({"targeting": ON, "defaultVariant": None}, {}, (True, None, "DEFAULT", None)),
        ({"targeting": {}}, {}, (False, "off", "STATIC", None)),
        ({"defaultVariant": "gone"}, {}, (True, None, "ERROR", "GENERAL")),
        ({"targeting": {"cat": "gone"}}, {}, (True, None, "ERROR", "GENERAL")),
        ({"targeting": {"merge": ["on"]}}, {}, (True, None, "ERROR", "GENERAL")),
        ({"targeting": {"$ref": "gone"}}, {}, (True, None, "ERROR", "PARSE_ERROR")),
        (
            {"targeting": {"var": "$flagd.timestamp"}, "variants": {str(int(NOW)): True}},
            {},
            (True, str(int(NOW)), "TARGETING_MATCH", None),
        ),
        (
            {"targeting": {"in": [ON]}, "metadata": {"bucketing": "v9"}},
            {},
            (True, None, "ERROR", "PARSE_ERROR"),
        ),
        ({"targeting": {"or": [{"var": "x"}] * 6000}}, {}, (True, None, "ERROR", "PARSE_ERROR")),
        ({"targeting": ON, "metadata": {"gate": "closed"}}, {"on": 1}, (False, "off", "DISABLED", None)),
        ({"targeting": ON, "metadata": {"gate": "open"}}, {"on": 1}, (True, "on", "TARGETING_MATCH", None)),
        ({"targeting": ON, "metadata": {"killed": True}}, {"on": 1}, (False, "off", "DISABLED", None)),
        ({"targeting": ON, "metadata": {"killed": False}}, {"on": 1}, (True, "on", "TARGETING_MATCH", None)),
        ({"defaultVariant": None, "metadata": {"killed": True}}, {}, (True, None, "DISABLED", None)),
        (
            {"variants": {"true": True, "false": False}, "defaultVariant": False},
            {},
            (False, "false", "STATIC", None),
        ),
        (
            {"variants": {"true": True}, "targeting": {"!": {"var": "x"}}},
            {},
            (True, "true", "TARGETING_MATCH", None),
        ),
        ({"variants": {"1": True}, "targeting": {"+": [0.5, 0.5]}}, {}, (True, "1", "TARGETING_MATCH", None)),
    ],
)
def test_a_value_and_its_reason(
    fields: dict[str, Any], context: dict[str, Any], answer: tuple[Any, ...]
) -> None:
    found = flags(a=flag(**fields))
    assert asked(found.evaluate("a", FlagType.BOOLEAN, True, context)) == answer
    assert asked(found.evaluate("a", "bool", True, context)) == answer


def test_nobody_in_particular_may_be_asked_for() -> None:
    found = flags(a=flag(targeting={"if": [{"var": "x"}, "on"]}))
    for answer in (found.evaluate("a", bool, True), found.evaluate("a", bool, True, {})):
        assert asked(answer) == (False, "off", "DEFAULT", None)


def test_a_flag_that_is_not_there_is_not_found() -> None:
    found = flags().evaluate("a", "string", "code")
    assert asked(found) == ("code", None, Reason.ERROR, ErrorCode.FLAG_NOT_FOUND)
    assert found.error_message == "there is no flag `a`"


VALUES = {
    "boolean": True,
    "string": "s",
    "integer": 3,
    "float": 0.5,
    "object": {"a": [1]},
    "list": [1],
    "null": None,
}


@pytest.mark.parametrize("kind", [*FlagType, None])
@pytest.mark.parametrize("name", list(VALUES))
def test_a_value_is_of_the_type_that_is_asked_for(kind: FlagType | None, name: str) -> None:
    fits = (kind == name or kind is None) and name != "null"
    fits = fits or (kind, name) in [("float", "integer"), ("object", "list"), (None, "list")]
    for rule in ({}, {"targeting": {"if": [True, name]}}):
        found = flags(a={"state": "ENABLED", "variants": VALUES, "defaultVariant": name, **rule}).evaluate(
            "a", kind, "code"
        )
        if fits:
            assert (found.value, found.variant, found.error_code) == (VALUES[name], name, None)
            assert type(found.value) is (float if kind is FlagType.FLOAT else type(VALUES[name]))
        else:
            assert asked(found) == ("code", None, "ERROR", "TYPE_MISMATCH")
            assert found.error_message.startswith(
                f"flag `a` is asked for as {kind}, and its variant `{name}` is "
            )


@pytest.mark.parametrize("kind", ["Boolean", " BOOL ", bool, FlagType.BOOLEAN, "any", None])
def test_a_type_has_several_names(kind: Any) -> None:
    assert flags(a=flag()).evaluate("a", kind, True).value is False


def test_a_type_that_nobody_knows_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(UsageError, match="no type 'money'") as error:
        flags(a=flag(defaultVariant=None)).evaluate("a", "money", 1)
    assert error.value.hint == "the types are boolean, string, integer, float, object"


def test_a_bucketing_that_nobody_knows_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(UsageError, match="there is no bucketing `v1`"):
        FlagSet(Definitions(), bucketing="v1")


def test_a_flag_may_say_how_it_draws() -> None:
    rule = {"fractional": [["on", 50], ["off", 50]]}
    found = flags(
        a=flag(targeting=rule, metadata={"bucketing": "v2"}),
        b=flag(targeting=rule, metadata={"bucketing": "v3"}),
    )
    users = [{"targetingKey": str(at)} for at in range(40)]
    assert [found.evaluate("a", bool, None, user).value for user in users] != [
        found.evaluate("b", bool, None, user).value for user in users
    ]


def test_metadata_of_a_flag_is_over_that_of_its_set() -> None:
    found = flags({"flagSetId": "pay", "version": 7, "owner": "all"}, a=flag(metadata={"owner": "pay"}), b=5)
    assert found.evaluate("a", bool, None).metadata == {"flagSetId": "pay", "version": 7, "owner": "pay"}
    assert found.evaluate("b", bool, None).metadata == found.metadata
    assert (found.version, found.flag_set_id) == ("7", "pay")
    assert (flags().version, flags().flag_set_id) == ("", "")


def test_what_a_caller_does_to_an_object_is_its_own_business() -> None:
    found = flags(a={"state": "ENABLED", "variants": {"on": {"a": [{}]}}, "defaultVariant": "on"})
    value: Any = found.evaluate("a", dict, None).value
    value["a"][0]["b"] = 1
    assert found.evaluate("a", dict, None).value == {"a": [{}]}


def test_a_set_names_its_flags() -> None:
    found = flags(a=flag(), b="broken")
    assert found.keys() == ["a", "b"]
    assert ("b" in found, "c" in found, len(found)) == (True, False, 2)
    found.prepare()
    assert asked(found.evaluate("b", bool, True)) == (True, None, "ERROR", "PARSE_ERROR")


def test_an_integer_that_no_float_can_hold_is_no_float() -> None:
    found = flags(a=flag(variants={"off": 10**400}), b=flag(variants={"off": 2**1000}))
    assert found.evaluate("a", "integer", 0).value == 10**400
    assert asked(found.evaluate("a", "float", 0.5)) == (0.5, None, "ERROR", "TYPE_MISMATCH")
    assert found.evaluate("b", "float", 0.5).value == float(2**1000)


def test_what_changed_is_what_may_answer_differently() -> None:
    by_rule = flag(targeting={"if": [{"$ref": "r"}, "on", "off"]})
    old = flags({"version": "1"}, {"r": True}, a=flag(), b=flag(), c=flag(), d=5, r=by_rule)
    again = {"a": flag(), "b": flag(), "c": flag(), "d": 5, "r": by_rule}
    assert old.changed(
        flags({"version": "1"}, {"r": True}, **{**again, "b": flag(state="DISABLED"), "e": flag(), "d": []})
    ) == ["b", "e"]
    assert old.changed(flags({"version": "1"}, {"r": True}, **{**again, "d": flag()})) == ["d"]
    assert old.changed(flags({}, {"r": True}, a=flag())) == ["b", "c", "d", "r"]
    assert old.changed(FlagSet(old.definitions, bucketing="v2")) == ["a", "b", "c", "d", "r"]
    assert old.changed(flags({"team": "x"}, {"r": True}, **again)) == ["a", "b", "c", "d", "r"]


def test_a_set_can_be_prepared_like_another_and_says_which_flags_ask_nobody() -> None:
    rule = {
        "a": flag(targeting=ON),
        "b": flag(targeting=ON),
        "c": flag(),
        "d": flag(state="DISABLED", targeting=ON),
    }
    old, new = flags(**rule), flags(**rule, e=flag(targeting=ON, metadata={"killed": True}))
    assert old.fixed == {"c", "d"}
    assert new.fixed == {"c", "d", "e"}
    old.evaluate("a", bool, False)
    new.prepare(like=old)
    assert [key for key, answer in new._answers.items() if answer is not None] == ["a"]
    new.prepare()
    assert None not in new._answers.values()


def test_a_new_version_alone_changes_no_flag_and_a_shared_rule_only_those_that_use_it() -> None:
    one = {"a": flag(), "r": flag(targeting={"if": [{"$ref": "r"}, "on", "off"]})}
    old = flags({"version": "1"}, {"r": True, "s": 1}, **one)
    assert old.changed(flags({"version": "2"}, {"r": True, "s": 1}, **one)) == []
    assert old.changed(flags({"version": "2"}, {"r": True}, **one)) == []
    assert old.changed(flags({"version": "2"}, {"r": 1, "s": 1}, **one)) == ["r"]
    assert old.changed(flags({"version": "2"}, {"s": 1}, **one)) == ["r"]
    assert old.changed(flags({"version": "2"}, {"s": 1})) == ["a", "r"]


def test_true_that_becomes_one_is_a_change_though_python_has_them_equal() -> None:
    old = flags(a=flag(variants={"on": True, "off": False}), b=flag(variants={"off": 0, "on": 1}))
    new = flags(a=flag(variants={"on": 1, "off": 0}), b=flag(variants={"on": 1, "off": 0}))
    assert old.changed(new) == ["a"]


def test_definitions_need_no_document() -> None:
    found = FlagSet(Definitions({"a": Definition("a", {"on": 1}, default_variant="on")}), clock=lambda: NOW)
    assert asked(found.evaluate("a", "number", 0.0)) == (1.0, "on", "STATIC", None)


def test_an_evaluation_is_by_one_set_while_sets_are_swapped() -> None:
    """Every flag of a set answers with the set's own number, before it was compiled, while and after."""

    def numbered(number: int) -> FlagSet:
        rule = {"if": [{"var": "x"}, str(number), "gone"]}
        each = {"state": "ENABLED", "variants": {str(number): number}, "targeting": rule}
        return flags({"version": number}, **{f"f{at}": each for at in range(30)})

    holder = [numbered(0)]
    torn: list[Details] = []
    done = threading.Event()

    def ask() -> None:
        names = holder[0].keys()
        while not done.is_set():
            held = holder[0]
            for key in names:
                found = held.evaluate(key, int, -1, {"x": True})
                if not str(found.value) == found.variant == str(found.metadata["version"]):
                    torn.append(found)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 40):
        holder[0] = numbered(number)
    done.set()
    for thread in threads:
        thread.join()
    assert torn == []
