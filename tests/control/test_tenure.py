"""A lease is kept by the loop and by nothing else."""

import pytest

from davy.adapters.memory_store import MemoryStore
from davy.control.tenure import Tenure
from davy.ledger.lease import Fenced
from davy.ledger.store import StoreUnavailable


class Wall:
    time = 100.0

    def now(self) -> float:
        return self.time


def take(store: MemoryStore, wall: Wall, name: str = "first") -> Tenure:
    return Tenure(store, store.take(name, wall.now(), 4.0), wall.now, 4.0)


def test_it_is_renewed_at_first_and_when_a_quarter_has_passed_and_not_before() -> None:
    store, wall = MemoryStore(), Wall()
    tenure = Tenure(store, store.take("first", wall.now(), 30.0), wall.now, 4.0)
    tenure.keep()
    assert tenure.lease.expires_at == 104.0
    wall.time = 100.9
    tenure.keep()
    assert tenure.lease.expires_at == 104.0
    wall.time = 101.0
    tenure.keep()
    assert tenure.lease == store.lease()
    assert tenure.lease.expires_at == 105.0


def test_one_who_slept_through_it_is_told_when_another_has_it() -> None:
    store, wall = MemoryStore(), Wall()
    tenure = take(store, wall)
    wall.time = 110.0
    take(store, wall, "second")
    with pytest.raises(Fenced, match="second"):
        tenure.keep()


def test_a_full_disk_ends_no_tenure_and_is_told() -> None:
    store, wall = MemoryStore(), Wall()
    tenure = take(store, wall)
    store.full = StoreUnavailable("the disk is full")
    wall.time = 110.0
    tenure.keep()
    assert tenure.trouble == "the lease cannot be renewed: the disk is full"
    store.full = None
    wall.time = 112.0
    tenure.keep()
    assert tenure.trouble == ""
    tenure.end()
    assert take(store, wall, "second").lease.epoch == 2
