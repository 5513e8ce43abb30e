"""The record for commands that find something and write it down: the engine's, or that of a state directory."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from davy.cli.setting import Setting
from davy.control.emitting import number_of, tell
from davy.control.following.found import AT_ONCE, drafts_of, findings_of
from davy.control.requests import Found, Record
from davy.control.views import EmitView, EventView, RecordView, View
from davy.ledger.entry import Draft, Entry
from davy.serve.client import NotRunning

if TYPE_CHECKING:
    from davy.cli.stores import AnyStore

Answer = TypeVar("Answer", bound=View)

PAGE = 1000
"""How many entries are read at a time."""


class Ledger:
    """The record: through the engine where one runs, otherwise the store itself."""

    def __init__(self, setting: Setting, url: str) -> None:
        self._setting, self._url, self._after = setting, url, 0

    def fresh(self) -> Iterator[Sequence[Entry]]:
        """Yield the entries that were not read before, some at a time."""
        while entries := self._page():
            self._after = entries[-1].seq
            yield entries

    def write(self, drafts: Sequence[Draft]) -> list[EventView]:
        """Write entries, and say what became of each."""
        told: list[EventView] = []
        for start in range(0, len(drafts), AT_ONCE):
            findings = findings_of(drafts[start : start + AT_ONCE])
            try:
                told += self._ask(Found(findings), EmitView).events
            except NotRunning:
                from davy.serve.socket import Peer

                way = f"this machine, {number_of(str(Peer(os.getuid())))}"
                with self._opened() as kept:
                    made = drafts_of(findings, authenticated=way, now=self._setting.wall())
                    told += tell(kept, made).events
        return told

    def _page(self) -> Sequence[Entry]:
        try:
            return self._ask(Record(after=self._after, limit=PAGE), RecordView).entries
        except NotRunning:
            with self._opened() as kept:
                return kept.entries(after=self._after, limit=PAGE)

    def _ask(self, request: Found | Record, expected: type[Answer]) -> Answer:
        if self._url:
            raise NotRunning("a store is named, and who writes to it is not asked")
        return self._setting.ask(request, expected)

    @contextmanager
    def _opened(self) -> Iterator["AnyStore"]:
        from davy.cli.stores import no_ledger, open_store

        home = self._setting.home
        if not (self._url or home.is_dir()):
            raise no_ledger(home)
        kept = open_store(home, self._url)
        try:
            yield kept
        finally:
            kept.close()
