"""Many threads, one transaction: whoever comes while a write is under way is in the next one, with all others.

A disk makes some thousand writes durable in a second, however small they are. So the first thread that comes
writes at once, for all that wait by then; meanwhile others come, and the first of these writes for all of them.
Nobody waits for a timer.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from davy.ledger.store import StoreUnavailable

J = TypeVar("J")
R = TypeVar("R")

MOST = 1000
"""Jobs that are written in one go."""

STRANDS = 2
"""Threads that are woken when a batch is written; each wakes another first of all, as long as there are any.

All at once would stand in line for the interpreter, and the one that has to write next would stand behind them.
"""


class GroupCommit(Generic[J, R]):
    """Collects the jobs of many threads.

    Args:
        write: writes jobs in one transaction and returns what became of each, in their order: a result, or the
            error that its caller gets. What it raises, all the callers get.
    """

    def __init__(self, write: Callable[[Sequence[J]], Sequence[R | Exception]]) -> None:
        self._write = write
        self._queue: deque[_Ticket[J, R]] = deque()  # whoever comes appends to it without a lock
        self._led = threading.Lock()  # held as long as somebody writes, or has been told to
        self._guard = threading.Lock()  # for what takes tickets out of the queue

    def do(self, job: J) -> R:
        """Have a job written, and return what became of it once that is durable."""
        ticket = _Ticket[J, R](job)
        try:
            self._queue.append(ticket)
            leads = self._led.acquire(blocking=False)
            while not (leads and self._lead(ticket)):
                ticket.woken.acquire()
                if not (leads := ticket.leads):
                    self._pass_on(ticket)
                    break
        except BaseException:
            self._forget(ticket)
            raise
        if isinstance(ticket.outcome, Exception):
            raise ticket.outcome
        return ticket.outcome  # type: ignore[return-value]  # it is there, or _lead has raised

    def _lead(self, own: "_Ticket[J, R]") -> bool:
        """Write for all that wait, then let the first of those that came meanwhile; say if `own` is written."""
        outcomes: Sequence[R | Exception] = ()
        with self._guard:
            batch = [self._queue.popleft() for _ in range(min(MOST, len(self._queue)))]
        try:
            outcomes = self._write([ticket.job for ticket in batch]) if batch else ()
        except Exception as error:  # noqa: BLE001  all that wait are told
            outcomes = [error] * len(batch)
        finally:  # an interrupt is the leader's own; the others must not wait for ever
            self._hand_over()
            torn: R | Exception = StoreUnavailable("the write was interrupted")
            for number, ticket in enumerate(batch):
                ticket.outcome = outcomes[number] if outcomes else torn
            others = [ticket for ticket in batch if ticket is not own]
            for ticket, after in zip(others, others[STRANDS:], strict=False):
                ticket.after = after
            with self._guard:
                for ticket in others[:STRANDS]:
                    _wake(ticket)
        return len(others) < len(batch)

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
    """Wake the first of a strand that still waits, unless it was woken before; the guard is held."""
    while first is not None and first.gone:
        first = first.after
    if first is not None and not first.called:
        first.called = True
        first.woken.release()


class _Ticket(Generic[J, R]):
    """A job that waits, and the lock by which its thread is woken: when it is written, or has to write."""

    __slots__ = ("after", "called", "gone", "job", "leads", "outcome", "woken")

    def __init__(self, job: J) -> None:
        self.job = job
        self.leads = self.called = self.gone = False
        self.outcome: R | Exception | None = None
        self.after: _Ticket[J, R] | None = None  # whom its thread wakes in turn
        self.woken = threading.Lock()
        self.woken.acquire()
