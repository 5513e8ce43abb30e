"""A lab with a rollout and flags that wait for it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.control.conftest import Lab

from davy.control import requests, views
from davy.flags.remote import Acknowledgement, Instance

KEY = "checkout.discount-enabled"

FLAG = """
apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata: {name: checkout.discount-enabled}
spec:
  owner: checkout
  jira: PAY-123
  expiry: 2027-03-01
  variants: {"on": true, "off": false}
  safeValue: false
  defaultVariant: "on"
  rollout: {name: payments, weight: 20}
"""

SWITCH = """
apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata: {name: checkout.cards-enabled}
spec:
  owner: checkout
  jira: PAY-124
  expiry: 2027-03-01
  kind: kill-switch
  criticality: high
  variants: {"on": true, "off": false}
  safeValue: false
  defaultVariant: "on"
  drillEvery: 720h
"""
SWITCHED = "checkout.cards-enabled"


class FlagLab(Lab):
    """An engine with flags, and instances that tell what they evaluate by."""

    def declare(self, *texts: str, actor: str = "ada (uid 7)") -> views.ApplyView:
        files = tuple((f"{number}.yaml", text) for number, text in enumerate(texts))
        view = self.ask(requests.Apply(files, "/here", reason="declared"), actor)
        assert isinstance(view, views.ApplyView)
        assert view.accepted, [finding.text for finding in view.findings]
        return view

    def flag(self, key: str = KEY) -> views.FlagView:
        view = self.ask(requests.FlagStatus(key))
        assert isinstance(view, views.FlagView)
        return view

    def answers(self, key: str = KEY, artifact: str = "") -> dict[str, Any]:
        document = msgspec.json.decode(self.engine.flags.document(artifact).text)
        found: dict[str, Any] = document["flags"][key]
        return found

    def is_on(self, key: str = KEY, artifact: str = "") -> bool:
        return bool(self.answers(key, artifact)["defaultVariant"] == "on")

    def acknowledge(self, id_: str = "i-1", artifact: str = "") -> None:
        document = self.engine.flags.document(artifact)
        instance = Instance(id_, "checkout", artifact)
        self.engine.flags.acknowledge(Acknowledgement(instance, document.version, document.digest))

    def release(self, image: str) -> str:
        """Begin another release, and return the hash of it."""
        self.ask(requests.SetImage("default", "payments", {"app": image}, reason="a release"))
        self.turns(1)
        return self.hash()

    def hash(self) -> str:
        [held] = self.engine._holdings.rollouts.values()
        return held.state.current

    def promoted(self, image: str) -> str:
        """Lead a release to its end, and return the hash of it."""
        hash_ = self.release(image)
        for _ in range(200):
            view = self.get()
            if view.status == "Healthy" and "change_promoted" in self.kinds():
                return hash_
            if view.status == "Paused" and view.step == 4:
                self.ask(requests.Promote("default", "payments", "good"))
            self.turns(1, 10.0)
        raise AssertionError(f"it was never promoted: {view}")

    def entries(self, kind: str) -> list[Any]:
        return [entry for entry in self.store.entries() if entry.kind == kind]


@pytest.fixture
def lab(tmp_path: Path) -> FlagLab:
    return FlagLab(tmp_path)


@pytest.fixture
def released(lab: FlagLab) -> FlagLab:
    """A lab with a rollout that is up, and both flags."""
    assert lab.apply("payments").accepted
    lab.turns(4)
    lab.declare(FLAG, SWITCH)
    return lab
