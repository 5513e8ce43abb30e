"""The same flags are the same bytes, and clients get no more than is meant for them."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from davy.flags.definition import Definition, Definitions
from davy.flags.gate import enforced
from davy.flags.governance import NAMES
from davy.flags.registry import read_registry
from davy.flags.rendering import SCHEMA, body_of, digest_of, for_clients, public, rendered

COMPLETE = Path(__file__).parent.parent / "cases" / "complete" / "flags.yaml"


def flag(key: str, targeting: Any = None, **metadata: Any) -> Definition:
    return Definition(key, {"on": True, "off": False}, True, "off", targeting, metadata)


def of(*flags: Definition, **more: Any) -> Definitions:
    return Definitions({each.key: each for each in flags}, **more)


def test_a_document_is_what_flagd_reads() -> None:
    registry, _ = read_registry([("flags.yaml", COMPLETE.read_bytes())])
    body = json.loads(rendered(registry.definitions("staging"), 7))
    assert body["$schema"] == SCHEMA
    assert body["metadata"] == {"flagSetId": "staging", "version": 7}
    discount = body["flags"]["checkout.discount-enabled"]
    assert (discount["state"], discount["defaultVariant"]) == ("ENABLED", "on")
    assert discount["metadata"]["rollout"] == "shop/payments"
    assert "$evaluators" not in body
    again, findings = read_registry([("flags.json", rendered(registry.definitions("staging")))])
    assert findings == ()
    assert again.definitions("staging") == registry.definitions("staging")


def test_what_is_not_said_is_not_written() -> None:
    body = body_of(Definitions({"a.b": Definition("a.b", {"x": 1}, False)}, {"r": True}))
    assert body["flags"] == {"a.b": {"state": "DISABLED", "variants": {"x": 1}, "defaultVariant": None}}
    assert body["$evaluators"] == {"r": True}


@given(st.permutations([flag("a.b", owner="x", jira="y"), flag("a.c"), flag("b.a", {"var": "x"})]))
def test_the_order_of_declarations_makes_no_difference(flags: list[Definition]) -> None:
    first = of(flag("a.b", jira="y", owner="x"), flag("a.c"), flag("b.a", {"var": "x"}))
    assert rendered(of(*flags)) == rendered(first)
    assert digest_of(of(*flags)) == digest_of(first)


def test_the_version_is_the_digest_unless_it_is_given_and_no_part_of_it() -> None:
    found = of(flag("a.b"))
    digest = digest_of(found)
    assert digest.removeprefix("sha256:")[:16] == json.loads(rendered(found))["metadata"]["version"]
    assert digest_of(of(flag("a.b"), metadata={"version": "other"})) == digest
    assert digest_of(of(flag("a.b", owner="x"))) != digest


def test_clients_get_what_is_declared_for_them_without_governance() -> None:
    found = enforced(
        of(
            flag("a.server", {"$ref": "internal"}),
            flag("a.explicit", exposure="server"),
            flag("a.client", exposure="client", owner="x", jira="A-1", bucketing="v2", dashboard="y"),
            flag("a.closed", {"var": "x"}, exposure="client", rollout="a/b", safe="off"),
            flag("a.other", exposure="client"),
            metadata={"flagSetId": "production", "owner": "x"},
            evaluators={"internal": {"var": "email"}},
        ),
        "production",
        {},
        set(),
    )
    clients = for_clients(found, {"a.server", "a.client", "a.closed"})
    assert clients == of(
        flag("a.client", bucketing="v2", dashboard="y"),
        flag("a.closed", safe="off", gate="closed"),
        metadata={"flagSetId": "production"},
    )
    assert set(for_clients(found).flags) == {"a.client", "a.closed", "a.other"}


def test_shared_rules_go_along_with_flags_that_use_them() -> None:
    rule: Any = {"if": [{"and": [{"$ref": "used"}, {"==": [1, 1]}]}, "on", "off"]}
    found = of(flag("a.b", rule, exposure="client"), evaluators={"used": {"var": "x"}, "unused": {"var": "y"}})
    assert for_clients(found).evaluators == {"used": {"var": "x"}}


def test_a_set_may_say_that_all_of_it_is_for_clients() -> None:
    found = of(flag("a.b"), flag("a.c", exposure="server"), metadata={"exposure": "client"})
    assert list(for_clients(found).flags) == ["a.b"]


def test_an_answer_tells_nothing_of_governance() -> None:
    said = dict.fromkeys([*NAMES, "gate", "gateReason", "gateEvidence", "killed"], "x")
    assert public({**said, "dashboard": "y"}) == {"dashboard": "y"}
