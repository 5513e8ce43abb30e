"""A rollout that has a Judge: what it is told, what it decides, what is shown, and what outlives a crash."""

from typing import Any

import msgspec
import pytest
from tests.control.conftest import Lab

from davy.analysis.judge.state import JudgeState
from davy.analysis.tally import Tally
from davy.control import requests, views
from davy.control.held import Held, Watch
from davy.control.rulebook import Rules
from davy.control.verdicts import heard
from davy.errors import NotFound, Refused
from davy.ledger.store import StoreUnavailable
from davy.model.key import Key

JUDGE = """
apiVersion: davy.dev/v1alpha1
kind: Judge
metadata: {name: strict}
spec: {service: payments}
"""
FULL = StoreUnavailable("the disk is full")
PAYMENTS = Key("default", "payments")


def apply(lab: Lab, text: str) -> Any:
    return lab.ask(requests.Apply((("judge.yaml", text),), "/"))


def judged(lab: Lab, **changes: str) -> None:
    """Have payments live, with a Judge that has learnt how it is."""
    assert apply(lab, JUDGE).accepted
    assert lab.apply("payments", **changes).accepted
    seconds(lab, 30)


def release(lab: Lab, tag: str = "app:2") -> str:
    lab.ask(requests.SetImage("default", "payments", {"app": tag}))
    return held(lab).state.current


def judge_of(lab: Lab) -> views.JudgeView:
    found = lab.get().judge
    assert found is not None
    return found


def held(lab: Lab) -> Held:
    return lab.engine._holdings.rollouts[PAYMENTS]


def judge_state(lab: Lab) -> JudgeState:
    found = held(lab).judge
    assert found is not None
    return found


def seconds(lab: Lab, count: int, rate: int = 1000, **failing: int) -> None:
    """Let users make requests for some seconds, of which so many of a thousand fail, by version."""
    for _ in range(count):
        lab.clock.time += 1.0
        for hash_, weight in (lab.platform.look(PAYMENTS).weights or {}).items():
            before = lab.traffic.counts.get(hash_, Tally())
            made = before.requests + rate * weight // 100
            part = failing.get(hash_, 1)
            errors = before.errors + made * part // 1000 - before.requests * part // 1000
            lab.traffic.counts[hash_] = Tally(made, errors, restarts=before.restarts)
        lab.engine.looked()
        lab.engine.turn()
        lab.runs.settle()


def until(lab: Lab, wanted: Any, most: int = 400, **failing: int) -> Any:
    for _ in range(most):
        if wanted(view := lab.get()):
            return view
        seconds(lab, 1, **failing)
    raise AssertionError(f"it never came about: {view}")


def test_a_rollout_of_the_service_of_a_judge_is_judged_in_the_place_of_the_guard(lab: Lab) -> None:
    judged(lab)
    release(lab)
    view = until(lab, lambda view: view.actual_weight == 20)
    seconds(lab, 3)
    view = lab.get()
    assert view.guard is None
    assert judge_of(lab).name == "strict"
    assert judge_of(lab).verdict.weight == 20
    watch = held(lab).watch
    assert watch is not None
    assert watch.judge is not None
    assert watch.judge.rate > 900.0


def test_one_with_more_errors_is_aborted_with_the_judges_sentence(lab: Lab) -> None:
    judged(lab)
    bad = release(lab)
    view = until(lab, lambda view: view.status == "Degraded", **{bad: 10})
    assert view.message.startswith("RolloutAborted: ")
    assert "judge: error_ratio of the canary is" in view.message
    assert view.judge.alarm
    [told] = [entry.detail for entry in lab.store.entries() if entry.kind == "change_rolled_back"]
    assert told["judge"]["log10"] >= told["judge"]["needed"] == 2.0
    assert told["judge"]["driver"] == "error_ratio"
    assert told["judge"]["counts"]["error_ratio"]["canary"][0] == told["requests"]
    why = lab.ask(requests.Why("default", "payments"))
    assert any(line.startswith("error_ratio: evidence 10^") for line in why.evidence)


def test_what_is_known_of_stable_is_known_when_an_update_begins(lab: Lab) -> None:
    judged(lab)
    seconds(lab, 60)
    before = held(lab).judge
    assert before is not None
    release(lab)
    after = held(lab).judge
    assert after is not None
    assert after.rate == pytest.approx(before.rate, rel=0.01)
    assert lab.store.load("watch").keys() <= {"default/payments"}


def test_nothing_is_written_down_while_there_is_no_update(lab: Lab) -> None:
    judged(lab)
    entries = len(lab.store.entries())
    seconds(lab, 120)
    assert not lab.store.load("watch")
    assert len(lab.store.entries()) == entries


def test_a_judge_goes_on_with_identical_numbers_after_a_crash(lab: Lab) -> None:
    judged(lab)
    bad = release(lab)
    until(lab, lambda view: view.actual_weight == 20)
    seconds(lab, 20, **{bad: 1})
    stored = msgspec.json.decode(lab.store.load("watch")["default/payments"], type=Watch)
    lab.start()
    assert held(lab).watch == stored.taken_up()
    assert stored.judge is not None
    known = msgspec.json.encode(stored.judge.known)
    assert msgspec.json.encode(judge_state(lab).known) == known
    until(lab, lambda view: view.status == "Degraded", **{bad: 10})


def test_what_is_stored_is_never_older_than_ten_seconds_or_an_error(lab: Lab) -> None:
    judged(lab)
    release(lab)
    until(lab, lambda view: view.actual_weight == 20)
    for _ in range(40):
        seconds(lab, 1)
        known = held(lab).judge
        stored = msgspec.json.decode(lab.store.load("watch")["default/payments"], type=Watch).judge
        assert known is not None
        assert stored is not None
        assert known.last is not None
        assert stored.last is not None
        assert known.last.at - stored.last.at < 10.0
        assert known.last.canary.errors == stored.last.canary.errors


def test_the_same_version_keeps_its_evidence_when_it_is_tried_again(lab: Lab) -> None:
    judged(lab)
    bad = release(lab)
    until(lab, lambda view: view.status == "Degraded", **{bad: 10})
    lab.start()
    lab.ask(requests.Retry("default", "payments", "once more"))
    seconds(lab, 2)
    assert lab.get().status == "Degraded"
    assert release(lab, "app:3") != bad
    seconds(lab, 2)
    assert judge_of(lab).verdict.evidence.log10 == pytest.approx(0.0, abs=0.1)


def test_evidence_outlives_the_way_back_to_the_stable_version(lab: Lab) -> None:
    judged(lab)
    bad = release(lab)
    until(lab, lambda view: view.status == "Degraded", **{bad: 10})
    release(lab, "app:1")
    until(lab, lambda view: view.status == "Healthy")
    assert lab.get().judge is None
    seconds(lab, 20)
    assert release(lab) == bad
    seconds(lab, 3)
    assert lab.get().status == "Degraded"


def test_an_abort_does_not_wait_for_the_store(lab: Lab) -> None:
    judged(lab)
    bad = release(lab)
    until(lab, lambda view: view.actual_weight == 20)
    seconds(lab, 3)
    lab.store.full = FULL
    until(lab, lambda view: view.actual_weight == 0, **{bad: 100})
    lab.store.full = None
    seconds(lab, 5)
    assert "change_rolled_back" in lab.kinds()


def test_stale_counters_are_noticed_though_no_counter_moves(lab: Lab) -> None:
    judged(lab)
    release(lab)
    until(lab, lambda view: view.actual_weight == 20)
    seconds(lab, 5)
    at = lab.clock.time
    lab.traffic.counters = lambda key: (at, lab.traffic.counts)  # type: ignore[method-assign]
    seconds(lab, 6)
    verdict = lab.ask(requests.Verdict("default", "payments"))
    assert verdict.action == "hold"
    assert verdict.data.state == "stale"


def test_a_canary_that_has_lost_its_traffic_is_one_that_nobody_knows_of(lab: Lab) -> None:
    judged(lab)
    new = release(lab)
    until(lab, lambda view: view.actual_weight == 20)
    seconds(lab, 5)
    word = heard(held(lab), lab.clock.time)
    assert word is not None
    assert not word.blind
    lab.platform.make_unready(PAYMENTS, new)
    lab.engine.kick(PAYMENTS)
    seconds(lab, 3)
    word = heard(held(lab), lab.clock.time)
    assert word is not None
    assert word.blind
    assert word.reason == "the canary has no traffic yet"


def test_whoever_asks_for_a_verdict_gets_it_in_the_words_of_argo(lab: Lab) -> None:
    assert lab.apply("payments").accepted
    lab.turns()
    with pytest.raises(NotFound, match="no judge judges"):
        lab.ask(requests.Verdict("default", "payments"))
    apply(lab, JUDGE)
    assert lab.ask(requests.Verdict("default", "payments")).verdict == "continue"
    seconds(lab, 20)
    found = lab.ask(requests.Verdict("default", "payments"))
    assert (found.verdict, found.action, found.reason) == ("continue", "continue", "no update is under way")
    bad = release(lab)
    until(lab, lambda view: view.actual_weight == 20, **{bad: 100})
    plain = msgspec.to_builtins(lab.ask(requests.Verdict("default", "payments")))
    assert plain.keys() - {"kind", "apiVersion"} == {
        "verdict",
        "action",
        "weight",
        "next_weight",
        "reason",
        "evidence",
        "assurance",
        "metrics",
        "data",
    }
    assert plain["evidence"].keys() == {"log10", "abort_at", "driver", "ratio"}
    assert plain["assurance"].keys() == {"excess_upper", "beta", "risk_next", "budget"}
    assert plain["data"].keys() == {"age_s", "windows", "state"}
    until(lab, lambda view: view.status == "Degraded", **{bad: 100})
    assert lab.ask(requests.Verdict("default", "payments")).verdict == "abort"


def test_a_judge_does_not_change_while_a_release_is_on_its_way_past_it(lab: Lab) -> None:
    judged(lab)
    release(lab)
    lax = JUDGE.replace("payments}", "payments, alpha: 0.2}")
    with pytest.raises(Refused, match="Judge/strict is what revision 2 of rollout 'payments'"):
        apply(lab, lax)
    with pytest.raises(Refused, match="not taken away"):
        lab.ask(requests.DeletePolicy("Judge", "strict", "in the way", "default"))
    assert apply(lab, JUDGE).applied[0].outcome == "unchanged"
    lab.ask(requests.Abort("default", "payments", "back"))
    assert apply(lab, lax).applied[0].outcome == "configured"


def test_an_update_may_begin_again_with_the_changed_judge(lab: Lab) -> None:
    lab.rules = Rules(on_template_change="restart")
    lab.start()
    judged(lab)
    release(lab)
    until(lab, lambda view: view.actual_weight == 20)
    apply(lab, JUDGE.replace("payments}", "payments, alpha: 0.2}"))
    started = [entry.detail for entry in lab.store.entries() if entry.kind == "update_started"]
    assert started[-1]["attempt"] == 2
    digests = [detail["templates"]["Judge/strict"] for detail in started]
    assert digests[-1] != digests[0]
    seconds(lab, 2)
    judge = held(lab).judge
    assert judge is not None
    assert judge.judge.alpha == 0.2


def test_a_judge_that_comes_while_an_update_is_under_way_is_another_gate(lab: Lab) -> None:
    assert lab.apply("payments").accepted
    lab.turns()
    release(lab)
    with pytest.raises(Refused, match="a gate does not change"):
        apply(lab, JUDGE)


def test_a_judge_that_judges_nobody_can_be_deleted(lab: Lab) -> None:
    judged(lab)
    with pytest.raises(NotFound, match="not found"):
        lab.ask(requests.DeletePolicy("Judge", "other", "x", "default"))
    done = lab.ask(requests.DeletePolicy("Judge", "strict", "x", "default"))
    assert done.message == 'judge "strict" deleted'
    release(lab)
    until(lab, lambda view: view.actual_weight == 20)
    seconds(lab, 2)
    assert lab.get().judge is None
    assert lab.get().guard is not None
    lab.start()
    assert not lab.engine.catalog.has_judges


def timed(lab: Lab, count: int, slow: str = "", rate: int = 1000) -> None:
    """Let users make requests for some seconds, of which those to one version take half as long again."""
    for _ in range(count):
        for hash_, weight in (lab.platform.look(PAYMENTS).weights or {}).items():
            before = lab.traffic.counts.get(hash_, Tally())
            made = rate * weight // 100
            shift = 4 if hash_ == slow else 0
            buckets = list(before.latency or (0,) * 60)
            for step, part in enumerate((0.05, 0.2, 0.3, 0.25, 0.15, 0.05)):
                buckets[20 + 3 * step + shift] += round(made * part)
            lab.traffic.counts[hash_] = Tally(
                before.requests + made, before.errors, latency=tuple(buckets), restarts=before.restarts
            )
        lab.clock.time += 1.0
        lab.engine.looked()
        lab.engine.turn()
        lab.runs.settle()


SHORT = JUDGE.replace("payments}", "payments, bake: 60s}")


def plain(lab: Lab, text: str = SHORT) -> None:
    """Have payments live, with steps that set weights and nothing else, and a Judge."""
    assert apply(lab, text).accepted
    steps = "      - pause: {duration: 60}\n      - analysis: {templates: [{templateName: errors}]}\n"
    assert lab.apply("payments", **{steps: "", "      - pause: {}\n": ""}).accepted


def test_a_good_version_is_promoted_by_the_judges_word_after_its_bake(lab: Lab) -> None:
    plain(lab)
    seconds(lab, 60)
    release(lab)
    weights = []
    for _ in range(900):
        seconds(lab, 1)
        view = lab.get()
        weights.append(view.actual_weight)
        if view.status == "Healthy":
            break
    assert list(dict.fromkeys(weights)) == [0, 20, 50, 100]
    kinds = lab.kinds()
    assert kinds.count("judge_awaited") >= 2
    assert kinds.count("bake_started") == 1
    assert weights.count(100) >= 60
    [promoted] = [entry.detail for entry in lab.store.entries() if entry.kind == "change_promoted"][1:]
    assert promoted["judge"]["promotion"] == "proven"


def test_without_traffic_a_canary_gets_no_more_and_is_not_promoted(lab: Lab) -> None:
    plain(lab)
    seconds(lab, 60)
    release(lab)
    until(lab, lambda view: view.actual_weight == 20)
    seconds(lab, 400, rate=0)
    view = lab.get()
    assert (view.status, view.actual_weight) == ("Progressing", 20)
    assert view.message.startswith("Judge: no request of the canary at 20 %")
    seconds(lab, 400, rate=0)
    assert lab.get().status == "Degraded"
    assert lab.kinds().count("change_promoted") == 1


def test_a_version_that_is_only_slower_is_aborted_for_it(lab: Lab) -> None:
    plain(lab)
    timed(lab, 60)
    slow = release(lab)
    for _ in range(300):
        timed(lab, 1, slow)
        if lab.get().status == "Degraded":
            break
    assert "judge: latency: the canary's requests take about" in lab.get().message
    assert "(latency)" in judge_of(lab).sentence


def test_errors_after_promotion_are_compared_in_halves_and_taken_back(lab: Lab) -> None:
    plain(lab)
    seconds(lab, 60)
    bad = release(lab)
    until(lab, lambda view: view.actual_weight == 100)
    seconds(lab, 20)
    until(lab, lambda view: view.actual_weight == 50, **{bad: 30})
    view = until(lab, lambda view: view.status == "Degraded", **{bad: 30})
    assert "judge: " in view.message
    assert view.actual_weight == 0


def test_errors_of_both_after_promotion_are_not_held_against_the_new_version(lab: Lab) -> None:
    plain(lab)
    seconds(lab, 60)
    new = release(lab)
    old = held(lab).state.stable
    until(lab, lambda view: view.actual_weight == 100)
    seconds(lab, 20)
    both = {new: 30, old: 30}
    until(lab, lambda view: view.actual_weight == 50, **both)
    until(lab, lambda view: view.actual_weight == 100, **both)
    until(lab, lambda view: view.status == "Healthy", **both)


def test_no_word_is_heard_of_a_split_that_was_not_seen(lab: Lab) -> None:
    plain(lab)
    seconds(lab, 60)
    release(lab)
    at: dict[int | None, float] = {}
    for _ in range(900):
        seconds(lab, 1)
        at.setdefault(lab.get().actual_weight, lab.clock.time)
    assert at[50] - at[20] >= 20.0
    assert at[100] - at[50] >= 20.0


def test_a_proxy_that_began_anew_judges_nothing_twice(lab: Lab) -> None:
    judged(lab)
    release(lab)
    until(lab, lambda view: view.actual_weight == 20)
    seconds(lab, 10)
    before = judge_state(lab)
    for hash_, tally in lab.traffic.counts.items():
        lab.traffic.counts[hash_] = Tally(tally.requests + 500, tally.errors + 400, restarts=1)
    seconds(lab, 1)
    after = judge_state(lab)
    assert after.gaps == before.gaps + 1
    assert after.known["error_ratio"].log_evidence(after.judge.metrics[0]) == pytest.approx(
        before.known["error_ratio"].log_evidence(before.judge.metrics[0])
    )


def test_an_engine_that_counts_from_less_than_the_one_before_judges_nothing_twice(lab: Lab) -> None:
    judged(lab)
    release(lab)
    until(lab, lambda view: view.actual_weight == 20)
    seconds(lab, 20)
    lab.start()
    before = judge_state(lab)
    for hash_, tally in lab.traffic.counts.items():
        lab.traffic.counts[hash_] = Tally(tally.requests // 2, tally.errors // 2)
    seconds(lab, 1)
    assert judge_state(lab).gaps == before.gaps + 1
    assert judge_state(lab).windows == before.windows


def test_an_engine_that_times_answers_anew_goes_on_with_the_counts(lab: Lab) -> None:
    plain(lab)
    timed(lab, 60)
    release(lab)
    for _ in range(100):
        timed(lab, 1)
        if lab.get().actual_weight == 20:
            break
    timed(lab, 20)
    lab.start()
    before = judge_state(lab)
    for hash_, tally in lab.traffic.counts.items():
        lab.traffic.counts[hash_] = Tally(tally.requests, tally.errors, latency=(0,) * 60)
    timed(lab, 1)
    after = judge_state(lab)
    assert (after.windows, after.gaps) == (before.windows + 1, before.gaps)
    assert after.last is not None
    assert sum(after.last.canary.histogram) == 200
