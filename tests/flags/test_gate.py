"""A linked flag stays at what is safe in production until its canary has passed, whatever anybody asks for."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.flags.definition import Definition, Definitions
from davy.flags.evidence import Evidence
from davy.flags.gate import enforced, is_baked, is_guarded, judge, safe_variant
from davy.flags.reading import read
from davy.model.key import Key

PAYMENTS = Key("shop", "payments")
ENVIRONMENTS = st.sampled_from(["production", "staging", "load-test"])
ARTIFACTS = st.sampled_from(["", "5d9f", "77aa", "c0de"])
KEYS = st.sampled_from(["checkout.discount", "checkout.banner", "search.fuzzy"])
VALUES: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{"on": True, "off": False}, {"a": "x", "b": ""}, {"one": 1, "two": 2}, {"m": {"k": 1}}]
)
TARGETING: st.SearchStrategy[Any] = st.sampled_from(
    [None, {"if": [{"var": "beta"}, "on"]}, {"fractional": [["on", 1], ["off", 1]]}, {"cat": ["o", "n"]}]
)


def passed(artifact: str = "5d9f", weight: int = 100, at: float = 0.0) -> Evidence:
    return Evidence(PAYMENTS, artifact, 2, weight, ("payments-2-1",), at)


def linked(**metadata: Any) -> Definition:
    said = {"rollout": "shop/payments", "safe": "off", **metadata}
    return Definition("checkout.discount", {"on": True, "off": False}, True, "on", {"var": "x"}, said)


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    variants = draw(VALUES)
    metadata: dict[str, Any] = draw(
        st.sampled_from([{}, {"owner": "checkout"}, {"safe": "off"}, {"safe": "b"}])
    )
    if draw(st.booleans()):
        metadata |= {"rollout": draw(st.sampled_from(["shop/payments", "shop/other", "payments", "/", 7]))}
        metadata |= draw(st.sampled_from([{}, {"rolloutWeight": 20}, {"rolloutWeight": "all"}]))
    default = draw(st.sampled_from([None, *variants]))
    return Definition(draw(KEYS), variants, draw(st.booleans()), default, draw(TARGETING), metadata)


DOCUMENTS = st.lists(definitions(), max_size=3).map(
    lambda found: Definitions({each.key: each for each in found})
)
EVIDENCE = st.lists(st.builds(passed, st.sampled_from(["5d9f", "77aa"]), st.integers(0, 100)), max_size=3).map(
    lambda found: {PAYMENTS: found}
)


def answers_only(flag: Definition) -> str | None:
    """Return the one variant that any evaluator gives for a flag, whatever the context is."""
    assert flag.targeting is None
    return flag.default_variant if flag.enabled else None


@given(DOCUMENTS, ARTIFACTS)
def test_without_evidence_a_linked_flag_is_safe_under_any_targeting(found: Definitions, artifact: str) -> None:
    for key, flag in enforced(found, "production", {}, set(), artifact).flags.items():
        if "rollout" in found.flags[key].metadata:
            assert answers_only(flag) == safe_variant(found.flags[key])
            assert flag.metadata["gate"] == "closed"
            assert flag.metadata["gateReason"]


@given(DOCUMENTS, ENVIRONMENTS, EVIDENCE, ARTIFACTS)
def test_a_flag_that_is_not_linked_is_untouched(
    found: Definitions, environment: str, evidence: Mapping[Key, list[Evidence]], artifact: str
) -> None:
    for key, flag in enforced(found, environment, evidence, set(), artifact).flags.items():
        if "rollout" not in found.flags[key].metadata:
            assert flag is found.flags[key]


@given(DOCUMENTS, ENVIRONMENTS, EVIDENCE, st.sets(KEYS), ARTIFACTS)
def test_enforcing_twice_is_enforcing_once(
    found: Definitions,
    environment: str,
    evidence: Mapping[Key, list[Evidence]],
    killed: set[str],
    artifact: str,
) -> None:
    once = enforced(found, environment, evidence, killed, artifact)
    assert enforced(once, environment, evidence, killed, artifact) == once


@given(DOCUMENTS, ENVIRONMENTS, EVIDENCE, st.sets(KEYS), ARTIFACTS)
def test_what_was_closed_once_is_not_opened_by_later_evidence(
    found: Definitions,
    environment: str,
    evidence: Mapping[Key, list[Evidence]],
    killed: set[str],
    artifact: str,
) -> None:
    closed = enforced(found, "production", {}, killed)
    for key, flag in enforced(closed, environment, evidence, set(), artifact).flags.items():
        if is_baked(closed.flags[key]):
            assert flag == closed.flags[key]


@given(DOCUMENTS, ENVIRONMENTS, EVIDENCE, st.sets(KEYS))
def test_a_killed_flag_is_safe_everywhere_and_whatever_passed(
    found: Definitions, environment: str, evidence: Mapping[Key, list[Evidence]], killed: set[str]
) -> None:
    document = enforced(found, environment, evidence, killed, "5d9f")
    for key in killed & set(found.flags):
        assert answers_only(document.flags[key]) == safe_variant(found.flags[key])
        assert document.flags[key].metadata["killed"] is True
        assert "gateEvidence" not in document.flags[key].metadata


@given(DOCUMENTS, EVIDENCE, ARTIFACTS)
def test_open_needs_evidence_of_this_artifact_at_this_weight(
    found: Definitions, evidence: Mapping[Key, list[Evidence]], artifact: str
) -> None:
    for flag in found.flags.values():
        if "rollout" in flag.metadata and judge(flag, "production", evidence, artifact).open:
            wanted = flag.metadata.get("rolloutWeight", 100)
            assert any(
                each.weight >= float(wanted) and artifact in ("", each.artifact) for each in evidence[PAYMENTS]
            )


@pytest.mark.parametrize(
    ("flag", "evidence", "artifact", "state", "why"),
    [
        (Definition("a.b", {"on": True}), [], "", "open", "no rollout is linked"),
        (linked(), [], "", "unknown", "no canary of shop/payments has passed yet"),
        (
            linked(),
            [passed("77aa")],
            "5d9f",
            "closed",
            "no canary of shop/payments with the artifact 5d9f has passed yet",
        ),
        (
            linked(rolloutWeight=50),
            [passed(weight=20)],
            "5d9f",
            "closed",
            "the canary of shop/payments has passed at 20 percent, and not yet at 50",
        ),
        (
            linked(rolloutWeight=20),
            [passed(weight=20)],
            "5d9f",
            "open",
            "the canary of shop/payments has passed at 20 percent",
        ),
        (linked(rolloutWeight=float("nan")), [passed()], "", "closed", "and not yet at nan"),
        (linked(rollout="payments"), [passed()], "", "unknown", "the link to a rollout cannot be read"),
        (linked(rolloutWeight=True), [passed()], "", "unknown", "the link to a rollout cannot be read"),
    ],
)
def test_a_verdict_says_why(
    flag: Definition, evidence: list[Evidence], artifact: str, state: str, why: str
) -> None:
    verdict = judge(flag, "production", {PAYMENTS: evidence}, artifact)
    assert verdict.state == state
    assert why in verdict.why


def test_gates_are_for_production() -> None:
    verdict = judge(linked(), "staging", {})
    assert (verdict.state, verdict.why) == ("open", "gates are for where users are, and this is staging")


def test_an_open_gate_carries_what_opened_it() -> None:
    evidence = passed()
    document = Definitions({"checkout.discount": linked()})
    flag = enforced(document, "production", {PAYMENTS: [passed("77aa"), evidence]}, set(), "5d9f").flags[
        "checkout.discount"
    ]
    assert flag.targeting == {"var": "x"}
    assert flag.metadata["gate"] == "open"
    assert flag.metadata["gateEvidence"] == evidence.digest


@pytest.mark.parametrize(
    ("variants", "declared", "safe"),
    [
        ({"on": True, "off": False}, "on", "on"),
        ({"on": True, "off": False}, "none", "off"),
        ({"on": True, "off": False}, 7, "off"),
        ({"a": "x", "b": ""}, "", "b"),
        ({"a": {"k": 1}, "b": {}}, "", "b"),
        ({"a": 1}, "", None),
    ],
)
def test_what_is_safe_is_declared_or_nothing(variants: dict[str, Any], declared: Any, safe: str | None) -> None:
    assert safe_variant(Definition("a.b", variants, metadata={"safe": declared})) == safe


def test_a_flag_for_which_nothing_is_safe_is_switched_off() -> None:
    document = Definitions({"a.b": Definition("a.b", {"a": 1}, default_variant="a", targeting={"var": "x"})})
    flag = enforced(document, "staging", {}, {"a.b"}).flags["a.b"]
    assert (flag.enabled, flag.default_variant, flag.targeting) == (False, None, None)


@pytest.mark.parametrize(
    "name", ["production", "prod", "Production", "prodution", "eu", "", "live", "prod-eu-1"]
)
def test_gates_are_shut_wherever_nobody_knows_that_there_are_no_users(name: str) -> None:
    assert is_guarded(name)
    assert judge(linked(), name, {}).state == "unknown"


@pytest.mark.parametrize("name", ["staging", "Staging", "eu-dev-2", "load-test", "qa", "team_a.preview", "e2e"])
def test_places_without_users_have_no_gates(name: str) -> None:
    assert not is_guarded(name)
    assert judge(linked(), name, {}).open


@pytest.mark.parametrize("name", ["live-preview", "production-test", "latest", "quality"])
def test_a_word_for_a_test_opens_nothing_where_users_may_be(name: str) -> None:
    assert is_guarded(name)


@pytest.mark.parametrize("kind", ["release", "kill-switch", "experiment", "permission", "unheard-of"])
def test_every_kind_of_flag_has_the_gate_that_it_is_linked_to(kind: str) -> None:
    drawn: Any = {"fractional": [["on", 1], ["off", 1]]}
    flag = Definition("a.b", {"on": True, "off": False}, True, "on", drawn, {"rollout": "shop/x", "kind": kind})
    found = enforced(Definitions({"a.b": flag}), "production", {}, set()).flags["a.b"]
    assert (found.default_variant, found.targeting, found.metadata["gate"]) == ("off", None, "closed")


def test_a_flag_that_cannot_be_read_is_killed_and_closed_by_what_remains_of_it() -> None:
    text = """{"flags": {
      "a.killed": {"state": "on", "variants": {"on": true, "off": false}, "metadata": {"safe": "off", "x": []}},
      "a.closed": {"state": "on", "variants": {"on": true, "off": false}, "metadata": {"rollout": "shop/x"}},
      "a.open": {"state": "on", "variants": {"on": true, "off": false}, "metadata": {"safe": "off"}},
      "a.gone": {"state": "on", "variants": 7}, "a.text": "?"
    }}"""
    found = enforced(read(text), "production", {}, {"a.killed", "a.gone"})
    assert {key: (flag.default_variant, flag.metadata.get("killed")) for key, flag in found.flags.items()} == {
        "a.killed": ("off", True),
        "a.closed": ("off", None),
    }
    assert sorted(found.broken) == ["a.gone", "a.open", "a.text"]
    assert list(found.remains) == ["a.open"]


def test_what_is_said_of_a_set_governs_the_flags_that_say_nothing_else() -> None:
    flags = {
        "a.b": Definition("a.b", {"on": True, "off": False}, True, "on"),
        "a.c": linked(rollout="shop/mine"),
    }
    common = {"rollout": "shop/payments", "safe": "off", "team": "x"}
    found = enforced(Definitions(flags, {}, common), "production", {PAYMENTS: [passed()]}, set())
    assert found.flags["a.b"].metadata["gate"] == "open"
    assert found.flags["a.c"].metadata["gate"] == "closed"
    assert "team" not in found.flags["a.b"].metadata
    assert (
        enforced(Definitions(flags, {}, common), "production", {}, set()).flags["a.b"].default_variant == "off"
    )
