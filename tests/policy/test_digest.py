"""The name of what people wrote: the same in a file, at the API server and in the engine."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.model.rollout import Rollout
from davy.policy.digest import digest_of

WRITTEN: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "payments"},
    "spec": {
        "selector": {"matchLabels": {"app": "payments"}},
        "template": {
            "metadata": {"labels": {"app": "payments"}},
            "spec": {"containers": [{"name": "app", "image": "payments:1"}]},
        },
        "strategy": {"canary": {"steps": [{"setWeight": 60}, {"pause": {}}]}},
    },
}


def test_what_servers_write_does_not_count() -> None:
    served = {
        **WRITTEN,
        "metadata": {
            "name": "payments",
            "namespace": "default",
            "uid": "1",
            "resourceVersion": "7",
            "generation": 3,
            "creationTimestamp": "2026-03-01T12:00:00Z",
            "managedFields": [{"manager": "kubectl"}],
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "rollout.argoproj.io/revision": "2",
            },
        },
        "status": {"phase": "Healthy"},
    }
    assert digest_of(served) == digest_of(WRITTEN)


def test_the_engine_spells_an_object_as_ci_does() -> None:
    wordy = {**WRITTEN, "spec": {**WRITTEN["spec"], "paused": False, "minReadySeconds": 0, "restartAt": None}}
    held = msgspec.to_builtins(msgspec.convert(WRITTEN, Rollout))
    held |= {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    assert digest_of(wordy) == digest_of(WRITTEN) == digest_of(held)


def test_no_replicas_are_not_one() -> None:
    assert digest_of({**WRITTEN, "spec": {**WRITTEN["spec"], "replicas": 0}}) != digest_of(WRITTEN)


def test_another_version_of_the_same_group_is_the_same_object() -> None:
    found = {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "a"},
        "spec": {"n": [1, None]},
    }
    assert digest_of(found) == digest_of({**found, "apiVersion": "example.com/v2"})
    assert digest_of(found) != digest_of({**found, "apiVersion": "example.org/v1"})
    assert digest_of(found) != digest_of({**found, "apiVersion": "v1"})


@pytest.mark.parametrize("metadata", [None, "x", {}, {"annotations": 3, "name": "a"}, {"labels": "x"}])
def test_an_object_that_is_none_has_a_digest_too(metadata: Any) -> None:
    assert digest_of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}).startswith("sha256:")


def test_a_rollout_that_cannot_be_read_is_spelt_as_it_is() -> None:
    assert digest_of({**WRITTEN, "spec": {"nonsense": 1}}) != digest_of({**WRITTEN, "spec": {"nonsense": 2}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2),
)


@given(
    st.dictionaries(st.sampled_from(["spec", "data", "rules"]), JSON),
    st.dictionaries(st.sampled_from(["spec", "data", "rules"]), JSON),
)
def test_other_content_has_another_digest(one: dict[str, Any], other: dict[str, Any]) -> None:
    front = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    same = _without_null(one) == _without_null(other)
    assert (digest_of({**front, **one}) == digest_of({**front, **other})) == same


def _without_null(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_null(each) for key, each in value.items() if each is not None}
        case list():
            return [_without_null(each) for each in value]
        case bool():
            return str(value)
        case _:
            return value
