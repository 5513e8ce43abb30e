"""Tasks that append: written together, each told what became of its own."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from davy.adapters.memory_store import MemoryStore
from davy.ledger.entry import Draft
from davy.ledger.log import Receipt
from davy.ledger.store import StoreUnavailable
from davy.serve.appending import Appending, Receipts
from davy.testing.log import event


class Slow(MemoryStore):
    """Begins to write once it may, and keeps how many asked for each write."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.writes: list[int] = []

    def append_each(self, calls: Sequence[Sequence[Draft]]) -> list[Receipts | Exception]:
        self.writes.append(len(calls))
        assert self.gate.wait(60)
        return super().append_each(calls)

    async def begun(self, writes: int) -> None:
        while len(self.writes) < writes:
            await asyncio.sleep(0)


@pytest.fixture
def log() -> Slow:
    return Slow()


def test_those_that_come_while_a_write_is_under_way_are_in_the_next_one(log: Slow) -> None:
    async def together() -> list[Receipts]:
        log.gate.clear()
        first = asyncio.create_task(appending.append([event(0)]))
        await log.begun(1)
        others = [asyncio.create_task(appending.append([event(number)])) for number in range(1, 41)]
        await asyncio.sleep(0)
        assert not first.done()
        log.gate.set()
        return await asyncio.gather(first, *others)

    appending = Appending(log.append_each)
    assert asyncio.run(together()) == [(Receipt("written", seq),) for seq in range(1, 42)]
    assert log.writes == [1, 40]
    appending.close()


def test_those_that_were_just_told_and_come_again_are_written_with_those_that_came_meanwhile(log: Slow) -> None:
    async def twice(first: int) -> None:
        for number in (first, first + 1):
            await appending.append([event(number)])

    async def together() -> None:
        log.gate.clear()
        first = asyncio.create_task(twice(0))
        await log.begun(1)
        others = [asyncio.create_task(twice(10 * number)) for number in range(1, 8)]
        await asyncio.sleep(0)
        log.gate.set()
        await asyncio.gather(first, *others)

    appending = Appending(log.append_each)
    asyncio.run(together())
    assert log.writes == [1, 8, 7]
    appending.close()


def test_what_is_wrong_is_told_to_those_whose_it_is(log: Slow) -> None:
    async def together() -> Sequence[object]:
        some = [appending.append([event(1)]), appending.append([event(2, bad=object())])]
        found = await asyncio.gather(*some, return_exceptions=True)
        log.full = StoreUnavailable("the disk is full")
        some = [appending.append([event(3)]), appending.append([event(4)])]
        found += await asyncio.gather(*some, return_exceptions=True)
        log.full = None
        return [*found, await appending.append([event(4)])]

    appending = Appending(log.append_each)
    first, bad, *full, last = asyncio.run(together())
    assert (first, last) == ((Receipt("written", 1),), (Receipt("written", 2),))
    assert isinstance(bad, TypeError)
    assert [type(each) for each in full] == [StoreUnavailable] * 2
    appending.close()


def test_what_nobody_waits_for_any_more_is_written_all_the_same(log: Slow) -> None:
    async def impatient() -> Receipts:
        log.gate.clear()
        first = asyncio.create_task(appending.append([event(1)]))
        await log.begun(1)
        second = asyncio.create_task(appending.append([event(2)]))
        await asyncio.sleep(0)
        assert first.cancel()
        assert second.cancel()
        await asyncio.wait([first, second])
        log.gate.set()
        return await appending.append([event(3)])

    appending = Appending(log.append_each)
    assert asyncio.run(impatient()) == (Receipt("written", 3),)
    assert len(log.ledger) == 3
    appending.close()


def test_nothing_is_left_waiting_once_it_is_closed(log: Slow) -> None:
    appending = Appending(log.append_each)
    appending.close()
    with pytest.raises(RuntimeError):
        asyncio.run(appending.append([event(1)]))
