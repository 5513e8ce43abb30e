"""Builtins answer as OPA does: cases that an `opa` of version 1.22.3 answered, and what is ours alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from davy.policy.rego.budget import Budget, BudgetExceeded, check_collection, check_text
from davy.policy.rego.builtin import number, place, text, whole
from davy.policy.rego.builtins import BUILTINS, REFUSED, BuiltinError, Context
from davy.policy.rego.builtins.sprintf import sprintf
from davy.policy.rego.values import UNDEFINED, RegoSet, Value, equal, key_of, to_text, type_name

FILES = Path(__file__).parents[2] / "cases" / "rego"
CASES = [
    case
    for name in ("builtins", "tokens", "keys", "further")
    for case in json.loads((FILES / f"{name}.json").read_text())
]


def value_of_case(written: Any) -> Value:
    """Read a case: `{"$set": […]}` is a set, `{"$object": [[key, value]]}` an object with any keys."""
    match written:
        case {"$set": found}:
            return RegoSet(map(value_of_case, found))
        case {"$object": pairs}:
            return {key_of(value_of_case(key)): value_of_case(found) for key, found in pairs}
        case dict():
            return {key: value_of_case(found) for key, found in written.items()}
        case list():
            return list(map(value_of_case, written))
        case _:
            return written


def call(name: str, *arguments: Value, context: Context | None = None) -> Value:
    builtin = BUILTINS[name]
    before = to_text(list(arguments))
    answer = builtin.call(*([context or Context()] if builtin.contextual else []), *arguments)
    assert to_text(list(arguments)) == before, "nobody changes what a builtin is given"
    return answer


@pytest.mark.parametrize("name", sorted({case["builtin"] for case in CASES}))
def test_answers_are_those_of_opa(name: str) -> None:
    for case in (case for case in CASES if case["builtin"] == name):
        arguments = [value_of_case(argument) for argument in case["arguments"]]
        if case["answer"] is None:
            with pytest.raises(BuiltinError):
                call(name, *arguments)
            continue
        answer = call(name, *arguments)
        assert [type_name(answer), sprintf("%v", [answer])] == case["answer"], case


def test_every_builtin_with_a_case_takes_as_many_arguments_as_it_says() -> None:
    for case in CASES:
        assert BUILTINS[case["builtin"]].arity == len(case["arguments"])


def test_what_is_refused_says_why() -> None:
    assert not REFUSED.keys() & BUILTINS.keys()
    assert all(REFUSED.values())


def test_walk_goes_through_everything_that_a_value_has() -> None:
    found = list(call("walk", {"a": [1, RegoSet([2])], "b": {}}))
    assert to_text(found) == (
        '[[[], {"a": [1, {2}], "b": {}}], [["a"], [1, {2}]], [["a", 0], 1], [["a", 1], {2}], '
        '[["a", 1, 2], 2], [["b"], {}]]'
    )
    assert BUILTINS["walk"].relation


def test_walk_spends_steps() -> None:
    context = Context(budget=Budget(steps=3))
    with pytest.raises(BudgetExceeded):
        list(call("walk", [1, 2, 3, 4], context=context))


def test_what_looks_random_is_the_same_all_through_an_evaluation() -> None:
    one, other = Context(seed=1), Context(seed=2)
    drawn = [call("rand.intn", "a", 10**9, context=one) for _ in range(2)]
    assert drawn[0] == drawn[1] != call("rand.intn", "a", 10**9, context=other)
    assert 0 <= drawn[0] < 10**9
    assert call("rand.intn", "a", 0) == 0
    uuids = [call("uuid.rfc4122", "a", context=context) for context in (one, one, other)]
    assert uuids[0] == uuids[1] != uuids[2]
    assert call("uuid.parse", uuids[0]) == {"version": 4, "variant": "RFC4122"}


def test_time_is_what_the_caller_says() -> None:
    assert call("time.now_ns", context=Context(now_ns=7)) == 7


def test_what_is_printed_is_collected() -> None:
    context = Context()
    assert call("print", "a", 1, UNDEFINED, RegoSet([1]), context=context) is True
    assert call("trace", "b", context=context) is True
    assert context.printed == ["a 1 <undefined> {1}", "b"]


def test_template_strings() -> None:
    assert (
        call("internal.template_string", ["a", 1, RegoSet(["x"]), RegoSet(), RegoSet([[1]])])
        == "a1x<undefined>[1]"
    )
    with pytest.raises(BuiltinError):
        call("internal.template_string", [RegoSet([1, 2])])


def test_external_data_is_asked_of_the_caller_or_of_nobody() -> None:
    request = {"provider": "p", "keys": ["k"]}
    context = Context(external_data=lambda asked: {"responses": [[asked["keys"][0], "v"]]})
    assert call("external_data", request, context=context) == {"responses": [["k", "v"]]}
    with pytest.raises(BuiltinError):
        call("external_data", request)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("numbers.range", [0, 10**9]),
        ("sprintf", ["%1000000d" * 9, [1] * 9]),
        ("concat", ["x" * 4096, [""] * 4096]),
        ("replace", ["a" * 4096, "a", "b" * 4096]),
        ("regex.replace", ["a" * 4096, "a", "b" * 4096]),
        ("net.cidr_expand", ["10.0.0.0/8"]),
        ("net.cidr_contains_matches", [["1.0.0.0/8"] * 1001] * 2),
        ("bits.lsh", [1, 10**6]),
        ("mul", [10**4000, 10**4000]),
        ("plus", [10**4096 - 1, 1]),
        ("regex.globs_match", ["a*" * 1001, "a*" * 1001]),
        ("product", [[10**4000, 10**4000]]),
        ("product", [[1e300, 1e300, 0.5]]),
        ("json.unmarshal", ["1e99999"]),
        ("units.parse", ["1e99999"]),
        ("regex.find_n", ["a", "a" * 100_000, -1]),
        ("regex.replace", ["a" * 100_000, "a", ""]),
        ("array.concat", [[0] * 600_000] * 2),
        ("strings.any_prefix_match", [["a"] * 5_000, ["b"] * 5_000]),
    ],
)
def test_nothing_grows_beyond_measure(name: str, arguments: list[Value]) -> None:
    with pytest.raises(BudgetExceeded):
        call(name, *arguments)


def test_a_budget_runs_out() -> None:
    budget = Budget(steps=1, size=1)
    budget.spend()
    budget.grow(1)
    with pytest.raises(BudgetExceeded):
        budget.spend()
    with pytest.raises(BudgetExceeded):
        budget.grow(1)
    check_text(1)
    check_collection(1)


@pytest.mark.parametrize(
    ("take", "value"), [(text, 1), (number, "a"), (whole, 1.5), (whole, None), (place, 2**63)]
)
def test_arguments_of_another_type_are_refused(take: Any, value: Value) -> None:
    with pytest.raises(BuiltinError, match="operand 2"):
        take(value, 2)


def test_operators_do_not_take_true_for_one() -> None:
    with pytest.raises(BuiltinError):
        call("plus", True, 1)
    assert call("equal", 1, True) is False
    assert call("neq", [1], [True]) is True
    assert equal(call("sort", RegoSet([True, 1, None])), [None, True, 1])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("concat", [",", "a"]),
        ("units.parse_bytes", ["1x"]),
        ("net.cidr_contains_matches", [1, ["1.1.1.1"]]),
        ("time.parse_ns", ["3PM", "13PM"]),
        ("io.jwt.verify_rs256", ["a.b.AAAA", '{"kty": "RSA", "n": "AQ", "e": "AQAB"}']),
        ("io.jwt.verify_es256", ["a.b.AAAA", '{"kty": "EC", "crv": "P-1", "x": "AQ", "y": "AQAB"}']),
        ("io.jwt.verify_es256", ["a.b.AAAA", '{"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQAB"}']),
        ("io.jwt.verify_es256", ["a.b.AAAA", "[1]"]),
        ("io.jwt.verify_es256", ["a.b.AAAA", "1"]),
        ("io.jwt.verify_es256", ["a.b.AAAA", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]),
        ("json.patch", [[1], [{"op": "remove", "path": [None]}]]),
        ("json.patch", [[1], [{"op": "remove", "path": ["x"]}]]),
        ("json.patch", [{}, [{"op": "test", "path": ["x"], "value": 1}]]),
    ],
)
def test_what_cannot_be_answered_is_undefined(name: str, arguments: list[Value]) -> None:
    with pytest.raises(BuiltinError):
        call(name, *arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "answer"),
    [
        ("div", [6, 3], 2),
        ("object.union", [{"a": {"b": 1}}, {"a": 2}], {"a": 2}),
        ("object.union", [{"a": 2}, {"a": {"b": 1}}], {"a": {"b": 1}}),
        ("product", [[1e300, 2]], 2 * 10**300),
        ("regex.globs_match", ["ab*", "b"], False),
        ("regex.globs_match", ["ab*c", "abbc"], True),
        ("regex.globs_match", ["a*b", "c*d"], False),
        ("plus", [0.5, 0.5], 1),
        ("mul", [1e21, 1.5], 1500000000000000000000),
        ("div", [1e20, 3], 33333333333333333334),
        ("div", [-(2**70), 3], -393530540239137101150),
        ("plus", [1e21, 0.5], 10**21),
        ("glob.match", ["?[b-c]", [], "ab"], True),
        ("glob.match", ["a,b}", [], "a,b}"], True),
        ("glob.match", ["*\\*", None, "a.*"], True),
        ("glob.match", ["?", None, "."], True),
        ("object.subset", [{"a": "x"}, {"a": ["x"]}], False),
        ("object.subset", [{"a": RegoSet([1, 2])}, {"a": RegoSet([1])}], True),
        ("object.subset", [RegoSet([1, 2]), RegoSet([3])], False),
        ("object.subset", [[1, 2], [2]], True),
        ("time.parse_ns", ["2006 3:04PM", "1970 12:00AM"], 0),
        ("time.parse_ns", ["2006 3pm", "1970 12pm"], 12 * 3600 * 10**9),
        ("time.parse_ns", ["2006 3pm", "1970 1pm"], 13 * 3600 * 10**9),
        ("div", [1, 4], 0.25),
        ("json.unmarshal", [r'["\u0041\ud800", 1, {"\u0041": null}]'], ["A\ufffd", 1, {"A": None}]),
        ("object.subset", [{"a": "x"}, {"a": "x"}], True),
        ("json.patch", [{"a": [[1], 2]}, [{"op": "add", "path": "a/0/1", "value": 3}]], {"a": [[1, 3], 2]}),
        ("regex.replace", ["baac", "a*", "x"], "xbxcx"),
        ("sprintf", ["%99999999d", [1]], "%!(NOVERB)%!(EXTRA int64=1)"),
    ],
)
def test_further_answers(name: str, arguments: list[Value], answer: Value) -> None:
    assert to_text(call(name, *arguments)) == to_text(answer)


def test_long_paths_and_deep_values_are_refused() -> None:
    with pytest.raises(BuiltinError):
        call("json.patch", {}, [{"op": "add", "path": ["a"] * 201, "value": 1}])
    with pytest.raises(BudgetExceeded):
        call("json.unmarshal", "[" * 100_000)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "x"},
        {"type": 1},
        {"allOf": []},
        {"minLength": -1},
        {"minimum": "x"},
        {"multipleOf": 0},
        {"required": "a"},
        {"enum": []},
        {"enum": [1, 1]},
        {"pattern": 1},
        {"pattern": "("},
        {"items": 1},
        {"exclusiveMinimum": True},
        {"exclusiveMinimum": "x"},
        {"uniqueItems": 1},
        {"properties": []},
        {"minItems": 2, "maxItems": 1},
        {"$ref": "http://example.com/x"},
        {"$ref": "#/nope"},
        "x",
        [],
        1,
    ],
)
def test_what_is_no_schema_is_said_to_be_none(schema: Value) -> None:
    assert call("json.verify_schema", schema)[0] is False
    with pytest.raises(BuiltinError):
        call("json.match_schema", {}, schema)


def test_a_schema_that_is_within_itself_is_a_budget_error() -> None:
    with pytest.raises((BudgetExceeded, RecursionError)):
        call("json.match_schema", {}, {"$ref": "#"}, context=Context(budget=Budget(steps=500)))


def minted() -> list[Any]:
    """Give a key for each algorithm whose signatures differ each time, or that OPA makes its own way."""
    keys = json.loads((FILES / "minting.json").read_text())
    rsa, elliptic, ed25519 = keys["rsa"], keys["ec"], keys["ed"]
    algorithms = ("PS256", "PS384", "PS512", "RS384")
    return [
        *(pytest.param(algorithm, rsa, id=algorithm) for algorithm in algorithms),
        pytest.param("ES256", elliptic, id="ES256"),
        pytest.param("EdDSA", ed25519, id="EdDSA"),
    ]


@pytest.mark.parametrize(("algorithm", "key"), minted())
def test_a_token_that_was_signed_is_genuine_and_a_changed_one_is_not(
    algorithm: str, key: dict[str, Value]
) -> None:
    token = call("io.jwt.encode_sign", {"alg": algorithm}, {"a": 1}, key)
    assert isinstance(token, str)
    public = json.dumps({name: key[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in key})
    verified = call("io.jwt.decode_verify", token, {"cert": public})
    assert to_text(verified) == to_text([True, {"alg": algorithm}, {"a": 1}])
    header, _, signature = token.split(".")
    assert to_text(call("io.jwt.decode_verify", f"{header}.e30.{signature}", {"cert": public})) == (
        "[false, {}, {}]"
    )


def test_a_key_signs_only_by_the_algorithm_of_its_curve() -> None:
    keys = json.loads((FILES / "minting.json").read_text())
    with pytest.raises(BuiltinError, match="curve"):
        call("io.jwt.encode_sign", {"alg": "ES384"}, {}, keys["ec"])


def test_too_many_pem_blocks_are_refused() -> None:
    block = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    with pytest.raises(BuiltinError, match="200 PEM blocks"):
        call("crypto.parse_private_keys", block * 201)


def test_pem_without_a_certificate_is_no_certificate() -> None:
    with pytest.raises(BuiltinError):
        call("crypto.x509.parse_certificates", "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n")


def test_keys_that_davy_does_not_know_are_refused() -> None:
    for written in json.loads((FILES / "minting.json").read_text())["unknown"]:
        name = "crypto.x509.parse_certificates" if "CERTIFICATE" in written else "crypto.parse_private_keys"
        with pytest.raises(BuiltinError, match=r"neither RSA, ECDSA nor Ed25519|malformed"):
            call(name, written)
