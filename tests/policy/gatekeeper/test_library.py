"""Every constraint of the library on every example of it: word for word what Gatekeeper says."""

import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from davy.model.loader import load_raw
from davy.policy.engine import Point
from davy.policy.inventory import Inventory
from davy.policy.review import review_of
from davy.policy.ruleset import read

CASES = Path(__file__).parents[2] / "cases" / "policy"
RECORDED: dict[str, list[Any]] = json.loads((CASES / "library.json").read_text())
"""Of `gator test` 3.20.1, by constraint: how many violations there are, and a digest of what they say."""

DOCUMENTS = {
    path: [found.value for found in load_raw(path.read_bytes(), path.name)]
    for path in sorted((CASES / "library").glob("*/*.yaml"))
}


def named(*begin: str) -> list[dict[str, Any]]:
    return [found for path, each in DOCUMENTS.items() if path.name.startswith(begin) for found in each]


def pool() -> list[dict[str, Any]]:
    """Return all examples; of those that share a name the later ones get another."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for each in named("good", "bad", "inventory"):
        metadata = each["metadata"] if each["kind"] != "AdmissionReview" else None
        if metadata is None:
            continue
        name = metadata["name"]
        while (
            found.get(key := (each["apiVersion"], each["kind"], metadata.get("namespace", ""), name), each)
            != each
        ):
            name += "x"
            each = {**each, "metadata": {**metadata, "name": name}}
        found[key] = each
    return list(found.values())


def digest(told: list[tuple[str, ...]]) -> str:
    return hashlib.sha256("\n".join("|".join(each) for each in sorted(told)).encode()).hexdigest()[:16]


@pytest.fixture(scope="module")
def said() -> dict[str, list[tuple[str, ...]]]:
    objects = pool()
    everything = Inventory([*objects, *named("template", "constraint")])
    ruleset = read(named("template", "constraint"))
    assert ruleset.problems == ()
    found: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for each in objects:
        for violation in ruleset.judge(review_of(each), everything, Point.CHECK):
            if not violation.message.startswith("[Implied by rollout-pods]"):
                where = each["apiVersion"], each["kind"], each["metadata"].get("namespace", "")
                found[violation.source].append((*where, each["metadata"]["name"], violation.message))
    return found


def test_every_constraint_was_asked() -> None:
    assert set(RECORDED) == {found["kind"] for found in named("constraint")}
    assert sum(count for count, _ in RECORDED.values()) > 1000


@pytest.mark.parametrize("kind", sorted(RECORDED))
def test_a_constraint_says_what_gatekeeper_says(kind: str, said: dict[str, list[tuple[str, ...]]]) -> None:
    assert [len(said[kind]), digest(said[kind])] == RECORDED[kind]
