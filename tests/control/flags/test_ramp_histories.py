"""On a ramp users never get the variant above the share that was decided, nor while it is dead."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.control.flags.test_promises import FATES, Died, Mortal
from tests.control.flags.test_ramps import KEY, NAME, RAMPED, App, RampLab, share_in

from davy.control import requests
from davy.errors import DavyError, NotFound

WEIGHTS = {0: 10, 3: 50, 5: 100}
"""The weights of the ramp by the step that sets them."""

DEEDS = st.sampled_from(
    [
        *(
            "ramp",
            "turns",
            "turns",
            "wait",
            "wait",
            "hear",
            "hear",
            "hear 0",
            "hear 1",
            "join",
            "leave",
            "restart",
        ),
        *("promote", "abort", "kill", "restore", "off", "less", "pause", "resume"),
        *("good", "good", "bad", "unknown", "users", "failing users", "release", "released"),
    ]
)


class History:
    """Does things on a ramp, and holds what is served to what was decided."""

    def __init__(self, directory: Path, *, linked: bool) -> None:
        self.lab = lab = RampLab(directory)
        lab.store = Mortal()
        lab.start()
        flag = RAMPED
        if linked:
            lab.apply("payments")
            lab.turns(4)
            flag = flag.replace("  ramp:", "  rollout: {name: payments, weight: 20}\n  ramp:")
        lab.declare(flag, lab.template)
        if linked:
            lab.promoted("app:2")
        lab.connect("i-0", "i-1")
        self.joined, self.image, self.linked, self.killed = 2, 2, linked, False
        self.step = -1

    def do(self, deed: str, fate: str) -> None:
        store = self.lab.store
        assert isinstance(store, Mortal)
        store.fate = fate
        self.step = self.reached()
        try:
            self._do(deed)
        except Died:
            store.fate = ""
            self.lab.start()
            self.killed = self.lab.flag().killed
        except DavyError:
            pass
        store.fate = ""
        self.check()

    def _do(self, deed: str) -> None:
        lab = self.lab
        match deed:
            case "ramp":
                lab.ramp()
            case "turns":
                lab.settle()
            case "wait":
                lab.clock.time += 40
                lab.settle()
            case "hear":
                lab.hear()
                lab.settle()
            case "hear 0" | "hear 1":
                for app in lab.apps[int(deed[-1]) :][:1]:
                    app.fetch()
                    app.acknowledge()
                lab.settle()
            case "join":
                self.joined += 1
                lab.apps.append(App(lab, f"i-{self.joined}"))
                lab.apps[-1].fetch()
                lab.apps[-1].acknowledge()
            case "leave" if lab.apps:
                lab.engine.flags.left(lab.apps.pop(0).id)
                lab.settle()
            case "restart":
                lab.start()
            case "promote":
                lab.ask(requests.Promote("default", NAME, "x"))
            case "abort":
                lab.ask(requests.Abort("default", NAME, "x"))
            case "pause":
                lab.ask(requests.Pause("default", NAME, "x"))
            case "resume":
                lab.ask(requests.Resume("default", NAME, "x"))
            case "kill":
                lab.ask(requests.KillFlag(KEY, "x"))
                self.killed = True
            case "restore":
                lab.ask(requests.RestoreFlag(KEY, "x"))
                self.killed = False
            case "off":
                lab.ask(requests.SetFlag(KEY, "x", on=False))
            case "less":
                lab.ask(requests.SetFlag(KEY, "x", share=1))
            case "good" | "bad" | "unknown":
                lab.provider.value = {"good": (0.0,), "bad": (0.5,), "unknown": ()}[deed]
            case "users" | "failing users":
                lab.clock.time += 5
                for app in lab.apps:
                    app.serve(300 if deed == "failing users" else 0)
                lab.settle()
            case "release" if self.linked:
                self.image += 1
                lab.ask(requests.SetImage("default", "payments", {"app": f"app:{self.image}"}, "x"))
                lab.settle()
            case "released" if self.linked:
                lab.ask(requests.Promote("default", "payments", "x"))
                lab.settle()
            case _:
                pass

    def reached(self) -> int:
        """Return the step that the ramp is on, -1 where it is not under way."""
        try:
            view = self.lab.rollout()
        except NotFound:
            return -1
        return -1 if view.step is None or view.status == "Degraded" else view.step

    def check(self) -> None:
        """Hold the engine to every promise."""
        served, step = self.lab.answers(), self.reached()
        share = share_in(served)
        if self.killed:
            assert served["metadata"]["killed"] is True, "a kill wins until somebody restores"
        if served["metadata"].get("killed") or served["metadata"].get("gate") == "closed":
            assert share == 0
            assert not served.get("targeting")
        decided = max((weight for at, weight in WEIGHTS.items() if at <= step), default=0)
        by_hand = self.lab.flag().serves.startswith("on for 1 percent")
        assert share <= decided or by_hand, f"{share} percent have it, and {decided} were decided"
        self.check_heard(step)

    def check_heard(self, step: int) -> None:
        """A step that gives more users the variant is done only when everybody who is there has said so."""
        if not self.step >= 0 or not step > self.step:
            return
        for at, weight in WEIGHTS.items():
            if self.step <= at < step:
                heard = self.lab.flag().instances
                mine = [app for app in self.lab.apps if any(each.id == app.id for each in heard)]
                assert all(app.share >= weight for app in mine), (step, weight, mine)

    def end(self) -> None:
        """When there is room again, a new engine serves what the old one did."""
        before = self.lab.answers()
        self.lab.start()
        assert share_in(self.lab.answers()) == share_in(before)
        self.lab.settle()
        self.check()


@pytest.mark.parametrize("linked", [False, True])
@given(deeds=st.lists(st.tuples(DEEDS, FATES), max_size=40))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nobody_gets_more_than_was_decided_nor_anything_of_what_is_dead(
    deeds: list[tuple[str, str]], *, linked: bool
) -> None:
    with TemporaryDirectory() as directory:
        history = History(Path(directory), linked=linked)
        for deed, fate in deeds:
            history.do(deed, fate)
        history.end()


def test_the_worlds_get_somewhere(tmp_path: Path) -> None:
    history: Any = History(tmp_path, linked=True)
    for deed in (
        "ramp",
        "hear",
        "hear",
        "wait",
        "wait",
        "wait",
        "hear",
        "hear",
        "promote",
        "hear",
        "hear",
        "hear",
    ):
        history.do(deed, "")
    assert share_in(history.lab.answers()) == 100
    assert "change_promoted" in history.lab.ramp_kinds()
