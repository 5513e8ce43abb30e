"""What the record says of what others say, in sentences."""

from typing import Any

import pytest

from davy.cli.entries import sentence
from davy.ledger.entry import FROM_OUTSIDE

CHANGE = {"change": {"repo": "github.com/acme/shop", "commit": "1234567890abcdef" + "0" * 24}}
SAID: list[tuple[str, dict[str, Any], str]] = [
    ("change_created", CHANGE, "1234567890ab of github.com/acme/shop is proposed"),
    ("change_merged", {**CHANGE, "noPr": True}, "1234567890ab of github.com/acme/shop is merged"),
    (
        "change_contained",
        {"rollout": "default/shop#2.1", "changes": ["a" * 40, "b" * 64], "reverted": []},
        "default/shop#2.1 brings aaaaaaaaaaaa, bbbbbbbbbbbb",
    ),
    (
        "change_contained",
        {"rollout": "default/shop#3.1", "changes": [], "reverted": ["a" * 40]},
        "default/shop#3.1 brings no change and takes back aaaaaaaaaaaa",
    ),
    ("change_blamed", CHANGE, "1234567890ab of github.com/acme/shop was at fault"),
    ("incident_opened", {"incident": "I-7", "service": "shop", "cause": "5xx"}, "I-7 of shop is open: 5xx"),
    ("incident_opened", {"incident": "I-7", "service": "shop"}, "I-7 of shop is open"),
    ("incident_restored", {"incident": "I-7", "service": "shop"}, "I-7 of shop is over"),
    (
        "flag_changed",
        {"change": {"repo": "flags", "commit": "r42"}, "service": "shop", "weight": 20},
        "r42 of flags reaches 20 %",
    ),
    ("config_changed", {"change": {"repo": "cfg", "commit": "7"}}, "7 of cfg reaches 100 %"),
    ("migration_changed", {"change": {"repo": "db", "commit": "7"}, "undone": True}, "7 of db is taken back"),
    ("drill_started", {"drill": "friday"}, "drill friday begins: nothing of it counts"),
    ("drill_finished", {"drill": "friday", "outcome": "as expected"}, "drill friday is over: as expected"),
    (
        "service_renamed",
        {"what": "service", "from": "shop", "to": "store"},
        "service shop is store from now on",
    ),
    (
        "event_refused",
        {"source": "ci", "id": "7", "kind": "change_merged", "why": "it contradicts #3"},
        "change_merged 7 of ci is refused: it contradicts #3",
    ),
    (
        "metrics_restated",
        {"window": "2026-10-05", "figures": {"cfr_seed": [1, 2]}},
        "final figures of the week of 2026-10-05 changed: cfr_seed",
    ),
    ("person_forgotten", {"person": "person:7f3a"}, "person:7f3a is nobody's pseudonym any more"),
]
ELSEWHERE: list[tuple[str, dict[str, Any], str]] = [
    ("change_exposed", {**CHANGE, "service": "shop", "weight": 5}, "reaches 5 % of the users of shop"),
    ("change_exposed", {**CHANGE, "service": "shop"}, "reaches some of the users of shop"),
    ("change_promoted", {**CHANGE, "service": "shop"}, "reaches all users of shop"),
    ("change_rolled_back", {**CHANGE, "service": "shop", "cause": "5xx"}, "is taken back from shop: 5xx"),
    ("change_aborted_unexposed", {**CHANGE, "service": "shop"}, "ends before a user of shop met it"),
]


@pytest.mark.parametrize(("kind", "detail", "told"), SAID)
def test_every_kind_from_outside_has_a_sentence(kind: str, detail: dict[str, Any], told: str) -> None:
    assert sentence(kind, detail) == told


@pytest.mark.parametrize(("kind", "detail", "told"), ELSEWHERE)
def test_what_another_engine_did_is_told_of_the_change_and_not_of_a_revision(
    kind: str, detail: dict[str, Any], told: str
) -> None:
    assert sentence(kind, detail) == f"1234567890ab of github.com/acme/shop {told}"


def test_of_many_figures_that_changed_some_are_named() -> None:
    detail = {"window": "2026-10-05", "figures": {name: [1, 2] for name in "abcdef"}}
    assert sentence("metrics_restated", detail).endswith("changed: a, b, c, d and 2 more")


def test_no_kind_is_left_out() -> None:
    assert {kind for kind, _, _ in SAID} == FROM_OUTSIDE.keys()


@pytest.mark.parametrize(("missing", "told"), [(["i-1", "i-2"], ": i-1, i-2"), ([], ": nobody is connected")])
def test_instances_that_have_not_heard_are_named(missing: list[str], told: str) -> None:
    detail = {"flag": "pay.new", "version": 3, "instances": 0, "seconds": 30.0, "missing": missing}
    said = "not all that use pay.new have version 3 of it after 30.0 s"
    assert sentence("flag_unconfirmed", detail) == said + told
