"""A linked flag stays at what is safe in production until its canary has passed, whatever anybody asks for."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.flags.definition import Definition, Definitions
from davy.flags.evidence import Evidence
from davy.flags.gate import enforced, is_baked, judge, safe_variant
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
    assert (verdict.state, verdict.why) == ("open", "gates are for production, and this is staging")


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
