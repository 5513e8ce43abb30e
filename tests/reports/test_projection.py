"""Entries of the ledger become the events that figures are computed from."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.ledger.entry import KINDS, Draft, encode
from davy.reports.event import ChangeEvent
from davy.reports.projection import Projection, corrections, project
from davy.reports.telling import kind_of

REPO = "github.com/acme/shop"
ONE, TWO, THREE, FOUR = (digit * 40 for digit in "1234")
HOUR = 3600.0


class Ledger:
    """Entries, an hour apart, of one rollout and of what others say."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []

    def __call__(self, kind: str, subject: str = "Rollout default/shop", /, **detail: Any) -> "Ledger":
        at = detail.pop("at", 1e9 + HOUR * len(self.drafts))
        envelope = {name: detail.pop(name) for name in ("source", "id", "received") if name in detail}
        detail = {name.removesuffix("_"): value for name, value in detail.items()}
        self.drafts.append(Draft(at, kind, subject, detail, **envelope))
        return self

    def update(self, name: str, commit: str, *kinds: str, **more: Any) -> "Ledger":
        """Tell of an update, with what becomes of it."""
        story: dict[str, Any] = {
            "change": {"repo": REPO, "commit": commit},
            "service": "shop",
            "environment": "production",
        }
        story |= {"rollout": f"default/shop#{name}", "attempt": 1, "kind": "code", **more}
        for kind in ("update_started", *kinds):
            weight = {"weight": 5} if kind in ("change_exposed", "change_rolled_back") else {}
            self(kind, **{**story, **weight})
        return self

    def contained(self, name: str, *commits: str, **more: Any) -> "Ledger":
        return self(
            "change_contained", rollout=f"default/shop#{name}", repo=REPO, changes=list(commits), **more
        )

    @property
    def bodies(self) -> list[bytes]:
        return [encode(draft) for draft in self.drafts]

    def events(self) -> list[ChangeEvent]:
        return project(self.bodies)

    def told(self) -> list[tuple[str, str, int]]:
        """Return the type, the first digit of the commit and the attempt of each event."""
        return [(event.type, event.commit[:1], event.attempt) for event in self.events()]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_an_update_is_an_attempt_at_its_change(ledger: Ledger) -> None:
    ledger.update("1.1", ONE, "change_exposed", target="eu", team="shop", remediates=TWO, waiver="w-1")
    ledger("change_promoted", rollout="default/shop#1.1", requests=1000, badRequests=3)
    exposed, promoted = ledger.events()
    assert exposed == ChangeEvent(
        "davy",
        "2/exposed/default/shop#1.1",
        "exposed",
        1_000_003_600_000_000,
        REPO,
        ONE,
        "shop",
        "production",
        "eu",
        "default/shop#1.1",
        weight=50_000,
        remediates=(REPO, TWO),
        waiver="w-1",
        team="shop",
        seq=2,
    )
    assert (promoted.type, promoted.weight, promoted.requests, promoted.bad) == ("promoted", None, 1000, 3)


def test_a_rollout_counts_for_every_change_that_it_contains_whichever_was_told_first(ledger: Ledger) -> None:
    """Superseded before anybody met it, a change comes to users with the next release that has it (R13)."""
    ledger.update("1.1", ONE).update("2.1", TWO)
    ledger.contained("2.1", ONE, TWO)
    ledger("change_exposed", rollout="default/shop#2.1", weight=5)
    assert ledger.told() == [("exposed", "2", 1), ("exposed", "1", 2)]
    late = Ledger().update("1.1", ONE).update("2.1", TWO, "change_exposed").contained("2.1", ONE, TWO)
    assert sorted(late.told()) == sorted(ledger.told())
    early = Ledger().contained("2.1", ONE, TWO).update("1.1", ONE).update("2.1", TWO, "change_exposed")
    assert sorted(early.told()) == sorted(ledger.told())


def test_only_the_release_s_own_commit_tells_of_requests(ledger: Ledger) -> None:
    ledger.update("1.1", TWO).contained("1.1", ONE, TWO)
    ledger("change_promoted", rollout="default/shop#1.1", requests=100, badRequests=1)
    assert [(event.commit, event.requests) for event in ledger.events()] == [(TWO, 100), (ONE, None)]


def test_attempts_are_counted_by_change_and_target(ledger: Ledger) -> None:
    ledger.update("1.1", ONE, "change_exposed", "change_rolled_back").update("1.2", ONE, "change_exposed")
    ledger.update("3.1", ONE, "change_exposed").update("4.1", ONE, "change_exposed", target="eu")
    exposed = [event.attempt for event in ledger.events() if event.type == "exposed"]
    assert exposed == [1, 2, 3, 1]


def test_a_rollout_that_was_taken_away_and_made_anew_is_another(ledger: Ledger) -> None:
    ledger.update("1.1", ONE, "change_exposed").update("1.1", TWO, "change_exposed")
    assert [event.rollout for event in ledger.events()] == ["default/shop#1.1", "default/shop#1.1@3"]


def test_going_back_takes_back_what_it_came_from(ledger: Ledger) -> None:
    ledger.update("1.1", ONE, "change_exposed", "change_promoted")
    ledger.update("2.1", THREE, "change_exposed", "change_promoted").contained("2.1", TWO, THREE)
    from_ = {"repo": REPO, "commit": THREE, "rollout": "default/shop#2.1"}
    ledger.update("3.1", ONE, "change_exposed", kind="rollback", from_=from_)
    last = [event for event in ledger.events() if event.seq == 9]
    assert [(e.type, e.commit[:1], e.attempt, e.kind, e.rollout[-3:]) for e in last] == [
        ("exposed", "1", 2, "rollback", "3.1"),
        ("rolled_back", "3", 1, "code", "2.1"),
        ("rolled_back", "2", 1, "code", "2.1"),
    ]
    assert len({event.id for event in ledger.events()}) == len(ledger.events())


@pytest.mark.parametrize("late", [False, True])
def test_by_history_an_update_goes_back_even_if_the_engine_never_saw_that_version(
    ledger: Ledger, late: bool
) -> None:
    ledger.update("1.1", TWO, "change_exposed", "change_promoted")
    ledger.update("2.1", ONE)
    if not late:
        ledger.contained("2.1", reverted=[TWO])
    ledger("change_exposed", rollout="default/shop#2.1", weight=5)
    if late:
        ledger.contained("2.1", reverted=[TWO])
    events = ledger.events()
    assert [event.kind for event in events if event.commit == ONE][-1] == "rollback"
    assert [event.type for event in events if event.commit == TWO] == ["exposed", "promoted", "rolled_back"]


def test_what_no_user_met_is_not_taken_back(ledger: Ledger) -> None:
    ledger.update("1.1", ONE, "change_exposed").update("2.1", TWO)
    ledger.update("3.1", ONE, "change_exposed", kind="rollback").contained("3.1", reverted=[TWO])
    assert not [event for event in ledger.events() if event.type == "rolled_back"]


def test_a_manifest_that_names_the_stable_version_again_is_a_rollback_if_users_met_the_other(
    ledger: Ledger,
) -> None:
    ledger.update("1.1", ONE, "change_exposed", "change_promoted").update("2.1", TWO, "change_exposed")
    ledger("change_superseded", rollout="default/shop#2.1", exposed=True, weight=20, at=2e9)
    ledger("stable_restored", at=2e9)
    last = ledger.events()[-1]
    assert (last.type, last.commit, last.weight) == ("rolled_back", TWO, 200_000)


def test_who_met_it_may_come_to_light_after_it_was_taken_back(ledger: Ledger) -> None:
    ledger.update("1.1", ONE, "change_exposed", "change_promoted").update("2.1", TWO)
    ledger("change_superseded", rollout="default/shop#2.1", exposed=False, weight=20, at=2e9)
    ledger("stable_restored", at=2e9)
    assert len(ledger.events()) == 2
    ledger("change_exposed", rollout="default/shop#2.1", weight=0, at=2e9 + 1)
    assert ledger.told()[-2:] == [("exposed", "2", 1), ("rolled_back", "2", 1)]
    assert ledger.events()[-2].weight is None  # users met it, and nobody knows which share of them


def test_an_update_that_another_takes_the_place_of_has_not_failed(ledger: Ledger) -> None:
    ledger.update("2.1", TWO, "change_exposed")
    ledger("change_superseded", rollout="default/shop#2.1", exposed=True).update("3.1", THREE)
    ledger("stable_restored")
    assert ledger.told() == [("exposed", "2", 1)]


def test_of_a_batch_only_what_was_at_fault_is_rolled_back(ledger: Ledger) -> None:
    ledger.update("1.1", TWO).contained("1.1", ONE, TWO)
    ledger("change_exposed", rollout="default/shop#1.1").update("2.1", THREE)
    ledger("change_rolled_back", rollout="default/shop#1.1")
    ledger("incident_opened", "Incident", incident="I-7", service="shop", source="pager", id="7")
    assert ("rolled_back", "2", 1) in ledger.told()
    blame = {"change": {"repo": f"https://{REPO}.git", "commit": ONE}}
    ledger("change_blamed", "Change", rollout="default/shop#1.1", **blame)
    ledger("change_blamed", "Change", service="shop", incident="I-7", **blame)
    back = [event.commit for event in ledger.events() if event.type == "rolled_back"]
    assert back == [ONE]
    assert [event.commit for event in ledger.events() if event.type == "opened"] == [ONE]


def test_blame_of_what_was_not_in_the_rollout_changes_nothing(ledger: Ledger) -> None:
    ledger.update("1.1", TWO, "change_exposed", "change_rolled_back")
    before = ledger.told()
    ledger("change_blamed", "Change", rollout="default/shop#1.1", change={"repo": REPO, "commit": FOUR})
    ledger("change_blamed", "Change", rollout="default/shop#1.1")
    ledger("change_blamed", "Change", rollout=7)
    assert ledger.told() == before


def test_what_begins_in_a_drill_does_not_count_and_what_had_begun_does(ledger: Ledger) -> None:
    ledger.update("1.1", ONE, "change_exposed")
    ledger("drill_started", "Drill", drill="friday", service="shop")
    ledger("change_rolled_back", rollout="default/shop#1.1")
    ledger.update("2.1", TWO, "change_exposed", "change_rolled_back")
    flag = {"repo": "flags", "commit": "r1"}
    outside = {"change": {"repo": REPO, "commit": FOUR}, "service": "shop", "source": "ci"}
    ledger("incident_opened", "Incident", incident="I-7", service="shop")
    ledger("flag_changed", "Flag", change=flag, service="shop", weight=20)
    ledger("change_exposed", "Change", id="1", **outside)
    ledger("drill_finished", "Drill", drill="another")
    ledger("drill_finished", "Drill", drill="friday")
    ledger("incident_restored", "Incident", incident="I-7", service="shop")
    ledger("change_rolled_back", "Change", id="2", **outside)
    ledger("change_rolled_back", rollout="default/shop#2.1")
    ledger.update("3.1", THREE, "change_exposed")
    assert ledger.told() == [("exposed", "1", 1), ("rolled_back", "1", 1), ("exposed", "3", 1)]


def test_a_drill_is_over_after_a_day_and_hides_only_whom_it_is_for(ledger: Ledger) -> None:
    ledger("drill_started", "Drill", drill="friday", rollout="default/shop")
    ledger("drill_started", "Drill", drill="inside", audience="synthetic")
    ledger.update("1.1", ONE, "change_exposed")
    outside: dict[str, Any] = {"service": "shop", "source": "ci"}
    for number, audience in ((1, "synthetic"), (2, "users"), (3, "customers")):
        change = {"repo": REPO, "commit": str(number) * 40}
        ledger("change_exposed", "Change", id=str(number), audience=audience, change=change, **outside)
    ledger("update_started", at=1e9 + 25 * HOUR, rollout="default/shop#4.1", service="shop", change=change)
    ledger("change_exposed", rollout="default/shop#4.1", at=1e9 + 26 * HOUR)
    assert ledger.told() == [("exposed", "2", 0), ("exposed", "3", 0), ("exposed", "3", 1)]


def test_an_event_from_outside_that_speaks_as_the_engine_takes_the_name_of_none_of_its_events(
    ledger: Ledger,
) -> None:
    ledger.update("1.1", ONE, "change_exposed", "change_promoted")
    [*_, own] = ledger.events()
    forged = {"change": {"repo": REPO, "commit": TWO}, "service": "shop", "source": own.source, "id": own.id}
    ledger("change_promoted", "Change", received=1.0, **forged)
    names = [(event.source, event.id) for event in ledger.events()]
    assert len(names) == len(set(names))


def test_a_repository_has_its_last_name_and_a_service_the_one_that_it_had_then(ledger: Ledger) -> None:
    merged = {"change": {"repo": "git@github.com:old/shop.git", "commit": ONE}, "source": "github.com/old/shop"}
    ledger("change_merged", "Change", id="git:1", **merged)
    ledger.update("1.1", ONE, "change_exposed")
    ledger("incident_opened", "Incident", incident="I-7", service="shop")
    ledger("service_renamed", "Service shop", what="service", from_="shop", to="store")
    ledger(
        "service_renamed",
        "Repository",
        what="repository",
        from_="github.com/old/shop",
        to="github.com/mid/shop",
    )
    ledger("service_renamed", "Repository", what="repository", from_="github.com/mid/shop", to=REPO)
    ledger("change_promoted", rollout="default/shop#1.1")
    ledger("incident_restored", "Incident", incident="I-7", service="store")
    ledger("incident_opened", "Incident", incident="I-8", service="shop")
    ledger.update("2.1", TWO, "change_exposed")
    events = ledger.events()
    assert {event.repo for event in events if event.repo} == {REPO}
    told = [(event.type, event.service) for event in events]
    assert told == [
        ("merged", ""),
        ("exposed", "shop"),
        ("opened", "shop"),
        ("promoted", "shop"),
        ("restored", "shop"),
        ("opened", "store"),
        ("exposed", "store"),
    ]


def test_a_waiver_by_which_a_step_was_passed_over_counts_from_then_on(ledger: Ledger) -> None:
    ledger.update("1.1", ONE, "change_exposed")
    ledger("waiver_used", "Rollout shop", waiver="w-1", action="promote --skip-step")
    ledger("waiver_used", "Rollout default/shop", waiver="w-2", action="apply")
    ledger("waiver_used", "Rollout default/other", waiver="w-3", action="promote --full")
    ledger("change_promoted", rollout="default/shop#1.1")
    assert [event.waiver for event in ledger.events()] == ["", "w-1"]


def test_the_kind_of_a_change_is_what_its_merge_says_unless_the_version_says_otherwise(ledger: Ledger) -> None:
    for commit, kind in ((ONE, "config"), (TWO, "migration")):
        change = {"repo": REPO, "commit": commit}
        ledger("change_merged", "Change", change=change, kind=kind, source=REPO, id=f"git:{commit}")
    ledger.update("1.1", TWO).contained("1.1", ONE)
    ledger("change_exposed", rollout="default/shop#1.1")
    assert [event.kind for event in ledger.events()[-2:]] == ["migration", "config"]


@pytest.mark.parametrize(
    ("said", "types"),
    [
        ({}, ["exposed", "promoted"]),
        ({"weight": 100}, ["exposed", "promoted"]),
        ({"weight": 20}, ["exposed"]),
        ({"weight": 0}, ["rolled_back"]),
        ({"undone": True}, ["rolled_back"]),
        ({"undone": True, "weight": 0}, ["rolled_back"]),
    ],
)
def test_a_flag_reaches_users_without_a_rollout(ledger: Ledger, said: dict[str, Any], types: list[str]) -> None:
    change = {"repo": "flags", "commit": "r42"}
    ledger("flag_changed", "Flag checkout", change=change, service="shop", source="flags", id="9", **said)
    events = ledger.events()
    assert [event.type for event in events] == types
    assert {event.kind for event in events} == {"flag"}
    assert [event.id for event in events] == [f"9/{type_}" for type_ in types]


def test_what_others_say_is_read_as_they_say_it(ledger: Ledger) -> None:
    change = {"repo": "https://github.com/acme/shop.git", "commit": ONE}
    outside: dict[str, Any] = {"source": "ci", "received": 2e9, "change": change}
    ledger(
        "change_created",
        id="1",
        committedAt="2001-09-09T01:46:40.5+02:00",
        noPr=True,
        github={"x": 1},
        **outside,
    )
    ledger("change_merged", id="2", remediates={"repo": "other", "commit": TWO}, **outside)
    ledger("change_exposed", id="3", service="shop", weight=12.5, attempt=3, audience="internal", **outside)
    ledger("change_rolled_back", id="4", service="shop", cause="5xx", requests=7, badRequests=1, **outside)
    ledger("incident_opened", "Incident", id="5", source="pager", incident="I-7", service="shop", cause="5xx")
    created, merged, exposed, back, opened = ledger.events()
    assert (created.committed, created.received) == (999_992_800_500_000, 2 * 10**15)
    assert merged.remediates == ("other", TWO)
    assert (exposed.weight, exposed.attempt, exposed.audience) == (125_000, 3, "internal")
    assert (back.cause, back.requests, back.bad) == ("5xx", 7, 1)
    assert (opened.incident, opened.repo, opened.cause) == ("I-7", "", "5xx")


@pytest.mark.parametrize(
    "said",
    [
        ("change_merged", {}),
        ("change_merged", {"change": {"repo": REPO}}),
        ("change_merged", {"change": {"repo": REPO, "commit": ONE}, "committedAt": "yesterday"}),
        ("change_exposed", {"change": {"repo": REPO, "commit": ONE}}),
        ("change_exposed", {"change": {"repo": REPO, "commit": ONE}, "service": "s", "audience": "dogs"}),
        ("incident_opened", {"incident": "I-7"}),
        ("flag_changed", {"service": "shop"}),
    ],
)
def test_what_cannot_be_read_is_left_out_and_told(ledger: Ledger, said: tuple[str, dict[str, Any]]) -> None:
    ledger.update("1.1", ONE)
    ledger(said[0], "Change", source="ci", id="1", **said[1])
    projection = Projection()
    assert [projection.read(body, seq) for seq, body in enumerate(ledger.bodies, 1)] == [[], []]
    assert projection.unread == [2]


def test_entries_of_an_engine_that_did_not_tell_whose_changes_they_are_count_for_nothing(
    ledger: Ledger,
) -> None:
    ledger("update_started", revision=1, hash="abc")
    ledger("change_superseded", revision=1, hash="abc", exposed=True)
    ledger("stable_restored", revision=1, hash="abc")
    ledger("weight_set", revision=1)
    ledger("step_completed", reason="change_blamed")
    assert ledger.events() == []


def test_read_one_by_one_the_events_are_the_same_until_something_corrects_them(ledger: Ledger) -> None:
    ledger.update("1.1", TWO, "change_exposed").contained("1.1", ONE)
    ledger("change_rolled_back", rollout="default/shop#1.1")
    assert read(Projection(), ledger) == (ledger.events(), False)
    ledger("change_blamed", "Change", rollout="default/shop#1.1", change={"repo": REPO, "commit": ONE})
    assert read(Projection(), ledger)[1]
    assert read(Projection(corrections(ledger.bodies)), ledger) == (ledger.events(), False)


def read(projection: Projection, ledger: Ledger) -> tuple[list[ChangeEvent], bool]:
    events = [event for seq, body in enumerate(ledger.bodies, 1) for event in projection.read(body, seq)]
    return events, projection.stale


@given(st.sampled_from(sorted(KINDS)), st.text(max_size=30), st.text(max_size=30))
def test_the_kind_of_an_entry_is_found_whatever_its_texts_say(kind: str, text: str, more: str) -> None:
    said = f'{text}"kind":"x"{more}'
    detail = {"kind": "code", said: said, "zzz": {"kind": said}}
    draft = Draft(1.0, kind, said, detail, said, said, said, said, said, 2.0)
    assert kind_of(encode(draft)) == kind.encode()


@given(st.permutations(range(6)), st.integers(0, 5))
def test_when_it_is_told_what_a_rollout_contains_makes_no_difference(order: list[int], at: int) -> None:
    """Of the six entries of two updates only the order among themselves is given."""
    plain = Ledger().update("1.1", ONE, "change_exposed", "change_promoted")
    plain.update("2.1", THREE, "change_exposed", "change_rolled_back")
    ledgers = []
    for place in (at, order[0]):
        ledger = Ledger()
        ledger.drafts = list(plain.drafts)
        contained = Ledger().contained("2.1", TWO, THREE).drafts
        ledger.drafts[place:place] = contained
        ledgers.append(ledger)
    one, other = (
        {(e.type, e.commit, e.attempt, e.time, e.kind) for e in ledger.events()} for ledger in ledgers
    )
    assert one == other
    assert len(one) == len(list(itertools.chain(plain.events()))) + 2
