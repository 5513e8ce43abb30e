"""What every store with a lease promises; subclass it and say how two programs open the same one.

class TestMine(LeaseContract):
    def pair(self, directory: Path) -> tuple[LeasedStore, LeasedStore]:
        return MyStore(directory / "store"), MyStore(directory / "store")
"""

from pathlib import Path
from typing import Protocol

import pytest

from davy.ledger.lease import Fenced, Held, Leases
from davy.ledger.store import Store
from davy.testing.store import draft

SECONDS = 5.0


class LeasedStore(Store, Leases, Protocol):
    """A store of which one holder at a time may write."""


class LeaseContract:
    """The promises, as tests; time is told, nobody waits."""

    def pair(self, directory: Path) -> tuple[LeasedStore, LeasedStore]:
        """Open one store twice, as two programs do; a store in memory may be the same object twice."""
        raise NotImplementedError

    @pytest.fixture
    def two(self, tmp_path: Path) -> tuple[LeasedStore, LeasedStore]:
        """Open one that is empty."""
        return self.pair(tmp_path)

    def test_a_new_store_is_nobodys(self, two: tuple[LeasedStore, LeasedStore]) -> None:
        """There is no lease before the first."""
        assert two[0].lease() is None
        assert two[0].take("first", 100.0, SECONDS, mark="1").epoch == 1
        lease = two[1].lease()
        assert lease is not None
        assert (lease.holder, lease.mark, lease.expires_at) == ("first", "1", 105.0)

    def test_one_holds_it_at_a_time(self, two: tuple[LeasedStore, LeasedStore]) -> None:
        """Whoever comes second is told who holds it; what is renewed in time goes on."""
        lease = two[0].take("first", 100.0, SECONDS)
        two[0].renew(lease, 104.0, SECONDS)
        with pytest.raises(Held, match="first") as caught:
            two[1].take("second", 108.9, SECONDS)
        assert (caught.value.lease.epoch, caught.value.lease.expires_at) == (1, 109.0)
        assert two[1].take("second", 109.0, SECONDS).epoch == 2

    def test_a_holder_that_was_superseded_writes_nothing_any_more(
        self, two: tuple[LeasedStore, LeasedStore]
    ) -> None:
        """Neither records nor entries, nor a renewal, however late it wakes up."""
        late = two[0].take("first", 100.0, SECONDS)
        store = two[0].under(late)
        store.commit({("rollout", "a"): b"1"}, [draft()])
        with pytest.raises(Held):
            two[1].take("second", 104.0, SECONDS)
        held = two[1].take("second", 105.0, SECONDS)
        other = two[1].under(held)
        [entry] = other.commit({("rollout", "a"): b"2"}, [draft()])
        for refused in (
            lambda: store.commit({("rollout", "a"): b"3"}, [draft()]),
            lambda: store.commit({}, []),
            lambda: two[0].renew(late, 106.0, SECONDS),
        ):
            with pytest.raises(Fenced, match="second"):
                refused()
        two[0].release(late)
        assert two[1].lease() == held
        assert store.load("rollout") == other.load("rollout") == {"a": b"2"}
        assert [each.seq for each in store.entries()] == [1, entry.seq] == [1, 2]

    def test_one_that_ran_out_is_still_good_until_another_takes_it(
        self, two: tuple[LeasedStore, LeasedStore]
    ) -> None:
        """Who alone wants it need not fear a slow moment."""
        lease = two[0].take("first", 100.0, SECONDS)
        two[0].under(lease).commit({}, [draft()])
        assert two[0].renew(lease, 200.0, SECONDS).expires_at == 205.0

    def test_what_is_let_go_of_can_be_taken_at_once(self, two: tuple[LeasedStore, LeasedStore]) -> None:
        """An engine that ends in peace keeps nobody waiting; it has no say any more."""
        lease = two[0].take("first", 100.0, SECONDS)
        two[0].release(lease)
        assert two[1].take("second", 100.0, SECONDS).epoch == 2
        with pytest.raises(Fenced):
            two[0].under(lease).commit({}, [])

    def test_one_whose_holder_is_gone_need_not_run_out(self, two: tuple[LeasedStore, LeasedStore]) -> None:
        """But it is taken from that holder only, and by one only."""
        lease = two[0].take("first", 100.0, SECONDS)
        assert two[1].take("second", 101.0, SECONDS, over=lease.epoch).epoch == 2
        with pytest.raises(Held, match="second"):
            two[0].take("third", 101.0, SECONDS, over=lease.epoch)

    def test_the_same_name_twice_is_two_holders(self, two: tuple[LeasedStore, LeasedStore]) -> None:
        """What counts is the epoch."""
        lease = two[0].take("twin", 100.0, SECONDS)
        two[1].take("twin", 105.0, SECONDS)
        with pytest.raises(Fenced, match="twin"):
            two[0].renew(lease, 105.0, SECONDS)

    def test_a_lease_that_nobody_gave_is_worth_nothing(self, two: tuple[LeasedStore, LeasedStore]) -> None:
        """A store that was put in the place of another knows its holder no longer."""
        lease = two[0].take("first", 100.0, SECONDS)
        two[0].release(lease)
        stranger = type(lease)("stranger", 7, 1e9)
        with pytest.raises(Fenced, match="first"):
            two[1].under(stranger).commit({}, [])
