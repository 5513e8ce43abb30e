"""Signing and witnessing beside an engine: when, how often, and what is told when it fails."""

from collections.abc import Callable
from threading import Thread

from davy.adapters.memory_store import MemoryStore
from davy.control.checkpoints import Signing, latest
from davy.control.sealing import Errand, Sealing
from davy.errors import IntegrityError, Undecided
from davy.ledger.checkpoint import read
from davy.ledger.entry import Draft
from davy.ledger.lease import Fenced
from davy.ledger.note import Note, PrivateKey
from davy.ledger.store import StoreUnavailable
from davy.ledger.witness import SplitView

KEY = PrivateKey("davy.invalid/test", b"\1" * 32)


class Around:
    """A ledger that grows, a clock that is told, and witnesses that note what they were given."""

    def __init__(self) -> None:
        self.store, self.time = MemoryStore(), 1000.0
        self.given: list[tuple[str, int]] = []
        self.failing: dict[str, Exception] = {}
        self.every = {"ci": 60.0, "second": 5.0}
        self.sealing = Sealing(lambda: Signing(self.store, self.store, KEY), self.errands, lambda: self.time)

    def errands(self) -> dict[str, Errand]:
        return {name: Errand(every, self.giving(name)) for name, every in self.every.items()}

    def giving(self, name: str) -> Callable[[Note], None]:
        def give(note: Note) -> None:
            if name in self.failing:
                raise self.failing[name]
            self.given.append((name, read(note.text).size))

        return give

    def grow(self) -> None:
        self.store.append([Draft(1.0, "engine_started", "x")])

    def troubles(self) -> tuple[str, ...]:
        return self.sealing.troubles

    def second(self) -> None:
        self.time += 1
        self.sealing.sign()
        self.sealing.witness()


def test_each_witness_is_given_what_is_new_when_its_time_has_come() -> None:
    around = Around()
    for _ in range(61):
        around.grow()
        around.second()
    assert [size for name, size in around.given if name == "ci"] == [1, 61]
    assert [size for name, size in around.given if name == "second"] == [*range(1, 62, 5)]
    assert around.troubles() == ()


def test_a_ledger_that_does_not_grow_bothers_nobody() -> None:
    around = Around()
    around.grow()
    for _ in range(200):
        around.second()
    assert around.given == [("ci", 1), ("second", 1)]


def test_a_witness_that_fails_is_tried_again_and_told_and_hurts_no_other() -> None:
    around = Around()
    around.grow()
    around.failing["ci"] = Undecided("no answer")
    around.second()
    assert around.troubles() == ("the ledger is not witnessed by ci: no answer",)
    assert around.given == [("second", 1)]
    around.failing["ci"] = SplitView("ci has seen more")
    around.time += 60
    around.second()
    assert around.troubles() == ("the ledger is not witnessed by ci: ci has seen more",)
    around.failing.clear()
    around.time += 60
    around.second()
    assert around.troubles() == ()
    assert around.given[-1] == ("ci", 1)


def test_a_witness_that_was_taken_away_troubles_nobody_any_more() -> None:
    around = Around()
    around.grow()
    around.failing["ci"] = Undecided("no answer")
    around.second()
    del around.every["ci"]
    around.second()
    assert around.troubles() == ()


def test_a_disk_that_fails_is_told_until_it_gives_in() -> None:
    around = Around()
    around.grow()
    around.store.full = StoreUnavailable("the disk is full")
    around.second()
    assert around.troubles() == ("the ledger is not signed for: the disk is full",)
    assert around.given == []
    around.store.full = None
    around.second()
    assert around.troubles() == ()
    assert latest(around.store) is not None


def test_a_key_that_is_gone_is_told_and_looked_for_again() -> None:
    around, gone = Around(), [True]

    def make() -> Signing:
        if gone[0]:
            raise IntegrityError("ledger.key is gone")
        return Signing(around.store, around.store, KEY, around.sealing.notice)

    around.sealing = Sealing(make, around.errands, lambda: around.time)
    around.grow()
    around.second()
    assert around.troubles() == ("the ledger is not signed for: ledger.key is gone",)
    gone[0] = False
    around.second()
    assert around.troubles() == ()
    assert around.given == [("ci", 1), ("second", 1)]


def test_a_list_of_witnesses_that_cannot_be_read_is_told_and_signing_goes_on() -> None:
    around = Around()
    around.sealing = Sealing(
        lambda: Signing(around.store, around.store, KEY), lambda: refuse("no list"), lambda: around.time
    )
    around.grow()
    around.second()
    assert around.troubles() == ("nobody witnesses the ledger: no list",)
    assert latest(around.store) is not None


def refuse(why: str) -> dict[str, Errand]:
    raise Undecided(why)


def test_what_a_person_has_to_know_stays_among_the_troubles() -> None:
    around = Around()
    around.sealing.notice("the key is another one")
    around.grow()
    around.second()
    assert around.troubles() == ("the key is another one",)


def test_an_engine_that_was_superseded_signs_no_more() -> None:
    around = Around()
    around.grow()
    around.store.full = Fenced("another")
    around.second()
    around.store.full = None
    around.sealing.start()
    around.sealing.stop(10.0)
    assert around.given == []
    assert latest(around.store) is None


def test_a_thread_that_ends_by_itself_is_told() -> None:
    around = Around()
    around.sealing.start()
    assert around.troubles() == ()
    around.sealing._threads = [Thread()]
    assert "not signed for or witnessed any more" in around.troubles()[0]


def test_the_end_of_an_engine_is_signed_for() -> None:
    around = Around()
    around.sealing.start()
    around.grow()
    around.sealing.stop(10.0)
    signed = latest(around.store)
    assert signed is not None
    assert read(signed.text).size == 1
