"""What many threads bring is written together, and nobody waits for ever."""

import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from davy.adapters.group_commit import MOST, GroupCommit
from davy.errors import Conflict
from davy.ledger.store import StoreUnavailable
from davy.testing.patience import until


class Disk:
    """Writes one batch after the other, as long as its gate is open."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: BaseException | None = None
        self.writing = threading.Event()
        self.group = GroupCommit(self.write)

    def write(self, jobs: Sequence[int]) -> list[int | Exception]:
        self.writing.set()
        self.gate.wait()
        if self.error is not None:
            raise self.error
        self.batches.append(list(jobs))
        return [Conflict(str(job)) if job < 0 else job * 2 for job in jobs]

    def waiting(self) -> int:
        return len(self.group._queue)


def test_what_waits_while_a_write_is_under_way_is_written_in_the_next_one() -> None:
    disk = Disk()
    disk.gate.clear()
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(disk.group.do, 1)
        disk.writing.wait()
        others = [pool.submit(disk.group.do, number) for number in range(2, 10)]
        until(lambda: disk.waiting() == 8)
        disk.gate.set()
        assert [each.result() for each in (first, *others)] == [number * 2 for number in range(1, 10)]
    assert [len(batch) for batch in disk.batches] == [1, 8]


def test_each_of_many_gets_its_own_answer() -> None:
    disk = Disk()
    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(disk.group.do, range(2000))) == [number * 2 for number in range(2000)]
    assert sorted(number for batch in disk.batches for number in batch) == list(range(2000))
    assert max(map(len, disk.batches)) <= MOST


def test_an_error_of_one_is_not_the_error_of_others() -> None:
    disk = Disk()
    with ThreadPoolExecutor(8) as pool:
        wrong = [pool.submit(disk.group.do, -number) for number in range(1, 50)]
        right = [pool.submit(disk.group.do, number) for number in range(50)]
        assert [each.result() for each in right] == [number * 2 for number in range(50)]
        assert [str(each.exception()) for each in wrong] == [str(-number) for number in range(1, 50)]


def test_a_write_that_fails_fails_for_all_and_the_next_is_tried() -> None:
    disk = Disk()
    disk.error = StoreUnavailable("the disk is full")
    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(disk.group.do, number) for number in range(50)]:
            assert isinstance(each.exception(), StoreUnavailable)
    disk.error = None
    assert disk.group.do(4) == 8


def test_an_interrupt_of_the_one_that_writes_leaves_nobody_waiting() -> None:
    disk = Disk()
    disk.gate.clear()
    disk.error = KeyboardInterrupt()
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(disk.group.do, 1)
        disk.writing.wait()
        others = [pool.submit(disk.group.do, number) for number in range(3)]
        until(lambda: disk.waiting() == 3)
        disk.gate.set()
        assert isinstance(first.exception(), KeyboardInterrupt)
        ended = [each.exception() for each in others]
        assert isinstance(ended[0], KeyboardInterrupt)
        assert [type(each) for each in ended[1:]] == [StoreUnavailable, StoreUnavailable]
    disk.error = None
    assert disk.group.do(4) == 8


def test_who_is_interrupted_while_it_waits_is_not_waited_for() -> None:
    disk = Disk()
    disk.gate.clear()
    main = threading.get_ident()

    def interrupt() -> None:
        until(lambda: disk.waiting() == 1)
        signal.pthread_kill(main, signal.SIGINT)

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(disk.group.do, 1)
        disk.writing.wait()
        pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            disk.group.do(2)
        assert disk.waiting() == 0
        last = pool.submit(disk.group.do, 3)
        until(lambda: disk.waiting() == 1)
        disk.gate.set()
        assert (first.result(), last.result()) == (2, 6)
    assert disk.batches == [[1], [3]]


def test_who_was_interrupted_keeps_nobody_asleep_whom_it_was_to_wake() -> None:
    gates = [threading.Event(), threading.Event()]
    begun = [threading.Event(), threading.Event()]
    numbers = iter(range(2))

    def write(jobs: Sequence[int]) -> list[int | Exception]:
        number = next(numbers)
        begun[number].set()
        gates[number].wait()
        return list(jobs)

    group = GroupCommit(write)
    main = threading.get_ident()

    def interrupt() -> None:
        until(lambda: len(group._queue) == 7)
        for number in range(8, 16):
            others.append(pool.submit(group.do, number))
        until(lambda: len(group._queue) == 15)
        gates[0].set()
        begun[1].wait()
        signal.pthread_kill(main, signal.SIGINT)

    with ThreadPoolExecutor(20) as pool:
        others = [pool.submit(group.do, 0)]
        begun[0].wait()
        others += [pool.submit(group.do, number) for number in range(1, 7)]
        until(lambda: len(group._queue) == 6)
        pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            group.do(7)
        gates[1].set()
        assert [each.result() for each in others] == [number for number in range(16) if number != 7]
