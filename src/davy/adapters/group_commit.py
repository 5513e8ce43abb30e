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
            ticket.leads = self._led.acquire(blocking=False)
            if not ticket.leads:
                ticket.woken.acquire()
        except BaseException:
            self._forget(ticket)
            raise
        if ticket.leads:
            self._lead()
        if isinstance(ticket.outcome, Exception):
            raise ticket.outcome
        return ticket.outcome  # type: ignore[return-value]  # it is there, or _lead has raised

    def _lead(self) -> None:
        """Write for all that wait, and let the first of those that come meanwhile go on."""
        outcomes: Sequence[R | Exception] = ()
        with self._guard:
            batch = [self._queue.popleft() for _ in range(min(MOST, len(self._queue)))]
        try:
            outcomes = self._write([ticket.job for ticket in batch])
        except Exception as error:  # noqa: BLE001  all that wait are told
            outcomes = [error] * len(batch)
        finally:  # an interrupt is the leader's own; the others must not wait for ever
            self._hand_over()
            torn: R | Exception = StoreUnavailable("the write was interrupted")
            for number, ticket in enumerate(batch):
                ticket.outcome = outcomes[number] if outcomes else torn
                ticket.woken.release()

    def _forget(self, ticket: "_Ticket[J, R]") -> None:
        """Let one go that was interrupted: whoever does not wait any more must not have to write."""
        with self._guard:
            if ticket in self._queue:
                self._queue.remove(ticket)
        if ticket.leads:
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


class _Ticket(Generic[J, R]):
    """A job that waits, and the lock by which its thread is woken: when it is written, or has to write."""

    __slots__ = ("job", "leads", "outcome", "woken")

    def __init__(self, job: J) -> None:
        self.job = job
        self.leads = False
        self.outcome: R | Exception | None = None
        self.woken = threading.Lock()
        self.woken.acquire()
