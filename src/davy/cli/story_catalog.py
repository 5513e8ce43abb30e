"""The chapter of the demo about blue/green: a preview, a switch in one move, and the way back."""

import shutil
import time
from collections.abc import Callable

from davy.adapters.load import Load
from davy.cli.demo_report import DemoRollout
from davy.cli.stage import LIMIT_S, LOOK_EVERY_S, NotTrue, Stage, apply, hold, port_of, until
from davy.control import requests, views
from davy.model.key import Key

KEY = Key("catalog", "catalog")
OLD, NEW = "7.0.0", "7.1.0"
PREVIEW = "catalog-preview"
RATE_HZ = 120.0
PREVIEW_HZ = 30.0
SETTLE_S = 0.5
"""How long users go on after a switch, so that a request which it cost would be seen."""


def switch_and_back(stage: Stage) -> dict[str, object]:
    """Release a version that nobody meets before it was judged, switch to it, and back again."""
    shutil.copytree(stage.examples / "catalog", stage.workspace / "catalog")
    (stage.workspace / "payments").mkdir()
    shutil.copy(stage.examples / "payments" / "server.py", stage.workspace / "payments" / "server.py")
    accepted = apply(stage, stage.workspace / "catalog")
    hold(accepted.accepted, f"the catalog is refused: {accepted.findings}")
    users = Load(port_of(_until(stage, _is_healthy)), rate_hz=RATE_HZ).start()
    callers: Load | None = None
    try:
        image = f"catalog=ghcr.io/acme/catalog:{NEW}"
        stage.say(f"   $ davy -n catalog set image catalog {image}")
        stage.ask(requests.SetImage(*_name(), {"catalog": image.partition("=")[2]}, reason=f"release {NEW}"))
        callers = Load(_preview_port(stage), rate_hz=PREVIEW_HZ).start()
        view = _until(stage, lambda view: view.message == "BlueGreenPause")
        run = view.revisions[0].runs[-1]
        met = [one for one in users.exchanges() if one.version == view.revisions[0].hash]
        hold(not met, f"{len(met)} users met the preview")
        stage.say(
            f"   {view.replicas.updated} x {NEW} beside {view.replicas.updated} x {OLD}, and no user on it"
        )
        stage.say(f"   ✔ judged by {len(callers.exchanges())} calls of the preview: {run.sentence}")
        there = _switch(stage, users, requests.Promote(*_name(), reason="it looks good"), "promote catalog")
        back = _switch(
            stage, users, requests.Undo(*_name(), reason="a rehearsal of the way back"), "undo catalog"
        )
    finally:
        for load in (users, callers):
            if load is not None:
                load.stop()
    failed = [one for one in users.exchanges() if one.status != 200]
    total = len(users.exchanges())
    hold(not failed, f"{len(failed)} of {total} requests failed")
    stage.say(f"   0 of {total} requests failed")
    stage.rollouts.append(DemoRollout("catalog", NEW, "promoted", None, 0, total, None))
    return {"judged": run.sentence, "switchedMs": there, "backMs": back}


def _switch(stage: Stage, users: Load, request: "requests.Promote | requests.Undo", said: str) -> float:
    """Ask for the other side, and return how many milliseconds later it had all users.

    That is when the engine has Envoy's word for it, or when the last request was sent that this side answered.
    """
    before = stage.rollout(KEY).images
    asked = time.monotonic()
    stage.ask(request)
    answered = time.monotonic()
    stage.say(f"   $ davy -n catalog {said}")
    view = _until(stage, _is_healthy)
    time.sleep(SETTLE_S)
    now = view.revisions[0].hash
    late = [one.sent_s for one in users.exchanges() if one.sent_s >= asked and one.version != now]
    took = round(1000 * (max([*late, answered]) - asked), 1)
    live = next(image.image for image in view.images if "stable" in image.roles)
    hold(view.images != before, "nothing was switched")
    stage.say(f"   ✔ {live.rpartition(':')[2]} has all users {took:.1f} ms after the word")
    return took


def _preview_port(stage: Stage) -> int:
    """Wait until the preview can be called."""

    def there() -> int | None:
        seen = stage.running.platform.look(KEY)
        point = seen.services.get(PREVIEW)
        return point.port if point and point.hash == stage.rollout(KEY).revisions[0].hash else None

    deadline = time.monotonic() + LIMIT_S
    while (port := there()) is None:
        if time.monotonic() > deadline:
            raise NotTrue("the preview cannot be called")
        time.sleep(LOOK_EVERY_S)
    return port


def _is_healthy(view: views.RolloutView) -> bool:
    return view.status == "Healthy"


def _until(stage: Stage, wanted: Callable[[views.RolloutView], bool]) -> views.RolloutView:
    return until(stage, KEY, wanted, lambda view: f"   {view.message}")


def _name() -> tuple[str, str]:
    return KEY.namespace, KEY.name
