"""What an engine is put together of: where its state is, whose metrics are read and under which names."""

from pathlib import Path

import msgspec
import pytest

from davy.adapters.memory_platform import MemoryPlatform
from davy.adapters.targets import Target
from davy.cli.running import start, targets
from davy.control.catalog import Catalog
from davy.errors import UsageError
from davy.model.key import Key
from davy.model.loader import load
from davy.model.rollout import Rollout
from davy.model.steps import PodTemplateMetadata
from davy.rollout.platform import Desired, Launch, ReplicaSet, ServicePoint

KEY = Key("default", "pay")
STRATEGIES = {
    "canary": "canary: {stableService: pay, canaryService: pay-canary}",
    "blue/green": "blueGreen: {activeService: pay, previewService: pay-preview}",
    "canary without services": "canary: {}",
    "none": "",
}


def rollout(strategy: str) -> Rollout:
    text = f"""
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: pay}}
spec:
  strategy: {{{STRATEGIES[strategy]}}}
  selector: {{matchLabels: {{app: pay}}}}
  template:
    metadata: {{labels: {{app: pay, role: unknown}}}}
    spec: {{containers: [{{name: app, image: "pay:1"}}]}}
"""
    [document] = load(text, "pay.yaml")
    assert isinstance(document.value, Rollout)
    return document.value


def read(strategy: str, *, services: dict[str, ServicePoint]) -> dict[str, Target]:
    platform, manifest = MemoryPlatform(lambda: 1000.0), rollout(strategy)
    sets = tuple(
        ReplicaSet(hash_, 1, manifest.spec.template, Launch((), "/"), 1, PodTemplateMetadata(labels=labels))
        for hash_, labels in (("old", {"role": "stable"}), ("new", {}))
    )
    platform.steer(KEY, Desired(sets, {"old": 100, "new": 0}, services=services))
    return {target.hash: target for target in targets(Catalog([manifest]), platform)}


@pytest.mark.parametrize(
    ("strategy", "users", "alone"),
    [
        ("canary", "pay", "pay-canary"),
        ("blue/green", "pay", "pay-preview"),
        ("canary without services", "", ""),
        ("none", "", ""),
    ],
)
def test_requests_are_named_after_the_services_of_the_manifest(strategy: str, users: str, alone: str) -> None:
    for target in read(strategy, services={}).values():
        assert (target.service, target.side_service) == (users, alone)


def test_a_service_that_leads_to_a_version_names_what_comes_through_it() -> None:
    found = read("canary", services={"pay-b": ServicePoint("new"), "pay-a": ServicePoint("new")})
    assert (found["new"].side_service, found["old"].side_service) == ("pay-a", "pay-canary")


def test_the_part_that_a_replica_plays_is_over_what_its_template_says() -> None:
    found = read("canary", services={})
    assert found["old"].labels == {"app": "pay", "role": "stable"}
    assert found["new"].labels == {"app": "pay", "role": "unknown"}


def test_replicas_that_are_going_are_not_read() -> None:
    platform, manifest = MemoryPlatform(lambda: 1000.0), rollout("canary")
    platform.pods_leave = False
    sets = (ReplicaSet("old", 1, manifest.spec.template, Launch((), "/"), 2),)
    platform.steer(KEY, Desired(sets, {"old": 100}))
    platform.steer(KEY, Desired((msgspec.structs.replace(sets[0], replicas=1),), {"old": 100}))
    assert len(platform.look(KEY).pods) == 2
    assert len(list(targets(Catalog([manifest]), platform))) == 1


def test_a_state_directory_that_is_a_file_is_a_mistake_of_the_call(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("not a directory")
    with pytest.raises(UsageError, match="home is not a directory"):
        start(home)
    with pytest.raises(UsageError, match="below is not a directory"):
        start(home / "below")
