"""The same flags, rules and contexts, answered by Davy and by flagd's own evaluator for Python.

Where the two are known to differ, and why, is in `docs/reference/flags.md`, and each of those places has a test
in `test_differences.py`; the rules that are made here stay out of them.
"""

import copy
import json
import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

from davy.flags import Details, load

DEFAULTS: dict[str, Any] = {
    "boolean": False,
    "string": "code",
    "integer": -1,
    "float": -0.5,
    "object": {"a": 1},
}

names = st.sampled_from(
    ["email", "plan", "age", "version", "beta", "tags", "in.a", "in.list.1", "gone", "targetingKey"]
)
words = st.sampled_from(["pro", "free", "a@b.example", "1.2.3", "v2.0.0-rc.1", "2", "on", "10", "x y", "ü"])
numbers = st.integers(-5, 120) | st.sampled_from([0.5, 99.25])
variants = st.sampled_from(["on", "off", "true", "false", "other", "gone"])
variable = names.map(lambda name: {"var": name}) | st.builds(
    lambda name, other: {"var": [name, other]}, names, words
)
value = variable | words | numbers
comparison = st.sampled_from(["<", "<=", ">", ">="])
affix = st.sampled_from(["starts_with", "ends_with"])
operator = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "~", "^", "nope"])
truths = (
    st.builds(lambda op, a, b: {op: [a, b]}, st.sampled_from(["==", "!=", "===", "!=="]), variable, words)
    | st.builds(lambda op, a, b: {op: [a, b]}, comparison, variable | numbers, numbers)
    | st.builds(lambda op, a, b: {op: [a, b]}, comparison, words, words)
    | st.builds(lambda op, a, b, c: {op: [a, b, c]}, comparison, numbers, variable, numbers)
    | st.builds(lambda op, a, b: {op: [a, b]}, affix, value, value)
    | st.builds(lambda a, op, b: {"sem_ver": [a, op, b]}, value, operator, value)
    | st.builds(lambda a, b: {"in": [a, b]}, words, value | st.lists(words, max_size=4))
    | st.builds(lambda a, b: {"in": [a, b]}, variable, st.lists(words, max_size=4))
    | st.booleans()
    | st.none()
)
numeric = st.recursive(
    value,
    lambda inner: (
        st.builds(lambda op, a: {op: a}, st.sampled_from(["+", "*"]), st.lists(inner, min_size=1, max_size=3))
        | st.builds(
            lambda op, a: {op: a}, st.sampled_from(["min", "max"]), st.lists(numbers, min_size=1, max_size=3)
        )
        | st.builds(lambda a, b: {"-": [a, b]}, inner, numbers)
    ),
    max_leaves=5,
)
fractions = st.builds(
    lambda by, shares: {"fractional": [*by, *shares]},
    st.sampled_from(
        [
            [],
            [{"var": "email"}],
            [{"var": "age"}],
            [{"cat": [{"var": "$flagd.flagKey"}, {"var": "plan"}]}],
            [{"var": "gone"}],
            [{"var": "in"}],
        ]
    ),
    st.lists(
        st.tuples(variants).map(list)
        | st.tuples(variants, st.integers(-3, 60)).map(list)
        | st.tuples(
            st.builds(lambda c, a, b: {"if": [c, a, b]}, truths, variants, variants),
            st.builds(lambda a: {"-": [a, 3]}, st.integers(0, 9)),
        ).map(list),
        max_size=4,
    ),
)
lists = (
    st.just({"var": "tags"})
    | st.lists(words, max_size=3)
    | st.builds(lambda a, b: {"merge": [a, b]}, variable, words)
)
item = st.sampled_from(
    [{"==": [{"var": ""}, "pro"]}, {"var": ""}, {"in": ["o", {"var": ""}]}, True, {"var": "x"}]
)
lookups = (
    st.builds(lambda op, a, b: {op: [a, b]}, st.sampled_from(["all", "some", "none"]), lists, item)
    | st.builds(lambda op, a, b: {op: [a, b]}, st.sampled_from(["map", "filter"]), lists, item)
    | st.builds(lambda a: {"missing": a}, st.lists(names, max_size=3))
    | st.builds(lambda n, a: {"missing_some": [n, a]}, st.integers(0, 3), st.lists(names, max_size=3))
    | st.builds(lambda a, b, c: {"substr": [a, b, c]}, words, st.integers(-6, 6), st.integers(-6, 6))
    | st.builds(
        lambda a: {"reduce": [a, {"cat": [{"var": "accumulator"}, {"var": "current"}]}, "."]},
        st.lists(words, max_size=3),
    )
    | numeric
)
rules = st.recursive(
    truths
    | variants
    | fractions
    | lookups
    | st.just({"$ref": "shared"})
    | st.just({"$ref": "none"})
    | st.just({"unheard": [1]}),
    lambda inner: (
        st.builds(
            lambda op, parts: {op: parts},
            st.sampled_from(["if", "?:", "and", "or"]),
            st.lists(inner, max_size=6),
        )
        | st.builds(lambda op, a: {op: [a]}, st.sampled_from(["!", "!!"]), inner)
    ),
    max_leaves=14,
).filter(lambda rule: isinstance(rule, dict))
objects = st.fixed_dictionaries({"a": st.integers(0, 3)}) | st.lists(st.integers(0, 3), max_size=2)
values = st.booleans() | words | st.integers(-9, 9) | st.sampled_from([0.5, 2.0]) | objects
scalars = st.booleans() | words | st.integers(-9, 9)
flags = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["ENABLED"] * 5 + ["DISABLED"]),
        "variants": st.dictionaries(variants.filter(lambda name: name != "gone"), values, min_size=1),
    },
    optional={
        "defaultVariant": st.sampled_from(["on", "off", "gone", "", None, True, False]),
        "targeting": rules,
        "metadata": st.dictionaries(st.sampled_from(["owner", "jira"]), scalars),
    },
)
contexts = st.fixed_dictionaries(
    {},
    optional={
        "targetingKey": words,
        "email": words,
        "plan": words,
        "age": numbers,
        "version": words | st.sampled_from(["1.2", "V3", "1.2.3+b", "2.0.0-rc.1"]),
        "beta": st.booleans(),
        "tags": st.lists(words, max_size=3),
        "in": st.fixed_dictionaries({"a": words, "list": st.lists(words, max_size=3)}),
    },
)


def by_flagd(document: dict[str, Any], kind: str, context: dict[str, Any]) -> Details | None:
    """Ask flagd's evaluator; None where it falls over."""
    core = FlagdCore()
    core.set_flags(json.dumps(document))
    attributes = copy.deepcopy(context)
    asked = EvaluationContext(attributes.pop("targetingKey", None), attributes)
    metadata = {**document["metadata"], **document["flags"]["flag"].get("metadata", {})}
    try:
        found = getattr(core, f"resolve_{kind}_value")("flag", DEFAULTS[kind], asked)
    except OpenFeatureError as error:
        return Details(DEFAULTS[kind], None, "ERROR", error.error_code.value, "", metadata)
    except (TypeError, ArithmeticError, ValueError):
        return None
    return Details(found.value, found.variant, found.reason, None, "", found.flag_metadata)


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(flags, st.sampled_from(list(DEFAULTS)), contexts, st.lists(rules, max_size=1))
def test_it_answers_what_flagd_answers(
    flag: dict[str, Any], kind: str, context: dict[str, Any], shared: list[Any]
) -> None:
    usable = [rule for rule in shared if not re.search(r"[$\\]", json.dumps(rule))]
    evaluators = dict(zip(["shared"], usable, strict=False))
    document = {
        "flags": {"flag": flag},
        "$evaluators": evaluators,
        "metadata": {"flagSetId": "a", "owner": "b"},
    }
    ours = load(json.dumps(document)).evaluate("flag", kind, DEFAULTS[kind], context)
    theirs = by_flagd(document, kind, context)
    if theirs is not None and not (
        kind == "float" and any(type(each) is bool for each in flag["variants"].values())
    ):
        assert shown(ours) == shown(theirs)


def shown(details: Details) -> tuple[Any, ...]:
    return (
        details.value,
        type(details.value),
        details.variant,
        details.reason,
        details.error_code,
        details.metadata,
    )
