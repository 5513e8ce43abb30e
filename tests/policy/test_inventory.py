"""The inventory: objects where policies look for them, and nothing that has no place there."""

from typing import Any

from davy.policy.inventory import Inventory
from davy.policy.review import Kind

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}}
SHOP = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}


def test_objects_are_where_gatekeeper_has_them() -> None:
    inventory = Inventory([POD, SHOP, WEB])
    assert inventory.document == {
        "cluster": {"v1": {"Namespace": {"shop": SHOP}}},
        "namespace": {"shop": {"v1": {"Pod": {"a": POD}}, "apps/v1": {"Deployment": {"web": WEB}}}},
    }
    assert inventory.namespace("shop") == SHOP
    assert inventory.namespace("other") is None
    assert inventory.get(Kind("apps", "v1", "Deployment"), "shop", "web") == WEB
    assert inventory.get(Kind("", "v1", "Namespace"), "", "shop") == SHOP
    assert inventory.get(Kind("apps", "v1", "Deployment"), "other", "web") is None


def test_of_two_with_one_name_the_later_one_counts_and_nothing_changes_before() -> None:
    inventory = Inventory([POD])
    other = {**POD, "spec": {}}
    assert inventory.with_([other]).document["namespace"]["shop"]["v1"]["Pod"]["a"] == other
    assert inventory.document["namespace"]["shop"]["v1"]["Pod"]["a"] == POD


def test_what_has_no_name_or_no_kind_has_no_place() -> None:
    nowhere: list[Any] = [
        {},
        {"kind": "Pod"},
        {**POD, "metadata": {}},
        {**POD, "kind": ""},
        {**POD, "metadata": {"name": "a", "namespace": [1]}},
    ]
    assert Inventory(nowhere).document == {}


def test_it_says_whether_it_knows_of_namespaces() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}}
    assert not Inventory().knows_namespaces
    assert Inventory([namespace]).knows_namespaces
