"""Signing and witnessing while an engine runs: beside its loop, which never waits for either.

Checkpoints are signed every second in which the ledger has grown, and given to each witness when its time has
come. Both happen in threads of their own, since a disk may be slow and a witness may not answer.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from davy.errors import DavyError
from davy.ledger.lease import Fenced
from davy.ledger.note import Note

SIGN_S = 1.0
"""Real seconds between two looks at whether the ledger has grown."""


class Signs(Protocol):
    """Signs for a ledger; `Signing` does."""

    def sign(self) -> Note:
        """Return the checkpoint of the tree as it is now."""
        ...


@dataclass(frozen=True, slots=True)
class Errand:
    """A witness that is given checkpoints: how often, in real seconds, and how."""

    every_s: float
    give: Callable[[Note], object]


class Sealing:
    """Signs for the ledger of an engine, and has it witnessed.

    Args:
        signs: makes what signs; called again until it can be made, since a key may be put back.
        errands: returns the witnesses by name; called at every look, since they may change.
        now: real seconds of a clock that never goes back.
    """

    def __init__(
        self,
        signs: Callable[[], Signs],
        errands: Callable[[], Mapping[str, Errand]],
        now: Callable[[], float],
    ) -> None:
        self._make, self._errands, self._now = signs, errands, now
        self._signs: Signs | None = None
        self._note: Note | None = None
        self._given: dict[str, tuple[float, str]] = {}
        self._troubles: dict[str, str] = {}
        self._notices: list[str] = []
        self._ended, self._started, self._fenced = threading.Event(), False, False
        self._threads = [
            threading.Thread(target=self._repeat, args=(turn,), name=name, daemon=True)
            for name, turn in (("davy-checkpoints", self.sign), ("davy-witnesses", self.witness))
        ]

    def start(self) -> None:
        """Begin."""
        self._started = True
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float) -> None:
        """End, after a last checkpoint of all that was written; wait for it no longer than this."""
        self._ended.set()
        for thread in self._threads:
            thread.join(seconds)
        if not self._fenced and not any(thread.is_alive() for thread in self._threads):
            self.sign()

    def notice(self, sentence: str) -> None:
        """Have something told among the troubles for as long as this engine runs."""
        self._notices.append(sentence)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What keeps the ledger from being signed for or witnessed, a sentence each."""
        told = [*self._notices, *(sentence for _, sentence in sorted(self._troubles.copy().items()))]
        if self._started and not self._ended.is_set() and not all(each.is_alive() for each in self._threads):
            told.append("the ledger is not signed for or witnessed any more: davy up again does, and tell us")
        return tuple(told)

    def sign(self) -> None:
        """Sign, if the ledger has grown."""
        try:
            if self._signs is None:
                self._signs = self._make()
            self._note = self._signs.sign()
        except Fenced:
            self._fence_off()
        except DavyError as error:
            self._troubles[""] = f"the ledger is not signed for: {error.message}"
        else:
            self._troubles.pop("", None)

    def witness(self) -> None:
        """Give the last checkpoint to every witness whose time has come and who has not seen it."""
        note = self._note
        if note is None:
            return
        try:
            errands = self._errands()
        except DavyError as error:
            self._troubles[" "] = f"nobody witnesses the ledger: {error.message}"
            return
        for name in self._troubles.copy().keys() - {"", *errands}:
            del self._troubles[name]
        for name, errand in errands.items():
            at, text = self._given.get(name, (-errand.every_s, ""))
            if text == note.text or self._now() < at + errand.every_s or self._ended.is_set():
                continue
            self._given[name] = (self._now(), self._tried(name, errand, note))

    def _tried(self, name: str, errand: Errand, note: Note) -> str:
        """Give one witness a checkpoint, and return the text of what it has seen then."""
        try:
            errand.give(note)
        except Fenced:
            self._fence_off()
        except DavyError as error:
            self._troubles[name] = f"the ledger is not witnessed by {name}: {error.message}"
            return ""
        self._troubles.pop(name, None)
        return note.text

    def _fence_off(self) -> None:
        """Do nothing any more: another engine signs now."""
        self._fenced = True
        self._ended.set()

    def _repeat(self, turn: Callable[[], None]) -> None:
        while not self._ended.wait(SIGN_S):
            turn()
