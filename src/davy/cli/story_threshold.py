"""Beside the demo's judge: the same bad version, at the same time and rate, with a threshold in its place.

What is told of both is what users got: how many of their requests failed, until the version answered none.
"""

import shutil
import time
from collections.abc import Sequence

from davy.adapters.load import Exchange, Load
from davy.cli.demo_report import DemoComparison, DemoStop
from davy.cli.stage import LIMIT_S, LOOK_EVERY_S, RATE_HZ, NotTrue, Stage, apply, hold, port_of, until
from davy.control import requests, views
from davy.model.key import Key

KEY = Key("default", "payments-by-threshold")
IMAGE = "ghcr.io/acme/payments"
FILE = f"{KEY.name}.yaml"
LIMIT_PERCENT = 2


def go_live_beside(stage: Stage) -> None:
    """Bring the first version up once more, with a threshold in the judge's place, and let users in."""
    directory = stage.workspace / "comparison"
    directory.mkdir()
    shutil.copy(stage.examples / "payments" / "comparison" / f"{FILE}.txt", directory / FILE)
    applied = apply(stage, directory)
    hold(applied.accepted, f"the manifests to compare with are refused: {applied.findings}")
    view = until(stage, KEY, lambda view: view.status == "Healthy", lambda view: f"   {view.message}")
    stage.beside = Load(port_of(view), rate_hz=RATE_HZ).start()


def release_beside(stage: Stage, tag: str) -> None:
    """Release a version there, too."""
    stage.beside_since = time.monotonic()
    stage.ask(
        requests.SetImage(KEY.namespace, KEY.name, {"payments": f"{IMAGE}:{tag}"}, reason=f"release {tag}")
    )


def is_over(stage: Stage) -> bool:
    """Say whether the threshold has decided: it stopped the version, or gave it all the traffic.

    Its users go home then.
    """
    view = stage.rollout(KEY)
    over = _is_stopped(view) or view.revisions[0].weight == 100
    if over and stage.beside is not None:
        stage.beside.stop()
    return over


def compare(stage: Stage, version: str, judge: DemoStop) -> None:
    """Wait for the threshold, and tell what the bad version cost with either."""
    deadline = time.monotonic() + LIMIT_S
    while not is_over(stage):
        if time.monotonic() > deadline:
            raise NotTrue("the threshold decided nothing")
        time.sleep(LOOK_EVERY_S)
    assert stage.beside is not None
    view = stage.rollout(KEY)
    weight = weight_of_abort(stage, KEY) if _is_stopped(view) else None
    since, found = stage.beside_since, stage.beside.exchanges()
    threshold = stop_of([one for one in found if one.sent_s >= since], view.revisions[0].hash, weight)
    hold(threshold.bad_requests > 0, "no request failed that the threshold could have seen")
    stage.comparison = DemoComparison(version, judge, LIMIT_PERCENT / 100, threshold)
    _tell(stage, stage.comparison)


def stop_of(exchanges: Sequence[Exchange], canary: str, weight: int | None) -> DemoStop:
    """Count what a version cost its users, from its release until it had answered for the last time."""
    met = [one for one in exchanges if one.version == canary]
    hold(bool(met), "nobody met the bad version")
    last = max(one.received_s for one in met)
    bad = [one for one in exchanges if not 200 <= one.status < 500]
    first = min((one.received_s for one in bad), default=last)
    sent = sum(one.sent_s <= last for one in exchanges)
    return DemoStop(weight is not None, weight or 100, len(bad), sent, round(last - first, 3))


def weight_of_abort(stage: Stage, key: Key) -> int | None:
    """Read from the record at which weight the last abort of a rollout happened."""
    record = stage.ask(requests.Record(key.namespace, key.name))
    assert isinstance(record, views.RecordView)
    weights = [entry.detail["weight"] for entry in record.entries if entry.kind == "change_rolled_back"]
    return weights[-1] if weights and isinstance(weights[-1], int) else None


def _is_stopped(view: views.RolloutView) -> bool:
    return view.status == "Degraded" and view.actual_weight == 0


def _tell(stage: Stage, found: DemoComparison) -> None:
    stage.say(
        f"   meanwhile {found.version} ran once more beside it, with the same steps, pauses and users;"
        f"\n   there only the seed's mended gate looks at errors, on each step: at most {LIMIT_PERCENT} %"
    )
    stage.say(f"     {'':<18} stopped at  bad requests  of requests  from first error to last answer")
    for who, stop in (("the judge", found.judge), (f"a threshold of {LIMIT_PERCENT} %", found.threshold)):
        at = f"{stop.weight} %" if stop.stopped else "never"
        stage.say(
            f"     {who:<18} {at:>10}  {stop.bad_requests:>12}  {stop.requests:>11}  {stop.seconds:>6.1f} s"
        )
