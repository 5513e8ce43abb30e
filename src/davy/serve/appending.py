"""Events of many tasks, one write: what comes while another write is under way is in the next one, all of it.

A task that waits for the disk takes no thread. What waits is handed to one thread together, and what became of
it is handed back together: a thread that is woken for each event would take longer than to write it does.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from davy.ledger.entry import Draft
from davy.ledger.log import Receipt

Receipts = tuple[Receipt, ...]


class Appending:
    """Appends for the tasks of one event loop.

    Args:
        append_each: appends what many ask for at once, as `davy.ledger.log.Log` says; called in a thread.
    """

    def __init__(
        self, append_each: Callable[[Sequence[Sequence[Draft]]], Sequence[Receipts | Exception]]
    ) -> None:
        self._append_each = append_each
        self._waiting: list[tuple[Sequence[Draft], asyncio.Future[Receipts]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="davy-append")

    async def append(self, drafts: Sequence[Draft]) -> Receipts:
        """Append events as the log does: when this returns, a crash of the machine loses none of it.

        What has been handed over is written, whether somebody still waits for it or not.

        Raises:
            StoreUnavailable: nothing was written.
            LedgerDamaged: nothing was written, and nothing will be.
        """
        loop = asyncio.get_running_loop()
        told: asyncio.Future[Receipts] = loop.create_future()
        self._waiting.append((drafts, told))
        if self._writer is None:
            self._writer = loop.create_task(self._write())
        return await told

    def close(self) -> None:
        """Let go of the thread; what it is at is written to the end."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _write(self) -> None:
        """Write what waits, and then what has come meanwhile, until nothing has."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                some, self._waiting = self._waiting, []
                outcomes: Sequence[Receipts | Exception]
                try:
                    calls = [drafts for drafts, _ in some]
                    outcomes = await loop.run_in_executor(self._thread, self._append_each, calls)
                except Exception as error:  # noqa: BLE001  all that wait are told
                    outcomes = [error] * len(some)
                for (_, told), outcome in zip(some, outcomes, strict=True):
                    _tell(told, outcome)
                await asyncio.sleep(0)  # those that were just told may come again at once
        finally:
            self._writer = None


def _tell(told: "asyncio.Future[Receipts]", outcome: Receipts | Exception) -> None:
    """Tell a task what became of its events, unless it does not wait any more."""
    if told.done():
        return
    if isinstance(outcome, Exception):
        told.set_exception(outcome)
    else:
        told.set_result(outcome)
