"""What many threads bring is written together, and nobody waits for ever."""

import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from davy.adapters.group_commit import MANY, MOST, GroupCommit
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
        self.group = GroupCommit(self.write, self.let_in)
        self.looks = 0

    def write(self, jobs: Sequence[int]) -> list[int | Exception]:
        self.writing.set()
        self.gate.wait()
        if self.error is not None:
            raise self.error
        self.batches.append(list(jobs))
        return [Conflict(str(job)) if job < 0 else job * 2 for job in jobs]

    def let_in(self, _: threading.Lock) -> None:
        self.looks += 1

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


def test_jobs_that_are_brought_together_are_written_together_and_each_has_its_own_outcome() -> None:
    disk = Disk()
    disk.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(disk.group.do, 1)
        disk.writing.wait()
        some = pool.submit(disk.group.do_all, [2, -3, 4])
        until(lambda: disk.waiting() == 1)
        five, six = pool.submit(disk.group.do, 5), pool.submit(disk.group.do_all, [6])
        until(lambda: disk.waiting() == 3)
        disk.gate.set()
        assert first.result() == 2
        two, three, four = some.result()
        assert (two, str(three), four) == (4, "-3", 8)
        assert isinstance(three, Conflict)
        assert (five.result(), six.result()) == (10, [12])
    assert [sorted(batch) for batch in disk.batches] == [[1], [-3, 2, 4, 5, 6]]


def test_jobs_that_are_brought_together_fail_together_where_nothing_can_be_written() -> None:
    disk = Disk()
    disk.error = StoreUnavailable("full")
    with pytest.raises(StoreUnavailable, match="full"):
        disk.group.do_all([1, 2])
    disk.error = None
    assert disk.group.do_all([1, 2]) == [2, 4]
    assert disk.group.do_all([]) == []


class Crowded(Disk):
    """One is written while fifteen wait; `met` is what the next that writes meets as it lets others in."""

    def __init__(self, met: Callable[["Crowded"], object] = lambda _: None) -> None:
        super().__init__()
        self.met = met

    def let_in(self, enough: threading.Lock) -> None:
        super().let_in(enough)
        self.met(self)

    def crowd(self, pool: ThreadPoolExecutor) -> list[Future[int]]:
        self.gate.clear()
        jobs = [pool.submit(self.group.do, 1)]
        self.writing.wait()
        jobs += [pool.submit(self.group.do, number) for number in range(2, 17)]
        until(lambda: self.waiting() == 15)
        self.gate.set()
        return jobs


def test_who_was_just_told_and_comes_again_is_written_with_those_that_waited() -> None:
    disk = Crowded(lambda disk: until(lambda: disk.waiting() == 16))
    with ThreadPoolExecutor(20) as pool:
        first, *others = disk.crowd(pool)
        assert first.result() == 2
        assert disk.group.do(17) == 34
        assert [each.result() for each in others] == [number * 2 for number in range(2, 17)]
    assert [len(batch) for batch in disk.batches] == [1, 16]


class Patient(Crowded):
    """Waits until all are there, however long that takes."""

    def let_in(self, enough: threading.Lock) -> None:
        super().let_in(enough)
        assert enough.acquire(timeout=60)


def test_the_last_that_is_let_in_wakes_whoever_waits_for_it() -> None:
    disk = Patient()
    with ThreadPoolExecutor(20) as pool:
        first, *others = disk.crowd(pool)
        assert first.result() == 2
        assert disk.group.do(17) == 34
        assert [each.result() for each in others] == [number * 2 for number in range(2, 17)]
    assert [len(batch) for batch in disk.batches] == [1, 16]


def test_nobody_waits_for_those_that_do_not_come_again() -> None:
    disk = Crowded()
    with ThreadPoolExecutor(20) as pool:
        assert [each.result() for each in disk.crowd(pool)] == [number * 2 for number in range(1, 17)]
    assert [len(batch) for batch in disk.batches] == [1, 15]
    assert disk.looks == 1
    assert disk.group.do(4) == 8
    assert disk.group.do(5) == 10
    assert disk.looks == 2  # fifteen might have come once more, one by one they do not


def test_an_interrupt_while_others_are_let_in_is_the_leaders_own() -> None:
    def interrupt(disk: Crowded) -> None:
        if disk.looks == 1:
            raise KeyboardInterrupt

    disk = Crowded(interrupt)
    with ThreadPoolExecutor(20) as pool:
        ended = [each.exception() for each in disk.crowd(pool)]
    assert [type(each) for each in ended if each is not None] == [KeyboardInterrupt]
    assert [len(batch) for batch in disk.batches] == [1, 14]
    disk.group._about = MANY
    disk.looks = 0
    with pytest.raises(KeyboardInterrupt):
        disk.group.do(3)  # it writes since nobody does, and not since it was told to
    assert disk.waiting() == 0
    assert disk.group.do(4) == 8


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
