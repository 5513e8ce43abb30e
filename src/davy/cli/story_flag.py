"""The chapter of the demo about a flag: closed while a bad canary runs, open by a good one, killed by an abort.

What is told of it is what users got: each answer of payments says in a header whether it had the discount.
"""

import textwrap
import time
from collections.abc import Sequence
from datetime import datetime

import msgspec

from davy.adapters.ledger_key import public_key
from davy.adapters.load import Exchange, Load
from davy.cli.entries import sentence
from davy.cli.flag_status import line
from davy.cli.paint import plain
from davy.cli.stage import (
    LIMIT_S,
    LOOK_EVERY_S,
    PAYMENTS,
    RATE_HZ,
    WATCHED,
    NotTrue,
    Stage,
    hold,
    port_of,
    until,
)
from davy.cli.story_history import Repository, deploy
from davy.control import requests, views
from davy.ledger.entry import Entry
from davy.verifier import verify

KEY = "checkout.discount-enabled"
BAD = "1.4.4"
SHOWN = ("flag_changed", "flag_gate_opened", "flag_confirmed", "flag_unconfirmed")
ENOUGH = 120
"""How many requests are looked at where it takes some to see what users get."""


def show_closed(stage: Stage, met: Sequence[Exchange]) -> None:
    """Show that no user of the bad canary had the discount, whatever the default in its code."""
    had = sum(map(_has, met))
    gate = status(stage).gate
    hold(gate.state == "closed", f"the gate of {KEY} is {gate.state} while its canary is bad")
    hold(all(one.told == "off DISABLED" for one in met if one.status), f"{had} requests had the discount")
    stage.flag = msgspec.structs.replace(
        stage.flag, requests_during_bad_canary=len(met), requests_with_discount_during_bad_canary=had
    )
    stage.say(
        f"   {KEY} waits for a canary of payments: {had} of the {len(met)} requests to 1.4.2 had it,"
        "\n   although the default in its code is True: only evidence opens a gate"
    )


def show_opened(stage: Stage, began: float) -> None:
    """Show that the good canary opened the gate of the flag, by which evidence, and that users have it."""
    assert stage.load is not None
    now = _some(stage.load, time.monotonic())
    gate, opened = status(stage).gate, _opened(stage)
    hold(gate.state == "open" and bool(gate.evidence), f"the gate of {KEY} is {gate.state}: {gate.why}")
    at = _real(stage, opened.at)
    before = [one for one in stage.load.exchanges() if one.sent_s >= began and one.received_s < at]
    early, had = sum(map(_has, before)), sum(map(_has, now))
    hold(not early, f"{early} of {len(before)} requests had the discount before its gate was open")
    hold(0 < had < len(now), f"{had} of {len(now)} requests had the discount that is for half of them")
    stage.flag = msgspec.structs.replace(
        stage.flag,
        requests_with_discount_before_opened=early,
        opened_after="1.4.3",
        opened_at_weight=opened.detail["weight"],
        evidence=opened.detail["evidence"],
        requests_with_discount_after_opened=had,
    )
    stage.say(
        f"   ✔ {KEY} is open since 1.4.3 passed at {opened.detail['weight']} %:"
        f" {stage.flag.evidence[:23]}…"
        f"\n     {early} of {len(before)} requests had the discount before, {had} of {len(now)} have it now:"
        " it is for half of the users"
    )


def kill_by_abort(stage: Stage) -> dict[str, object]:
    """Release another bad version, and see its abort kill the flag for all users, by what instances say."""
    stage.load = load = Load(port_of(stage.rollout()), rate_hz=RATE_HZ, watch=WATCHED).start()
    hold(any(map(_has, _some(load, 0.0))), f"nobody has {KEY} before the next release")
    _show_status(stage)
    stage.say(f"   $ git merge release-{BAD}\n   $ davy apply -f .")
    applied = deploy(stage, Repository(stage.workspace).merge(BAD, stage.running.engine.now()))
    hold(applied.accepted, f"the manifests of {BAD} are refused")
    until(stage, PAYMENTS, _is_over, lambda view: f"   {view.actual_weight or 0:>3} %  {view.message}")
    killed, heard_at = _confirmed(stage)
    _tell_of_kill(stage, load, killed, heard_at)
    _show_status(stage)
    _show_history(stage)
    stage.say(f'   it stays off until somebody says: davy flag restore {KEY} --reason "…"')
    told: dict[str, object] = msgspec.to_builtins(stage.flag)
    return told


def status(stage: Stage) -> views.FlagView:
    """Look at the flag."""
    view = stage.ask(requests.FlagStatus(KEY))
    assert isinstance(view, views.FlagView)
    return view


def _confirmed(stage: Stage) -> tuple[views.FlagView, float]:
    """Wait until every instance has said that it has the kill; return the flag, and when the last one said so.

    That is an instant of the engine's clock.
    """
    deadline = time.monotonic() + LIMIT_S
    while True:
        now, flag = stage.running.engine.now(), status(stage)
        hold(flag.killed, f"{BAD} is {stage.rollout().status}, and {KEY} was not killed")
        if flag.instances and not flag.missing:
            return flag, now - min(each.age_s for each in flag.instances)
        if time.monotonic() > deadline:
            raise NotTrue(f"{', '.join(flag.missing) or 'no instance'} did not say that it has the kill")
        time.sleep(LOOK_EVERY_S)


def _tell_of_kill(stage: Stage, load: Load, killed: views.FlagView, heard_at: float) -> None:
    """Tell how long the kill took, by what instances said and by what users got."""
    after = _some(load, time.monotonic())
    late, at = sum(map(_has, after)), datetime.fromisoformat(killed.killed_at).timestamp()
    hold(not late, f"{late} of {len(after)} requests had the discount after every instance had said it is off")
    took = max(0.0, (heard_at - at) / stage.speed)
    last = max((one.sent_s for one in load.exchanges() if _has(one)), default=0.0) - _real(stage, at)
    stage.flag = msgspec.structs.replace(
        stage.flag,
        killed_by=BAD,
        killed_because=killed.killed_reason,
        confirmed_by_instances=len(killed.instances),
        confirmed_after_seconds=round(took, 3),
        last_discount_after_seconds=round(max(0.0, last), 3),
        requests_with_discount_after_confirmed=late,
    )
    stage.say(
        f"   ✖ aborted, and the flag is killed with it, in one transaction\n   ✔ {took:.2f} s later all"
        f" {len(killed.instances)} instances had said that they evaluate by the kill;"
        f" 0 of {len(after)} requests had it since"
    )


def _show_status(stage: Stage) -> None:
    """Show the flag's line of `davy flag status`."""
    stage.say("   $ davy flag status")
    _say(stage, plain(line(status(stage))))


def _show_history(stage: Stage) -> None:
    """Show who did what to the flag and why, and that it is on the record that verifies."""
    entries = [entry for entry in _history(stage) if entry.kind in SHOWN]
    hold({entry.kind for entry in entries} >= {"flag_changed", "flag_gate_opened"}, f"on record is {entries}")
    stage.say(f"   $ davy flag history {KEY}   (shortened)")
    for entry in entries:
        reason = f": {entry.reason}" if entry.reason else ""
        told = sentence(entry.kind, entry.detail).removeprefix(KEY).strip()
        told += f" of the clock at {stage.speed:g}x" if "seconds" in entry.detail else ""
        _say(stage, f"#{entry.seq:<4} {entry.kind:<17} {told}, by {entry.actor}{reason}")
    report = verify(str(stage.home / "davy.db"), keys=(public_key(stage.home),))
    hold(not report.problems, "; ".join(report.problems))
    stage.say(f"   $ davy ledger verify\n   ✔ {report.size} entries, these among them")


def _say(stage: Stage, text: str) -> None:
    """Tell something that is longer than a line; a number and its sign stay together."""
    kept = text.replace(" %", "\N{NO-BREAK SPACE}%")
    lines = textwrap.fill(kept, 110, initial_indent="   ", subsequent_indent=" " * 8)
    stage.say(lines.replace("\N{NO-BREAK SPACE}", " "))


def _history(stage: Stage) -> tuple[Entry, ...]:
    view = stage.ask(requests.FlagHistory(KEY))
    assert isinstance(view, views.RecordView)
    return view.entries


def _opened(stage: Stage) -> Entry:
    """Find the entry of the first time that the gate was opened."""
    opened = [entry for entry in _history(stage) if entry.kind == "flag_gate_opened"]
    hold(bool(opened), f"it is not on record that the gate of {KEY} was opened")
    return opened[0]


def _real(stage: Stage, at: float) -> float:
    """Return when an instant of the engine's clock was, as `time.monotonic` counts."""
    return time.monotonic() - (stage.running.engine.now() - at) / stage.speed


def _some(load: Load, since: float) -> list[Exchange]:
    """Wait until enough requests were sent since then and answered; return them."""
    deadline = time.monotonic() + LIMIT_S
    while len(found := [one for one in load.exchanges() if one.sent_s >= since]) < ENOUGH:
        if time.monotonic() > deadline:
            raise NotTrue("there are no users")
        time.sleep(LOOK_EVERY_S)
    return found


def _has(one: Exchange) -> bool:
    """Say whether a request had the discount."""
    return one.told.startswith("on")


def _is_over(view: views.RolloutView) -> bool:
    """Say whether an update has come to its end, the good one or the bad one."""
    return view.status == "Healthy" or (view.status == "Degraded" and view.actual_weight == 0)
