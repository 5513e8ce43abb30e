"""Many threads, one transaction: whoever comes while a write is under way is in the next one, with all others.

A disk makes some thousand writes durable in a second, however small they are. So the first thread that comes
writes at once, for all that wait by then; meanwhile others come, and the first of these writes for all of them.

Where there are many, those that were just told come again at once, as a rule, and are let in first: as long as
they do, and for no longer. Otherwise there would be two halves that are written in turn, and twice the writes.

Those that are told are woken one by the other. All at once they would stand in line for the interpreter,
the one that has to write next behind them; most would be woken twice, for their lock and for the interpreter.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf
from typing import Generic, TypeVar

from davy.ledger.store import StoreUnavailable

J = TypeVar("J")
R = TypeVar("R")

MOST = 1000
"""So many threads' jobs are written in one go."""

MANY = 8
"""From so many threads on, whoever writes lets others in before; fewer are written as they come."""

LOOK_S = 1e-4
"""For so long it does, unless all come before, until it looks whether any came."""


class GroupCommit(Generic[J, R]):
    """Collects the jobs of many threads.

    Args:
        write: writes jobs in one transaction and returns what became of each, in their order: a result, or the
            error that its caller gets. What it raises, all the callers get.
        let_in: lets other threads go on for a moment, or until a lock can be had: as many have come as may.
    """

    def __init__(
        self,
        write: Callable[[Sequence[J]], Sequence[R | Exception]],
        let_in: Callable[[threading.Lock], object] = lambda enough: enough.acquire(timeout=LOOK_S),
    ) -> None:
        self._write, self._let_in = write, let_in
        self._about = 0  # threads that were written last or waited by then, and may be written next
        self._queue: deque[_Ticket[J, R]] = deque()  # whoever comes appends to it without a lock
        self._led = threading.Lock()  # held as long as somebody writes, or has been told to
        self._guard = threading.Lock()  # for what takes tickets out of the queue, and wakes somebody
        self._wanted, self._enough = inf, threading.Lock()  # once so many wait, whoever lets them in is woken

    def do(self, job: J) -> R:
        """Have a job written, and return what became of it once that is durable."""
        [outcome] = self.do_all((job,))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def do_all(self, jobs: Sequence[J]) -> Sequence[R | Exception]:
        """Have jobs written in one go, and return what became of each once that is durable.

        Raises:
            Exception: what the write raised; nothing of them is written.
        """
        ticket: _Ticket[J, R] = _Ticket(jobs)  # _Ticket[J, R](jobs) takes six times as long
        try:
            self._queue.append(ticket)
            leads = self._led.acquire(blocking=False)
            if len(self._queue) >= self._wanted:
                self._end_gathering()
            while not (leads and self._lead(ticket)):
                ticket.woken.acquire()
                if not (leads := ticket.leads):
                    self._pass_on(ticket)
                    break
        except BaseException:
            self._forget(ticket)
            raise
        if ticket.torn is not None:
            raise ticket.torn
        return ticket.outcomes

    def _lead(self, own: "_Ticket[J, R]") -> bool:
        """Write for all that wait, then let the first of those that came meanwhile; say if `own` is written."""
        batch: list[_Ticket[J, R]] = []
        outcomes: Sequence[R | Exception] = ()
        torn: Exception | None = StoreUnavailable("the write was interrupted")
        try:
            self._gather()
            with self._guard:
                batch = [self._queue.popleft() for _ in range(min(MOST, len(self._queue)))]
            outcomes = self._write([job for ticket in batch for job in ticket.jobs]) if batch else ()
            torn = None
        except Exception as error:  # noqa: BLE001  all that wait are told
            torn = error
        finally:  # an interrupt is the leader's own; the others must not wait for ever
            self._about = len(batch) + len(self._queue)
            self._hand_over()
            at = 0
            for ticket in batch:
                ticket.torn, ticket.outcomes = torn, outcomes[at : (at := at + len(ticket.jobs))]
            others = [ticket for ticket in batch if ticket is not own]
            for ticket, after in pairwise(others):
                ticket.after = after
            with self._guard:
                _wake(others[0] if others else None)
        return len(others) < len(batch)

    def _gather(self) -> None:
        """Let in those that were just told, as long as any come and some are still to come."""
        seen, about = 0, min(MOST, self._about)
        if about < MANY:
            return
        self._enough.acquire(blocking=False)
        self._wanted = about
        while seen < (waiting := len(self._queue)) < about:
            seen = waiting
            self._let_in(self._enough)
        self._end_gathering()

    def _end_gathering(self) -> None:
        """Let whoever gathers write, now that all are there."""
        with self._guard:
            if self._wanted < inf:
                self._wanted = inf
                self._enough.release()

    def _pass_on(self, ticket: "_Ticket[J, R]") -> None:
        """Wake the one after, before anything else is done."""
        with self._guard:
            if ticket.after is not None:
                _wake(ticket.after)

    def _forget(self, ticket: "_Ticket[J, R]") -> None:
        """Let one go that was interrupted: nobody must wait for it to write, or to wake others."""
        with self._guard:
            if ticket in self._queue:
                self._queue.remove(ticket)
                led = ticket.leads
            else:
                led, ticket.gone = False, True
                if ticket.called and ticket.after is not None:
                    _wake(ticket.after)
        if led:
            self._hand_over()

    def _hand_over(self) -> None:
        """Have the first that waits write; where nobody does, let the next that comes do it."""
        while True:
            with self._guard:
                if self._queue:
                    self._queue[0].leads = True
                    self._queue[0].woken.release()
                    return
            self._led.release()
            if not self._queue or not self._led.acquire(blocking=False):
                return


def _wake(first: "_Ticket[J, R] | None") -> None:
    """Wake the first of a line that still waits, unless it was woken before; the guard is held."""
    while first is not None and first.gone:
        first = first.after
    if first is not None and not first.called:
        first.called = True
        first.woken.release()


class _Ticket(Generic[J, R]):
    """Jobs that wait, and the lock by which their thread is woken: once written, or for it to write."""

    __slots__ = ("after", "called", "gone", "jobs", "leads", "outcomes", "torn", "woken")

    def __init__(self, jobs: Sequence[J]) -> None:
        self.jobs = jobs
        self.leads = self.called = self.gone = False
        self.outcomes: Sequence[R | Exception] = ()
        self.torn: Exception | None = None  # nothing of them was written
        self.after: _Ticket[J, R] | None = None  # whom its thread wakes in turn
        self.woken = threading.Lock()
        self.woken.acquire()
