"""Who is at fault goes by who met it: promises of the attribution, and the way of a blame to the figures."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.control.flags.test_ramps import NAME, RAMPED, RampLab

from davy.control import requests, views
from davy.control.flags.attribution import Outcome, Suspect, attribute
from davy.flags.remote import Acknowledgement, Exposure, ExposureReport, Instance
from davy.ledger.entry import Draft
from davy.reports.rules import facts

ONE, TWO = Suspect("shop.one", "on"), Suspect("shop.two", "on")


def outcome(
    flag: str, variant: str, requests_: int, failed: int, *, stretch: float = 0.0, version: int = 1
) -> Outcome:
    return Outcome(flag, variant, version, "shop", stretch, requests_, failed)


def pair(
    flag: str, on: tuple[int, int], off: tuple[int, int], *, stretch: float = 0.0, version: int = 1
) -> list[Outcome]:
    return [
        outcome(flag, variant, *counts, stretch=stretch, version=version)
        for variant, counts in (("on", on), ("off", off))
    ]


def test_the_one_that_was_met_by_those_who_failed_is_at_fault_and_a_bystander_is_not() -> None:
    told = pair("shop.one", (1000, 100), (1000, 10)) + pair("shop.two", (1000, 56), (1000, 54))
    one, two = attribute([ONE, TWO], told)
    assert (one.verdict, two.verdict) == ("at-fault", "not-at-fault")
    assert one.ratio == 10.0
    assert one.sentence.startswith(
        "requests that met on of shop.one: 10.0 %, 100 of 1 000 failed; that met another variant: "
        "1.0 %, 10 of 1 000 failed; 10 times as often, with evidence 10^"
    )
    assert two.sentence.endswith("no more often than chance has it")


def test_where_others_never_fail_there_is_no_ratio() -> None:
    [one] = attribute([ONE], pair("shop.one", (1000, 100), (1000, 0)))
    assert (one.verdict, one.ratio) == ("at-fault", None)
    assert "and the others never" in one.sentence


def test_what_everybody_met_cannot_be_told() -> None:
    [one] = attribute([ONE], [outcome("shop.one", "on", 1000, 500)])
    assert one.verdict == "cannot-tell"
    assert one.exposed.requests == 1000
    assert "nothing to hold it against" in one.sentence


def test_before_and_after_is_no_comparison() -> None:
    before = outcome("shop.one", "off", 1000, 1, stretch=0.0)
    after = outcome("shop.one", "on", 1000, 500, stretch=10.0)
    [one] = attribute([ONE], [before, after])
    assert one.verdict == "cannot-tell"


def test_what_was_met_by_an_earlier_document_does_not_count() -> None:
    told = pair("shop.one", (1000, 100), (1000, 10), version=4)
    [one] = attribute([Suspect("shop.one", "on", since=5)], told)
    assert one.verdict == "cannot-tell"


def test_populations_that_coincide_cannot_be_told_apart() -> None:
    told = pair("shop.one", (1000, 100), (1000, 10)) + pair("shop.two", (1000, 100), (1000, 10))
    one, two = attribute([ONE, TWO], told)
    assert one.verdict == two.verdict == "cannot-tell"
    assert "the same is true of shop.two" in one.sentence


def test_of_populations_that_overlap_the_better_explanation_is_blamed() -> None:
    told = pair("shop.one", (1000, 100), (1000, 10)) + pair("shop.two", (1000, 80), (1000, 30))
    one, two = attribute([ONE, TWO], told)
    assert (one.verdict, two.verdict) == ("at-fault", "cannot-tell")
    assert "shop.one explain it better" in two.sentence


def test_too_few_failures_tell_nothing() -> None:
    [one] = attribute([ONE], pair("shop.one", (10, 2), (1000, 0)))
    assert one.verdict == "cannot-tell"
    assert "too few" in one.sentence
    [one] = attribute([ONE], pair("shop.one", (2, 2), (100_000, 0)))
    assert one.verdict != "at-fault", "two failures are never enough"


def test_nobody_counted_is_nobody_blamed() -> None:
    assert attribute([], []) == ()
    [one] = attribute([Suspect("shop.one", "")], [])
    assert (one.verdict, one.ratio) == ("cannot-tell", None)
    assert "the default of shop.one" in one.sentence


def test_chance_is_blamed_less_than_once_in_a_hundred() -> None:
    draw, blamed = Random(7), 0
    for _ in range(400):
        told: list[Outcome] = []
        for flag in ("shop.one", "shop.two"):
            for stretch in range(6):
                rate = draw.choice([0.01, 0.2])  # which goes up and down for everybody
                counts = [(200, sum(draw.random() < rate for _ in range(200))) for _ in range(2)]
                told += pair(flag, counts[0], counts[1], stretch=float(stretch))
        blamed += any(each.verdict == "at-fault" for each in attribute([ONE, TWO], told))
    assert blamed <= 4


@given(st.integers(0, 400), st.integers(1, 400), st.integers(0, 400), st.integers(1, 400))
def test_more_failures_of_those_who_met_it_never_make_it_less_guilty(
    e1: int, n1: int, e0: int, n0: int
) -> None:
    e1, e0 = min(e1, n1), min(e0, n0)
    [one] = attribute([ONE], pair("shop.one", (n1, e1), (n0, e0)))
    [more] = attribute([ONE], pair("shop.one", (n1, min(n1, e1 + 5)), (n0, e0)))
    assert more.evidence >= one.evidence


FLAG = """
apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata: {name: NAME}
spec:
  owner: shop
  jira: PAY-1
  expiry: 2027-03-01
  variants: {"on": true, "off": false}
  safeValue: false
"""


class Shop(RampLab):
    """Two flags, each for half of the users, drawn apart; those fail who meet `bad`."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.declare(FLAG.replace("NAME", "shop.one"), FLAG.replace("NAME", "shop.two"))
        self.instance = Instance("i-1", "shop")
        self.since = self.clock.now()
        for key in ("shop.one", "shop.two"):
            self.ask(requests.SetFlag(key, "half of them", share=50))
        document = self.engine.flags.document()
        self.engine.flags.acknowledge(Acknowledgement(self.instance, document.version, document.digest))

    def users(self, bad: str, rate: float = 0.2) -> None:
        """Serve a thousand requests, a quarter of each pair of variants."""
        version = self.engine.flags.document().version
        failed = int(500 * rate)
        rows = []
        for key in ("shop.one", "shop.two"):
            if key == bad:
                rows += [(key, "on", failed), (key, "off", 2)]
            else:
                rows += [(key, "on", (failed + 2) // 2), (key, "off", (failed + 2) // 2)]
        told = tuple(Exposure(key, variant, "SPLIT", version, 500, 500, bad) for key, variant, bad in rows)
        self.clock.time += 10
        self.engine.flags.count(ExposureReport(self.instance, self.since, self.clock.now(), told))
        self.since = self.clock.now()

    def incident(self) -> None:
        detail = {"incident": "errors", "service": "shop"}
        self.store.append(
            [
                Draft(
                    self.clock.now(),
                    "incident_opened",
                    "Incident shop/errors",
                    detail,
                    "pager",
                    source="p",
                    id="1",
                )
            ]
        )


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.mark.parametrize("bad", ["shop.one", "shop.two"])
def test_of_two_that_were_toggled_in_one_minute_the_guilty_one_is_the_failed_change(
    shop: Shop, bad: str
) -> None:
    shop.users(bad)
    shop.incident()
    for _ in range(3):
        shop.users(bad)
        shop.settle()
    [blame] = shop.entries("change_blamed")
    assert (blame.detail["flag"], blame.detail["incident"], blame.detail["service"]) == (bad, "errors", "shop")
    assert blame.subject == f"FeatureFlag default/{bad}"
    found = facts(shop.events())
    [incident] = found.incidents
    assert {key.repo for key in incident.responsible} == {f"flag/{bad}"}


def test_counts_that_come_after_the_incident_are_waited_for_and_only_suspects_of_then_are_blamed(
    shop: Shop,
) -> None:
    shop.incident()
    shop.settle()
    assert shop.entries("change_blamed") == []
    shop.ask(requests.KillFlag("shop.one", "in case"))
    shop.users("shop.one")
    shop.clock.time += 2
    shop.settle()
    assert [each.detail["flag"] for each in shop.entries("change_blamed")] == ["shop.one"]


def test_an_incident_of_which_nothing_can_be_told_blames_nobody(shop: Shop) -> None:
    shop.incident()
    for _ in range(70):
        shop.users("neither")
        shop.settle()
    assert shop.entries("change_blamed") == []
    shop.users("shop.one", 0.9)
    shop.settle()
    assert shop.entries("change_blamed") == [], "given up after ten minutes"


def test_an_incident_whose_change_is_known_is_left_alone(shop: Shop) -> None:
    detail = {"incident": "e", "service": "shop", "change": {"repo": "r", "commit": "c"}}
    shop.store.append(
        [Draft(shop.clock.now(), "incident_opened", "Incident shop/e", detail, source="p", id="2")]
    )
    for _ in range(3):
        shop.users("shop.one")
        shop.settle()
    assert shop.entries("change_blamed") == []


def test_a_table_shows_the_variants_and_who_is_at_fault(shop: Shop) -> None:
    shop.users("shop.two")
    view = shop.ask(requests.FlagBlame("shop"))
    assert isinstance(view, views.FlagBlameView)
    first, second = view.items
    assert (first.flag, first.verdict, second.verdict) == ("shop.two", "at-fault", "not-at-fault")
    assert [(arm.variant, arm.requests, arm.failed) for arm in first.arms] == [
        ("off", 500, 2),
        ("on", 500, 100),
    ]
    assert shop.ask(requests.FlagBlame("elsewhere")).items == ()


def test_an_aborted_ramp_is_blamed_where_its_users_failed(tmp_path: Path) -> None:
    lab = RampLab(tmp_path)
    lab.declare(RAMPED, lab.template)
    lab.connect("i-1")
    lab.ramp()
    lab.go(3)
    lab.go(8, 5.0, failing=300, others=5)
    [blame] = lab.entries("change_blamed")
    assert blame.detail["rollout"] == f"default/{NAME}#2.1"


def test_a_ramp_that_a_person_aborts_for_another_reason_is_not_blamed(tmp_path: Path) -> None:
    lab = RampLab(tmp_path)
    lab.declare(RAMPED, lab.template)
    lab.connect("i-1")
    lab.ramp()
    lab.go(3)
    lab.ask(requests.Abort("default", NAME, "later"))
    lab.go(8, 5.0, failing=5, others=5)
    assert lab.entries("change_blamed") == []
