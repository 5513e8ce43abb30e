"""What waivers excuse: one rule of one object as it stands, until an instant, each on its own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from davy.model.instant import BadInstant, lasting, parse_instant, written
from davy.policy import granting
from davy.policy.decision import decide
from davy.policy.digest import digest_of
from davy.policy.engine import Point, Violation
from davy.policy.granting import Refusal, Wish
from davy.policy.inventory import Inventory
from davy.policy.review import Object, Review, review_of
from davy.policy.waivers import DAY_S, HOUR_S, Terms, Waiver, apply, overdue, problem, standing, text_digest

NOW = 1_772_366_400.0  # 2026-03-01T12:00:00Z


def rollout(name: str = "payments", first: int = 60, namespace: str = "default") -> Object:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"strategy": {"canary": {"steps": [{"setWeight": first}]}}},
    }


def violation(rule: str = "PD022", *, broken: bool = False) -> Violation:
    return Violation("progressive", rule, f"{rule} is broken", broken=broken)


def wish(**changes: object) -> Wish:
    asked: dict[str, object] = {
        "rule": "PD022",
        "subject": rollout(),
        "reason": "the old version is on fire",
        "ticket": "OPS-17",
        "requester": "anna (uid 1000)",
        "until": NOW + 48 * HOUR_S,
    }
    return Wish(**{**asked, **changes})  # type: ignore[arg-type]


def granted(now: float = NOW, **changes: object) -> Waiver:
    asked = granting.request(wish(**changes), now, 1)
    assert isinstance(asked, Waiver), asked
    agreed = granting.approve(asked, "ben (uid 1001)", now)
    assert isinstance(agreed, Waiver), agreed
    return agreed


def broken_glass(**changes: object) -> Waiver:
    made = granting.break_glass(wish(until=NOW + HOUR_S, **changes), NOW, 1)
    assert isinstance(made, Waiver), made
    return made


def excuses(waivers: Sequence[Waiver], now: float = NOW, subject: Object | None = None, **more: object) -> bool:
    found = violation(**more)  # type: ignore[arg-type]
    return bool(apply([found], waivers, subject=subject or rollout(), now=now).excused)


# The end of a waiver:


def test_the_instant_at_which_a_waiver_ends_is_over() -> None:
    waiver = granted()
    assert excuses([waiver], waiver.expires_at - 1)
    assert excuses([waiver], math.nextafter(waiver.expires_at, 0))
    assert not excuses([waiver], waiver.expires_at)
    assert not excuses([waiver], waiver.expires_at + 1)


def test_a_violation_whose_waiver_ran_out_counts_and_names_it() -> None:
    waiver = granted()
    answer = apply([violation()], [waiver], subject=rollout(), now=waiver.expires_at + 3 * HOUR_S)
    assert [each.sentence for each in answer.active] == [
        f"[progressive] PD022 is broken (waiver {waiver.id} expired 3 h ago)"
    ]
    assert answer.warnings == (f"waiver {waiver.id} expired 3 h ago",)


@pytest.mark.parametrize(("days", "told"), [(8, ""), (7, "7 days"), (3, "3 days"), (1, "1 day"), (0.5, "12 h")])
def test_the_end_of_a_waiver_is_told_a_week_ahead(days: float, told: str) -> None:
    waiver = granted(until=NOW + 20 * DAY_S)
    end = f"at {written(waiver.expires_at)}"
    answer = apply([violation()], [waiver], subject=rollout(), now=waiver.expires_at - days * DAY_S)
    expected = (f"waiver {waiver.id} (PD022 on Rollout default/payments) ends in {told}, {end}",)
    assert answer.warnings == (expected if told else ())
    assert answer.excused[0].seconds_left == days * DAY_S


def test_a_clock_that_goes_back_does_not_bring_a_waiver_back() -> None:
    waiver = granted()
    assert granting.expire(waiver, waiver.expires_at - 1) is None
    over = granting.expire(waiver, waiver.expires_at)
    assert over is not None
    assert not excuses([over], waiver.expires_at - HOUR_S)
    assert granting.expire(over, waiver.expires_at + 1) is None


def test_a_waiver_that_was_granted_in_the_time_to_come_is_none() -> None:
    waiver = granted(now=NOW + 61, until=NOW + DAY_S)
    assert "which clock is wrong?" in standing(waiver, waiver.digest, NOW)
    assert standing(waiver, waiver.digest, NOW + 1) == ""


@pytest.mark.parametrize("now", [math.nan, math.inf, -math.inf])
def test_nobody_is_excused_while_the_time_is_not_known(now: float) -> None:
    assert not excuses([granted()], now)


@pytest.mark.parametrize(
    "until", [math.nan, math.inf, -math.inf, -1.0, NOW, NOW - 1, NOW + 30 * DAY_S + 1, 1e300]
)
def test_an_end_that_is_none_or_past_or_too_far_is_refused(until: float) -> None:
    assert isinstance(granting.request(wish(until=until), NOW, 1), Refusal)
    forged = msgspec.structs.replace(granted(), expires_at=until)
    forged = msgspec.structs.replace(forged, approval=text_digest(forged))
    assert not excuses([forged], NOW)


def test_how_long_a_waiver_may_last_is_for_the_policy_to_say() -> None:
    assert isinstance(granting.request(wish(), NOW, 1, Terms(longest_s=HOUR_S)), Refusal)
    asked = granting.request(wish(until=NOW + 90 * DAY_S), NOW, 1, Terms(longest_s=90 * DAY_S))
    assert isinstance(asked, Waiver)
    assert problem(asked) == "it is for longer than 30 days"


# What it is for:


@pytest.mark.parametrize(
    "subject",
    [
        rollout("payments2"),
        rollout(namespace="prod"),
        {**rollout(), "kind": "Deployment"},
        {**rollout(), "metadata": None},
        rollout(first=61),
        {**rollout(), "metadata": {"name": "payments", "labels": {"a": "b"}}},
        {**rollout(), "metadata": {"name": "payments", "annotations": {"a": "b"}}},
    ],
)
def test_a_waiver_is_for_one_object_as_it_stands(subject: Object) -> None:
    assert not excuses([granted()], subject=subject)


def test_a_waiver_is_for_one_rule() -> None:
    assert not excuses([granted()], rule="PD02")
    assert not excuses([granted()], rule="PD022 ")


def test_a_policy_that_cannot_be_evaluated_is_never_excused() -> None:
    answer = apply([violation(broken=True)], [granted()], subject=rollout(), now=NOW)
    assert not answer.excused
    assert "no policy that cannot be evaluated" in answer.active[0].note


def test_other_content_ends_a_waiver_and_is_told() -> None:
    [told] = apply([violation()], [granted()], subject=rollout(first=70), now=NOW).warnings
    assert "was granted for other content (sha256:" in told


def test_a_waiver_that_nobody_needs_is_told() -> None:
    waiver = granted()
    answer = apply([violation("PD023")], [waiver], subject=rollout(), now=NOW)
    assert answer.active == (violation("PD023"),)
    assert answer.warnings == (
        f"waiver {waiver.id} is no longer needed: PD022 has nothing against Rollout default/payments",
    )


def test_a_waiver_for_a_change_may_lie_in_wait() -> None:
    assert apply([], [granted(rule="PD043")], subject=rollout(), now=NOW).warnings == ()


def test_a_waiver_that_ran_out_and_is_not_needed_is_no_matter() -> None:
    waiver = granted()
    assert apply([], [waiver], subject=rollout(), now=waiver.expires_at).warnings == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"reason": "  "}, "it has no reason"),
        ({"ticket": ""}, "it has no ticket"),
        ({"requester": ""}, "it has no requester"),
        ({"digest": ""}, "it has no digest"),
        ({"rule": "PD*"}, "it has a `*`: a waiver is for one rule and one object"),
        ({"uses": -1}, "it may be used a negative number of times"),
        ({"used": -1}, "it may be used a negative number of times"),
        ({"requested_at": math.nan}, "one of its times is none"),
        ({"expires_at": NOW - 1}, "it ends before it was asked for"),
        ({"break_glass": True}, "it is for longer than 1 h"),
    ],
)
def test_a_malformed_waiver_does_not_count_and_is_told_of(changes: dict[str, object], told: str) -> None:
    forged = msgspec.structs.replace(granted(), **changes)
    forged = msgspec.structs.replace(forged, approval=text_digest(forged))
    for found in ([violation()], []):
        answer = apply(found, [forged], subject=rollout(), now=NOW)
        assert not answer.excused
        if forged.rule == "PD022" or not found:
            assert answer.warnings == (f"waiver {forged.id} does not count: {told}",)
    assert isinstance(granting.approve(forged, "carl", NOW), Refusal)


# Who agrees:


def test_nobody_approves_their_own() -> None:
    asked = granting.request(wish(), NOW, 1)
    assert isinstance(asked, Waiver)
    for account in ("anna (uid 1000)", "Anna (uid 1000)", " anna", "anna (uid 0)"):
        refused = granting.approve(asked, account, NOW)
        assert isinstance(refused, Refusal)
        assert not refused.permitted
        assert "nobody approves their own" in refused.sentence


def test_one_person_with_two_accounts_is_one_person() -> None:
    terms = Terms(aliases={"anna-admin": "anna.k", "anna": "anna.k", "loop": "pool", "pool": "loop"})
    asked = granting.request(wish(), NOW, 1, terms)
    assert isinstance(asked, Waiver)
    assert isinstance(granting.approve(asked, "anna-admin (uid 2000)", NOW, terms), Refusal)
    other = granting.approve(asked, "anna-admin (uid 2000)", NOW)
    assert isinstance(other, Waiver)
    assert "who asked for it" in standing(other, other.digest, NOW, terms)
    assert isinstance(granting.approve(asked, "loop", NOW, terms), Waiver)


def test_approvers_may_be_named() -> None:
    terms = Terms(approvers=frozenset({"carl"}))
    asked = granting.request(wish(), NOW, 1, terms)
    assert isinstance(asked, Waiver)
    refused = granting.approve(asked, "ben (uid 1001)", NOW, terms)
    assert isinstance(refused, Refusal)
    assert not refused.permitted
    assert isinstance(granting.approve(asked, "carl (uid 1002)", NOW, terms), Waiver)
    assert "who may not" in standing(granted(), granted().digest, NOW, terms)


@given(
    st.sampled_from(
        ["rule", "name", "namespace", "kind", "digest", "reason", "ticket", "requester", "uses", "expires_at"]
    )
)
def test_any_change_voids_an_approval(field: str) -> None:
    waiver = granted()
    value = getattr(waiver, field)
    changed = msgspec.structs.replace(waiver, **{field: value + ("x" if isinstance(value, str) else 1)})
    assert "was changed since it was approved" in standing(changed, changed.digest, NOW)


def test_an_approval_needs_an_approver() -> None:
    asked = granting.request(wish(), NOW, 1)
    assert isinstance(asked, Waiver)
    assert standing(asked, asked.digest, NOW) == f"waiver {asked.id} waits for somebody else to approve it"


# Its life:


def test_steps_that_come_too_late_are_refused() -> None:
    waiver = granted()
    revoked = granting.revoke(waiver, "carl", NOW)
    assert isinstance(revoked, Waiver)
    assert standing(revoked, revoked.digest, NOW) == f"waiver {waiver.id} was revoked by carl"
    assert isinstance(granting.revoke(revoked, "carl", NOW), Refusal)
    assert isinstance(granting.approve(waiver, "carl", NOW), Refusal)
    assert isinstance(granting.revoke(waiver, "carl", waiver.expires_at), Refusal)
    assert isinstance(granting.use(waiver, waiver.digest, waiver.expires_at), Refusal)
    assert isinstance(granting.review(waiver, "carl", NOW), Refusal)
    assert granting.expire(revoked, waiver.expires_at) is None


def test_a_waiver_is_used_as_often_as_it_says() -> None:
    waiver = granted(uses=2)
    for _ in range(2):
        assert excuses([waiver])
        used = granting.use(waiver, waiver.digest, NOW)
        assert isinstance(used, Waiver)
        waiver = used
    assert not excuses([waiver])
    assert standing(waiver, waiver.digest, NOW) == f"waiver {waiver.id} is used up: it was for 2 times"
    once = granting.use(granted(uses=1), waiver.digest, NOW)
    assert isinstance(once, Waiver)
    assert standing(once, once.digest, NOW) == f"waiver {once.id} is used up: it was for one time"


def test_glass_is_broken_alone_for_an_hour_loudly_and_reviewed_by_another() -> None:
    waiver = broken_glass()
    answer = apply([violation()], [waiver], subject=rollout(), now=NOW + 60)
    assert answer.excused
    assert answer.warnings[0].startswith("GLASS BROKEN by anna (uid 1000)")
    assert "somebody else reviews it by 2026-03-02T12:00:00Z" in answer.warnings[0]
    assert isinstance(granting.break_glass(wish(until=NOW + HOUR_S + 1), NOW, 1), Refusal)
    assert not overdue(waiver, NOW + DAY_S - 1)
    assert overdue(waiver, NOW + DAY_S)
    own = granting.review(waiver, "anna (uid 1000)", NOW)
    assert isinstance(own, Refusal)
    assert not own.permitted
    assert isinstance(granting.review(waiver, "ben", NOW, Terms(approvers=frozenset({"carl"}))), Refusal)
    reviewed = granting.review(waiver, "ben (uid 1001)", NOW + 2 * DAY_S)
    assert isinstance(reviewed, Waiver)
    assert not overdue(reviewed, NOW + 9 * DAY_S)
    assert isinstance(granting.review(reviewed, "carl", NOW), Refusal)
    assert "reviews it by" not in apply([violation()], [reviewed], subject=rollout(), now=NOW).warnings[0]


def test_nobody_breaks_glass_for_another() -> None:
    forged = msgspec.structs.replace(broken_glass(), approver="ben")
    assert "nobody does for another" in standing(forged, forged.digest, NOW)


# Two of them:


def test_of_several_that_cover_it_the_first_to_end_is_taken() -> None:
    early, late = granted(until=NOW + HOUR_S), granted(until=NOW + 2 * HOUR_S)
    answer = apply([violation()], [late, early], subject=rollout(), now=NOW)
    assert [each.waiver for each in answer.excused] == [early]
    assert answer.excused[0].sentence.endswith(f"waived by {early.id} for 1 h more (OPS-17)")


ONE = st.builds(
    lambda first, rule, hours, uses, used: msgspec.structs.replace(
        granted(subject=rollout(first=first), rule=rule, until=NOW + hours * HOUR_S, uses=uses), used=used
    ),
    st.sampled_from([60, 70]),
    st.sampled_from(["PD022", "PD023"]),
    st.integers(1, 4),
    st.integers(0, 2),
    st.integers(0, 2),
)


@given(st.lists(ONE, max_size=4), st.floats(NOW, NOW + 5 * HOUR_S))
def test_waivers_never_add_up(waivers: list[Waiver], now: float) -> None:
    """Together they excuse just what one of them excuses by itself."""
    for name in ("PD022", "PD023"):
        alone = [excuses([waiver], now, rule=name) for waiver in waivers]
        assert excuses(waivers, now, rule=name) == any(alone)


@dataclass(frozen=True)
class Grant:
    """What the model of the test knows of a waiver: for what, and from when to when."""

    id: str
    rule: str
    first: int
    until: float


class Waivers(RuleBasedStateMachine):
    """People ask, approve and revoke while the clock moves; nothing goes beyond what two of them agreed to."""

    asked = Bundle("asked")

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.latest: dict[str, float] = {}
        self.waivers: dict[str, Waiver] = {}
        self.agreed: dict[str, Grant] = {}

    @rule(
        target=asked,
        who=st.sampled_from(["anna", "ben"]),
        what=st.sampled_from(["PD022", "PD023"]),
        first=st.sampled_from([60, 70]),
        lasts_s=st.sampled_from([-1.0, 60.0, HOUR_S, 40 * DAY_S, math.nan]),
    )
    def ask(self, who: str, what: str, first: int, lasts_s: float) -> str:
        until = self.now + lasts_s
        made = granting.request(
            wish(rule=what, subject=rollout(first=first), requester=who, until=until),
            self.now,
            len(self.waivers),
        )
        if isinstance(made, Refusal):
            return ""
        assert 0 < lasts_s <= 30 * DAY_S
        self.waivers[made.id], self.latest[made.id] = made, self.now
        return made.id

    @rule(id=asked, who=st.sampled_from(["anna", "ben", "carl"]))
    def approve(self, id: str, who: str) -> None:
        if not id:
            return
        before = self.waivers[id]
        made = granting.approve(before, who, self.now)
        if isinstance(made, Waiver):
            assert who != before.requester
            self.waivers[id] = made
            first = 60 if made.digest == digest_of(rollout(first=60)) else 70
            self.agreed[id] = Grant(id, made.rule, first, made.expires_at)

    @rule(id=asked)
    def revoke(self, id: str) -> None:
        if id and isinstance(made := granting.revoke(self.waivers[id], "dora", self.now), Waiver):
            self.waivers[id] = made
            self.agreed.pop(id, None)

    @rule(id=asked, by_s=st.sampled_from([HOUR_S, 10 * DAY_S]))
    def forge(self, id: str, by_s: float) -> None:
        """Somebody writes a later end into a waiver that was approved."""
        if id:
            made = self.waivers[id]
            self.waivers[id] = msgspec.structs.replace(made, expires_at=made.expires_at + by_s)
            self.agreed.pop(id, None)

    @rule(by_s=st.sampled_from([-HOUR_S, -1.0, 1.0, 59.0, 60.0, HOUR_S, DAY_S]))
    def move_clock(self, by_s: float) -> None:
        self.now += by_s
        for id, waiver in self.waivers.items():
            self.latest[id] = max(self.latest[id], self.now)
            self.waivers[id] = granting.expire(waiver, self.now) or waiver

    @invariant()
    def nothing_is_excused_beyond_what_was_agreed(self) -> None:
        for name in ("PD022", "PD023"):
            for first in (60, 70):
                found = apply(
                    [violation(name)], list(self.waivers.values()), subject=rollout(first=first), now=self.now
                )
                covering = [
                    grant
                    for grant in self.agreed.values()
                    if grant.rule == name and grant.first == first and self.latest[grant.id] < grant.until
                ]
                assert not found.excused or covering


TestWaivers = Waivers.TestCase


# Instants:


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-03-01T12:00:00Z", NOW),
        ("2026-03-01T13:00+01:00", NOW),
        ("2026-03-29T01:59:59+01:00", 1_774_745_999.0),  # the last second before summer time in Berlin
        ("2026-03-29T03:00:00+02:00", 1_774_746_000.0),  # and the one after it
        ("2028-02-29T23:59:59.500Z", 1_835_481_599.5),
    ],
)
def test_an_instant_has_a_zone(text: str, seconds: float) -> None:
    assert parse_instant(text) == seconds
    assert parse_instant(written(seconds)) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01",
        "2026-03-01T12:00:00",
        "2026-02-29T12:00:00Z",
        "2026-03-01T24:00:00Z",
        "tomorrow",
        "",
        "2026-03-01T12:00:60Z",
        "1772366400",
        "1969-12-31T23:59:59Z",
        "2026-03-01T12:00:00+25:00",
        "0000-01-01T00:00Z",
        "9999-12-31T23:59:59-23:00",
        "2026-03-01T12:00:00 Europe/Berlin",
    ],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(BadInstant):
        parse_instant(text)


def test_the_hour_that_comes_twice_is_two_instants() -> None:
    waiver = granted(now=parse_instant("2026-10-25T00:00Z"), until=parse_instant("2026-10-25T02:30:00+01:00"))
    assert excuses([waiver], parse_instant("2026-10-25T02:30:00+02:00"))
    assert not excuses([waiver], parse_instant("2026-10-25T02:30:00+01:00"))


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0 s"), (59, "59 s"), (61, "1 min"), (7199, "1 h"), (86400, "1 day")]
)
def test_spans_are_cut_never_rounded_up(seconds: float, text: str) -> None:
    assert lasting(seconds) == text


# The one answer:


class Weights:
    """A policy that has something against every rollout."""

    name = "weights"

    def judge(self, review: Review, inventory: Inventory, point: Point) -> list[Violation]:
        return [violation()]


def test_every_point_gives_the_same_answer_and_asking_uses_nothing_up() -> None:
    waiver = granted(uses=1)
    review = review_of(rollout())
    answers = [
        decide([Weights()], review, Inventory(), point=each, waivers=[waiver], now=NOW) for each in Point
    ]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].allowed
    assert [each.waiver.used for each in answers[0].excused] == [0]
    late = decide([Weights()], review, Inventory(), point=Point.CHECK, waivers=[waiver], now=waiver.expires_at)
    assert not late.allowed


@pytest.mark.parametrize("account", ["anna\u200b", "\uff41nna", "an\u00adna", " ANNA "])
def test_a_name_is_the_same_however_it_is_spelt(account: str) -> None:
    assert Terms().person(account) == "anna"
