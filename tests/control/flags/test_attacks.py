"""What somebody tries who wants a flag on, a kill that only seems to have arrived, or a busy engine."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import Any

import pytest
from msgspec.structs import replace
from tests.control.flags.conftest import FLAG, KEY, SWITCH, SWITCHED, FlagLab

from davy.cli.up import policies_of
from davy.control import requests, views
from davy.control.flags.instances import Instances
from davy.control.rulebook import Rules
from davy.errors import Conflict, Refused, UsageError
from davy.flags.remote import Acknowledgement, Exposure, ExposureReport, Instance
from davy.model.key import Key

MINE = Instance("i-1", "checkout", "")


def kill(lab: FlagLab) -> None:
    lab.ask(requests.KillFlag(SWITCHED, "the card scheme is down"))


def acknowledged(lab: FlagLab, **forged: Any) -> int:
    """Acknowledge the document of now, forged in some way, and return which version is believed of i-1."""
    document = lab.engine.flags.document()
    told = Acknowledgement(MINE, document.version, document.digest)
    lab.engine.flags.acknowledge(replace(told, **forged))
    found = lab.engine._flags.instances.find("i-1")
    return 0 if found is None else found.version


# A kill that only seems to have arrived.


@pytest.mark.parametrize(
    "forged",
    [
        {"digest": "sha256:of-what-it-was-before"},
        {"digest": ""},
        {"instance": Instance("i-1", "another-service")},
    ],
)
def test_nobody_says_for_an_instance_that_it_has_heard_of_a_kill(lab: FlagLab, forged: dict[str, Any]) -> None:
    lab.declare(SWITCH)
    lab.acknowledge("i-1")
    before = acknowledged(lab)
    kill(lab)
    assert acknowledged(lab, **forged) == before
    assert lab.flag(SWITCHED).missing == ("i-1",)
    assert acknowledged(lab) == before + 1, "its own word counts"


def test_what_was_acknowledged_before_a_kill_is_not_told_again_as_of_after(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    old = lab.engine.flags.document()
    lab.acknowledge("i-1")
    kill(lab)
    for version in (old.version + 1, old.version + 2):
        lab.engine.flags.acknowledge(Acknowledgement(MINE, version, old.digest))
    assert lab.flag(SWITCHED).missing == ("i-1",)


def test_a_version_that_was_handed_out_is_believed_though_there_is_a_later_one(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    lab.acknowledge("i-1")
    kill(lab)
    dead = lab.engine.flags.document()
    lab.declare(SWITCH.replace("PAY-124", "PAY-125"))
    lab.engine.flags.acknowledge(Acknowledgement(MINE, dead.version, dead.digest))
    assert lab.engine._flags.instances.lacking(dead.version) == ()
    lab.engine.flags.acknowledge(Acknowledgement(Instance("i-2", "checkout"), dead.version, "sha256:made-up"))
    assert lab.engine._flags.instances.find("i-2") is None


def test_a_kill_is_not_confirmed_while_there_are_more_instances_than_are_known(
    lab: FlagLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever makes up instances until there is room for no more would keep the real ones from being missed."""
    monkeypatch.setattr("davy.control.flags.instances.MOST", 2)
    lab.declare(SWITCH)
    for id_ in ("made-up-1", "made-up-2", "real"):
        lab.acknowledge(id_)
    kill(lab)
    for id_ in ("made-up-1", "made-up-2"):
        lab.acknowledge(id_)
    lab.turns(4, 10.0)
    assert lab.entries("flag_confirmed") == []
    assert len(lab.entries("flag_unconfirmed")) == 1


def test_room_for_instances_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("davy.control.flags.instances.MOST", 1)
    instances = Instances(lambda: 0.0, lambda: None)
    for id_ in ("one", "two"):
        instances.acknowledge(Acknowledgement(Instance(id_, "s"), 1, "d"))
    assert instances.is_incomplete
    instances.left("one")
    instances.acknowledge(Acknowledgement(Instance("two", "s"), 1, "d"))
    assert not instances.is_incomplete


# Documents of artifacts.


def test_artifacts_that_nobody_knows_share_one_document(released: FlagLab) -> None:
    """Otherwise each name that somebody makes up costs a document."""
    flags = released.engine.flags
    assert flags.document("made-up-1") is flags.document("made-up-2")
    assert released.answers(artifact="made-up-1")["metadata"]["gate"] == "closed"


# Reports that lie.


def test_what_is_counted_of_flags_that_there_are_not_takes_no_room(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    lab.acknowledge("i-1")
    version = lab.engine.flags.document().version
    rows = (
        Exposure("made.up", "on", "STATIC", version, 1),
        Exposure(SWITCHED, "made-up", "STATIC", version, 1),
        Exposure(SWITCHED, "on", "STATIC", version, 5),
        Exposure(SWITCHED, "", "DISABLED", version, 2),
    )
    lab.engine.flags.count(ExposureReport(MINE, 990.0, 995.0, rows))
    assert {each.variant: each.count for each in lab.flag(SWITCHED).exposures} == {"on": 5, "": 2}
    assert lab.engine._flags.exposures.dropped == 2
    assert {row.flag for row in lab.engine._flags.exposures.sums} == {SWITCHED}


def test_counts_beyond_all_reason_stop_no_engine(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    lab.acknowledge("i-1")
    version = lab.engine.flags.document().version
    for begin in (900.0, 910.0, 920.0):
        row = Exposure(SWITCHED, "on", "STATIC", version, 2**64 - 1, 2**64 - 1, 2**64 - 1)
        lab.engine.flags.count(ExposureReport(MINE, begin, begin + 10.0, (row,), 2**64 - 1))
    lab.turns(3, 40.0)
    lab.start()
    assert lab.flag(SWITCHED).exposures == ()


def test_a_report_of_the_future_silences_no_instance(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    lab.acknowledge("i-1")
    version, now = lab.engine.flags.document().version, lab.clock.time
    row = Exposure(SWITCHED, "on", "STATIC", version, 1)
    lab.engine.flags.count(ExposureReport(MINE, now, now + 1e9, (row,)))
    lab.engine.flags.count(ExposureReport(MINE, now - 10.0, now, (row,)))
    assert [each.count for each in lab.flag(SWITCHED).exposures] == [1]


# A kill that is got rid of.


def test_a_killed_flag_comes_to_no_new_life_in_another_namespace(lab: FlagLab) -> None:
    lab.declare(SWITCH)
    kill(lab)
    lab.ask(requests.DeletePolicy("FeatureFlag", SWITCHED, "", "it goes"))
    with pytest.raises(UsageError, match="namespace default"):
        lab.declare(SWITCH.replace("metadata: {", "metadata: {namespace: other, "))
    lab.declare(SWITCH)
    assert lab.flag(SWITCHED).killed, "where it was it is what it was"


def test_one_apply_does_not_bring_a_key_twice(lab: FlagLab) -> None:
    other = FLAG.replace("metadata: {", "metadata: {namespace: other, ")
    with pytest.raises((UsageError, AssertionError)):
        lab.declare(FLAG, other)


# A gate that is walked round.


@pytest.mark.parametrize(
    "link",
    ["rollout: {name: passed-long-ago}", "rollout: {name: payments, weight: 1}", "kind: experiment"],
)
def test_a_flag_does_not_wait_for_less_than_it_did(lab: FlagLab, link: str) -> None:
    lab.rules = Rules(pack=policies_of, profile="standard")
    lab.start()
    lab.declare(FLAG)
    changed = FLAG.replace("rollout: {name: payments, weight: 20}", link)
    view = lab.ask(requests.Apply((("flag.yaml", changed),), "/here", reason="it is urgent"))
    assert isinstance(view, views.ApplyView)
    assert not view.accepted
    assert "PD080" in {each.code for each in view.findings}
    assert lab.engine._flags._interlock.table.flags[Key("default", KEY)].linked == Key("default", "payments")


# What waits for a second person.


def test_what_waits_for_a_second_person_does_not_pile_up(lab: FlagLab) -> None:
    lab.declare(SWITCH.replace('  defaultVariant: "on"\n', ""))
    for share in range(1, 60):
        lab.ask(requests.SetFlag(SWITCHED, "more", share=share))
    [flag] = [each for each in lab.engine._flags._interlock.table.flags.values() if each.key.name == SWITCHED]
    assert len(flag.state.proposals) == 20
    assert flag.state.proposals[-1].settings.share == 59


# Everybody at once.


def test_whoever_comes_at_once_finds_versions_in_order_and_no_kill_is_lost(lab: FlagLab) -> None:
    plain = SWITCH.replace("criticality: high", "criticality: low")
    lab.declare(plain)
    start = Barrier(4)

    def work(number: int) -> None:
        start.wait()
        for turn in range(12):
            reason = f"{number}/{turn}"
            asked: tuple[Any, ...] = (
                requests.KillFlag(SWITCHED, reason),
                requests.RestoreFlag(SWITCHED, reason),
                requests.SetFlag(SWITCHED, reason, share=1 + turn * 5),
                requests.Apply(
                    (("switch.yaml", plain.replace("PAY-124", f"PAY-{turn + 1}")),), "/", reason=reason
                ),
            )
            with suppress(Refused, Conflict):
                lab.engine.handle(asked[number], "ada (uid 7)")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    changes = lab.entries("flag_changed")
    versions = [each.detail["version"] for each in changes]
    assert versions == list(range(1, len(versions) + 1))
    last = [each.detail["action"] for each in changes if each.detail["action"] in ("killed", "restored")][-1]
    assert bool(lab.flag(SWITCHED).killed) is (last == "killed")
    lab.start()
    assert bool(lab.flag(SWITCHED).killed) is (last == "killed"), "the next engine knows it, too"
