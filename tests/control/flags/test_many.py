"""Many flags in one transaction: the same as one after another, and no copy of all of them for each."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.adapters.memory_store import MemoryStore
from davy.control.flags.following import Step, entailed
from davy.control.flags.state import BUCKET
from davy.control.flags.table import Table, records
from davy.ledger.entry import Draft
from davy.ledger.store import Record

NAMES = ("a", "b", "c", "d")
Changes = dict[Record, bytes | None]


def manifest(name: str, owner: str) -> bytes:
    spec: dict[str, object] = {
        "owner": owner,
        "jira": "A-1",
        "expiry": "2027-03-01",
        "variants": {"on": True, "off": False},
    }
    spec |= {"safeValue": False, "defaultVariant": "on"}
    metadata = {"name": f"shop.{name}", "namespace": "default"}
    kind = {"apiVersion": "davy.dev/v1alpha1", "kind": "FeatureFlag"}
    return msgspec.json.encode({**kind, "metadata": metadata, "spec": spec})


def changes_of(owners: dict[str, str | None]) -> tuple[Changes, list[Draft]]:
    """Apply flags that get an owner, and take the others away."""
    changes: Changes = {
        ("object", f"FeatureFlag/default/shop.{name}"): None if owner is None else manifest(name, owner)
        for name, owner in owners.items()
    }
    drafts = [
        Draft(1.0, "object_applied", f"FeatureFlag default/shop.{name}", {}, actor=f"who wants {name}")
        for name in owners
    ]
    return changes, drafts


@given(st.lists(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(("x", "y", None))), max_size=4))
def test_many_at_once_are_as_one_after_another(transactions: list[dict[str, str | None]]) -> None:
    together = apart = Table("production")
    for owners in transactions:
        whole = entailed(together, *changes_of(owners), 1.0)
        steps: list[Step] = []
        for name, owner in owners.items():
            steps.append(entailed(apart, *changes_of({name: owner}), 1.0))
            apart = steps[-1].table
        assert whole.drafts == tuple(draft for step in steps for draft in step.drafts)
        together = whole.table
        assert together == apart
        assert list(together.flags) == list(apart.flags)


def test_nothing_new_is_no_other_table() -> None:
    changes, drafts = changes_of(dict.fromkeys(NAMES, "x"))
    table = entailed(Table("production"), changes, drafts, 1.0).table
    assert entailed(table, changes, drafts, 2.0) == Step(table)
    assert entailed(table, changes, drafts, 2.0).table is table


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many flags each table has that is made."""
    sizes: list[int] = []
    make = Table.__init__

    def counted(self: Table, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        sizes.append(len(self.flags))

    monkeypatch.setattr(Table, "__init__", counted)
    return sizes


def test_many_flags_cost_one_copy_of_all_not_one_each(copied: list[int]) -> None:
    count = 60
    changes, drafts = changes_of({f"f{number}": "x" for number in range(count)})
    table = entailed(Table("production"), changes, drafts, 1.0).table
    assert len(table.flags) == count
    assert sum(copied) <= 4 * count
    store = MemoryStore()
    store.commit({**changes, **records(Table("production"), table)}, ())
    assert len(store.load(BUCKET)) == count
    copied.clear()
    assert Table.load(store, "production") == table
    assert sum(copied) <= 2 * count
