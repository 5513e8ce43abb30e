"""Other vendors' flags answer here as they do there, and what cannot be said here is told."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ldclient import Context, LDClient
from ldclient.config import Config
from ldclient.integrations import Files

from davy.flags.details import Json
from davy.flags.flagset import FlagSet
from davy.flags.importing import Given, Imported, from_flagd, from_launchdarkly, from_unleash, manifest
from davy.flags.importing.imported import Told, all_of, any_of, chosen, key_of, negated, renamed, safe_among
from davy.flags.registry import Registry, read_registry

CASES = Path(__file__).parent.parent / "cases" / "flags"
GIVEN = Given("shop", "SHOP-1", "2027-03-01")


def registry_of(*flags: Imported) -> Registry:
    """Read flags as they are written."""
    text = "---\n".join(json.dumps(manifest(flag, GIVEN)) + "\n" for flag in flags)
    registry, findings = read_registry([("imported.json", text.encode())])
    assert [finding.title for finding in findings] == []
    return registry


def answers(flags: list[Imported], environment: str = "production") -> FlagSet:
    return FlagSet(registry_of(*flags).definitions(environment))


def told_of(told: list[Told], flag: str, severity: str = "error") -> list[str]:
    return [each.message for each in told if (each.flag, each.severity) == (flag, severity)]


# ---------- LaunchDarkly ----------


@pytest.fixture(scope="module")
def launchdarkly() -> Iterator[LDClient]:
    source = Files.new_data_source(paths=[str(CASES / "launchdarkly.json")])
    with LDClient(Config("sdk-key", update_processor_class=source, send_events=False)) as client:
        assert client.is_initialized()
        yield client


CONTEXTS: list[dict[str, Any]] = [
    {"targetingKey": "ann"},
    {"targetingKey": "bob", "age": 17},
    {"targetingKey": "bob", "age": 18},
    {"targetingKey": "bob", "age": "30"},
    {"targetingKey": "ann", "age": 64.5, "agent": "Mobile Safari"},
    {"targetingKey": "ann", "age": 65, "agent": "Mobile Safari", "email": "a@example.com"},
    {"targetingKey": "ann", "version": "2.1.0"},
    {"targetingKey": "ann", "version": "2.2", "agent": 7},
    {"targetingKey": "beta-7", "tags": ["a", "vip"]},
    {"targetingKey": "beta-7", "tags": "vip"},
    {"targetingKey": "eve", "tags": ["vip"], "email": "e@example.com"},
    {"targetingKey": "mallory", "email": "m@example.com"},
    {"targetingKey": "carl", "country": "DE"},
    {"targetingKey": "carl", "country": "DE", "plan": "free"},
    {"targetingKey": "carl", "country": "DE", "plan": "paid"},
    {"targetingKey": "carl", "country": ["FR", "AT"], "plan": ["free", "paid"]},
    {"targetingKey": "carl", "country": ["FR", "AT"], "plan": []},
    {"targetingKey": "carl", "country": True, "plan": 1},
    {"targetingKey": "carl", "email": "c@example.com", "agent": ["x", "Mobile"]},
]


@pytest.mark.parametrize("context", CONTEXTS, ids=json.dumps)
@pytest.mark.parametrize(
    ("key", "here"),
    [
        ("newCheckout", "imported.new-checkout"),
        ("checkout.theme", "checkout.theme"),
        ("search.limit", "search.limit"),
        ("needs.off", "needs.off"),
        ("needs.fixed", "needs.fixed"),
        ("always.on", "always.on"),
        ("legacy-search", "imported.legacy-search"),
    ],
)
def test_launchdarkly_answers_the_same(
    launchdarkly: LDClient, key: str, here: str, context: Mapping[str, Any]
) -> None:
    flags, _ = from_launchdarkly(json.loads((CASES / "launchdarkly.json").read_text()))
    user = Context.from_dict({"kind": "user", "key": context["targetingKey"], **context})
    there = launchdarkly.variation(key, user, "nothing")
    details = answers(flags).evaluate(here, None, "nothing", context)
    assert (details.value, details.error_code) == (there, None)


def test_what_launchdarkly_says_otherwise_is_told() -> None:
    flags, told = from_launchdarkly(json.loads((CASES / "launchdarkly.json").read_text()))
    assert "mixed" not in {flag.key for flag in flags}
    assert "are not of one type" in told_of(told, "mixed")[0]
    assert "are not of one type" in told_of(told, "bad-value")[0]
    assert "is off" in told_of(told, "search.limit", "warning")[0]
    assert "is written out" in told_of(told, "checkout.theme", "warning")[0]
    assert "'nowhere' is not in this export" in told_of(told, "needs.gone")[0]
    share = "\n".join(told_of(told, "search.share"))
    for word in (
        "a regular expression",
        "a date",
        "operator 'unheard'",
        "'name' of a context of the kind 'org'",
        "the attribute 'a.b'",
        "the segment 'drawn' draws a percentage",
        "the segment 'big' names its members elsewhere",
        "the segment 'gone' is not in this export",
        "targets of the kind 'org' are left out",
        "not by the kind 'org'",
    ):
        assert word in share
    assert "another hash" in told_of(told, "search.share", "warning")[1]
    assert "no off variation" in told_of(told, "search.share", "warning")[0]
    (found,) = [flag for flag in flags if flag.key == "search.share"]
    assert found.kind == "permission"
    assert found.answers[""].targeting == {
        "if": [
            {"some": [{"merge": [{"var": "country"}]}, {"in": [{"var": ""}, ["FR"]]}]},
            {"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "account"}]}, ["on", 1], ["off", 3]]},
            {"fractional": [["on", 1], ["off", 1]]},
        ]
    }
    assert list(found.variants) == ["on", "off", "on-2"]


def test_environments_of_launchdarkly_are_overlays() -> None:
    export = json.loads((CASES / "launchdarkly-rest.json").read_text())
    flags, told = from_launchdarkly(export)
    assert told == []
    (flag,) = registry_of(*flags).flags.values()
    assert (flag.key, flag.governance.exposure) == ("imported.enable-invoices", "client")
    assert flag.definition.variants == {"Available": True, "off": False}
    assert flag.definition.targeting == {"if": [{"in": [{"var": "targetingKey"}, ["ann"]]}, "Available", "off"]}
    assert {name: each.default_variant for name, each in flag.environments.items()} == {
        "staging": "Available",
        "test": "off",
    }
    assert from_launchdarkly(export["items"][0])[0] == flags


# ---------- Unleash ----------


def test_environments_of_unleash_are_overlays() -> None:
    flags, told = from_unleash(json.loads((CASES / "unleash-export.json").read_text()))
    assert [flag.key for flag in flags] == ["checkout.fraud-check", "newCheckout"]
    registry = registry_of(*flags)
    fraud = registry.flags["checkout.fraud-check"]
    assert (fraud.governance.kind, fraud.definition.default_variant) == ("kill-switch", "on")
    assert fraud.environments["development"].default_variant == "off"
    assert "what its strategies say" not in "".join(told_of(told, "checkout.fraud-check", "warning"))
    production = FlagSet(registry.definitions("production"))

    def on(**context: Any) -> Any:
        return production.evaluate("imported.new-checkout", None, None, context).value

    assert on(targetingKey="bob") is True
    assert on(targetingKey="carl") is False
    drawn = [on(targetingKey=f"user-{number}", country="AT") for number in range(1000)]
    assert 200 < sum(drawn) < 300
    development = registry.flags["imported.new-checkout"].environments["development"]
    assert development.targeting is None
    assert development.default_variant == "off"
    assert "another hash" in "".join(told_of(told, "newCheckout", "warning"))
    assert "impression data" in told_of(told, "newCheckout", "note")[0]


def unleash(*strategies: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": 2, "features": [{"name": "a.b", "enabled": True, "strategies": strategies, **more}]}


def constrained(operator: str, name: str = "x", **more: Any) -> dict[str, Any]:
    return {"name": "default", "constraints": [{"contextName": name, "operator": operator, **more}]}


@pytest.mark.parametrize(
    ("strategy", "on", "off"),
    [
        ({"name": "default"}, {}, None),
        (
            {"name": "userWithId", "parameters": {"userIds": "a, b"}},
            {"targetingKey": "b"},
            {"targetingKey": "c"},
        ),
        ({"name": "remoteAddress", "parameters": {"IPs": "10.0.0.1"}}, {"remoteAddress": "10.0.0.1"}, {}),
        ({"name": "flexibleRollout", "parameters": {"rollout": 100}}, {}, None),
        ({"name": "flexibleRollout", "parameters": {"rollout": 0}}, None, {"targetingKey": "a"}),
        (constrained("IN", "userId", values=["a"]), {"targetingKey": "a"}, {}),
        (constrained("NOT_IN", "properties.x", values=["a"]), {}, {"x": "a"}),
        (constrained("IN", values=["a"], inverted=True), {}, {"x": "a"}),
        (constrained("STR_STARTS_WITH", values=["a", "b"]), {"x": "bc"}, {"x": "cb"}),
        (constrained("STR_ENDS_WITH", values=["a"]), {"x": "ba"}, {}),
        (constrained("STR_CONTAINS", values=["a"]), {"x": "bab"}, {"x": "b"}),
        (constrained("NUM_EQ", value="5"), {"x": "5"}, {"x": 6}),
        (constrained("NUM_LT", value="5"), {"x": 4}, {}),
        (constrained("NUM_GTE", value="5"), {"x": 5}, {"x": 4.9}),
        (constrained("SEMVER_GT", value="1.2.0"), {"x": "1.10.0"}, {"x": "1.2.0"}),
        (constrained("DATE_AFTER", "currentTime", value="2020-01-01T00:00:00Z"), {}, None),
        (constrained("DATE_BEFORE", "currentTime", value="2020-01-01T00:00:00"), None, {}),
    ],
)
def test_a_strategy_of_unleash_is_on_for_whom_it_was(
    strategy: Mapping[str, Any], on: Mapping[str, Any] | None, off: Mapping[str, Any] | None
) -> None:
    flags, told = from_unleash(unleash(strategy))
    assert told == []
    found = answers(flags)
    for context, value in ((on, True), (off, False)):
        if context is not None:
            assert found.evaluate("a.b", None, None, context).value is value


@pytest.mark.parametrize(
    ("strategy", "word"),
    [
        (
            {"name": "applicationHostname", "parameters": {"hostNames": "a"}},
            "the strategy 'applicationHostname'",
        ),
        ({"name": "remoteAddress", "parameters": {"IPs": "10.0.0.0/8"}}, "ranges of addresses"),
        ({"name": "default", "segments": [7]}, "the segment 7 is not in this export"),
        (constrained("STR_CONTAINS", values=["a"], caseInsensitive=True), "without regard to case"),
        (constrained("DATE_AFTER", "birthday", value="2020-01-01"), "compared by DATE_AFTER"),
        (constrained("REGEX", value="a"), "compared by REGEX"),
        (constrained("IN", "a.b", values=["a"]), "whose name would be a path"),
    ],
)
def test_a_strategy_that_cannot_be_said_is_off_for_everybody(strategy: Mapping[str, Any], word: str) -> None:
    flags, told = from_unleash(unleash(strategy))
    (message,) = told_of(told, "a.b")
    assert word in message
    assert answers(flags).evaluate("a.b", None, None, {"x": "a", "targetingKey": "a"}).value is False


@pytest.mark.parametrize("kind", ["gradualRolloutUserId", "gradualRolloutSessionId", "gradualRolloutRandom"])
def test_gradual_rollouts_draw_a_share(kind: str) -> None:
    flags, told = from_unleash(unleash({"name": kind, "parameters": {"percentage": "30"}}))
    found = answers(flags)
    contexts = [{"targetingKey": str(number), "sessionId": str(number)} for number in range(1000)]
    drawn = [found.evaluate("a.b", None, None, context).value is True for context in contexts]
    assert 240 < sum(drawn) < 360
    assert bool(told_of(told, "a.b")) is (kind == "gradualRolloutRandom")


def test_variants_of_unleash_are_values() -> None:
    variants = [
        {"name": "red", "weight": 500, "payload": {"type": "string", "value": "#f00"}, "stickiness": "account",
         "overrides": [{"contextName": "userId", "values": ["ann"]}]},
        {"name": "blue", "weight": 500, "payload": {"type": "string", "value": "#00f"}},
    ]  # fmt: skip
    flags, told = from_unleash(unleash({"name": "default"}, variants=variants, project="shop"))
    (flag,) = flags
    assert flag.variants == {"red": "#f00", "blue": "#00f", "disabled": ""}
    found = answers(flags)
    assert found.evaluate("a.b", None, None, {"targetingKey": "ann"}).value == "#f00"
    drawn = {found.evaluate("a.b", None, None, {"account": str(each)}).value for each in range(20)}
    assert drawn == {"#f00", "#00f"}
    assert len(told_of(told, "a.b", "warning")) == 2


def test_variants_may_be_of_a_strategy_and_numbers() -> None:
    variants = [{"name": "few", "weight": 1000, "payload": {"type": "number", "value": "3"}}]
    flags, _ = from_unleash(unleash({"name": "default", "variants": variants}))
    assert answers(flags).evaluate("a.b", None, None, {"targetingKey": "a"}).value == 3
    mixed = [*variants, {"name": "text", "weight": 0}]
    flags, told = from_unleash(unleash({"name": "default"}, variants=mixed))
    assert (flags, len(told_of(told, "a.b"))) == ([], 1)
    nobody = [{"name": "few", "weight": 0}]
    flags, _ = from_unleash(unleash({"name": "default"}, variants=nobody))
    assert answers(flags).evaluate("a.b", None, None, {"targetingKey": "a"}).value == ""


def test_a_feature_that_is_off_is_off() -> None:
    flags, told = from_unleash(unleash({"name": "default"}, enabled=False))
    assert answers(flags).evaluate("a.b", None, None).value is False
    assert "it is off" in told_of(told, "a.b", "warning")[0]


@pytest.mark.parametrize(
    ("parent", "dependency", "value"),
    [
        ({"enabled": True}, {"feature": "p.q"}, True),
        ({"enabled": False, "strategies": [{"name": "default"}]}, {"feature": "p.q"}, False),
        ({"enabled": False}, {"feature": "p.q", "enabled": False}, True),
        ({"enabled": True, "strategies": [constrained("IN", values=["a"])]}, {"feature": "p.q"}, True),
        ({"enabled": True, "strategies": [constrained("IN", values=["b"])]}, {"feature": "p.q"}, False),
        ({"enabled": True, "dependencies": [{"feature": "a.b"}]}, {"feature": "p.q"}, False),
        ({"enabled": True}, {"feature": "gone"}, False),
        ({"enabled": True}, {"feature": "p.q", "variants": ["x"]}, False),
    ],
)
def test_a_child_is_on_where_its_parent_allows_it(
    parent: Mapping[str, Any], dependency: Mapping[str, Any], value: bool
) -> None:
    export = unleash(dependencies=[dependency])
    export["features"].append({"name": "p.q", **parent})
    flags, told = from_unleash(export)
    assert answers(flags).evaluate("a.b", None, None, {"x": "a"}).value is value
    assert told_of(told, "a.b") or told_of(told, "a.b", "warning")


# ---------- flagd ----------


def test_documents_of_flagd_become_feature_flags() -> None:
    shared = {"staff": {"in": [{"var": "x"}, ["a"]]}}
    text = json.dumps(
        {
            "$evaluators": shared,
            "flags": {
                "a.b": {
                    "state": "ENABLED",
                    "variants": {"on": True, "off": False},
                    "defaultVariant": "off",
                    "targeting": {"if": [{"$ref": "staff"}, "on", None]},
                    "metadata": {"owner": "them", "team": "x"},
                },
                "a.code": {"state": "ENABLED", "variants": {"one": 1, "none": 0}},
                "a.disabled": {"state": "DISABLED", "variants": {"x": "a", "y": "b"}, "defaultVariant": "y"},
            },
        }
    )
    registry, _ = read_registry([("flags.json", text.encode())])
    flags, told = from_flagd(registry)
    found = registry_of(*flags)
    own = found.flags["a.b"]
    assert own.governance.owner == "them"
    assert own.definition.targeting == {"if": [shared["staff"], "on", None]}
    assert own.definition.metadata["team"] == "x"
    assert found.flags["a.code"].definition.default_variant == "none"
    assert found.flags["a.disabled"].definition.default_variant == "y"
    assert told_of(told, "a.b", "warning") == []
    assert "code decided" in told_of(told, "a.code", "warning")[0]
    assert len(told_of(told, "a.disabled", "warning")) == 2


# ---------- keys ----------


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("checkout.discount", "checkout.discount"),
        ("newCheckout", "imported.new-checkout"),
        ("enable_invoices", "imported.enable-invoices"),
        ("Shop.New Page", "shop.new-page"),
        ("2fa", "imported.f-2fa"),
    ],
)
def test_a_key_has_a_namespace(name: str, key: str) -> None:
    assert key_of(name, "imported") == key


def test_flags_that_would_have_one_key_are_told_of() -> None:
    flags, _ = from_launchdarkly({"flagValues": {"a.b": 1, "new-page": True, "newPage": True}})
    told = renamed(flags, GIVEN)
    assert [each.severity for each in told] == ["warning", "error"]


def test_conditions_are_joined_and_chosen() -> None:
    one: Json = {"var": "a"}
    other: Json = {"var": "b"}
    assert (all_of([]), all_of([True, one]), all_of([one, other])) == (True, one, {"and": [one, other]})
    assert all_of([one, False]) is False
    assert (any_of([]), any_of([False, one]), any_of([one, other])) == (False, one, {"or": [one, other]})
    assert any_of([one, True]) is True
    assert (negated(True), negated(one)) == (False, {"!": [one]})
    assert chosen([(one, "a"), (False, "b"), (True, "c"), (other, "d")], "e") == {"if": [one, "a", "c"]}


def test_the_first_variant_is_safe_where_none_is_nothing() -> None:
    assert safe_among({"a": "x", "b": "y"}) == "a"
