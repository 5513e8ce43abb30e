"""The story of a world, line by line: people, faults, entries of the record, who has the traffic."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from davy.ledger.entry import Entry
from davy.sim.clock import VirtualClock
from davy.sim.happenings import Acted, Committed, Happening, SplitChanged, Unwritten

Tone: TypeAlias = Literal["entry", "traffic", "person", "fault", "engine", "call"]
"""What a line is about."""


class Line(msgspec.Struct, frozen=True, rename="camel"):
    """One line: when (seconds since the world began), about what, and a sentence or an entry of the record."""

    at: float
    tone: Tone
    text: str = ""
    entry: Entry | None = None


class Story:
    """Collects the lines."""

    def __init__(self, clock: VirtualClock) -> None:
        self.lines: list[Line] = []
        self._clock = clock

    def say(self, text: str, tone: Tone) -> None:
        """Tell a sentence."""
        self.lines.append(Line(self._clock.time, tone, text))

    def take(self, happening: Happening, images: Mapping[str, str]) -> None:
        """Tell what happened, if it is worth a line."""
        match happening:
            case Committed(entries=entries):
                self.lines += [Line(self._clock.time, "entry", entry=entry) for entry in entries]
            case Unwritten(drafts=drafts) if drafts:
                self.say(f"not written: {', '.join(draft.kind for draft in drafts)}", "fault")
            case SplitChanged(key=key, after=after):
                parts = (f"{images.get(hash_, hash_)} {100 * share:.3g} %" for hash_, share in after.items())
                self.say(f"{key.name}: in force is {', '.join(parts) or 'nothing'}", "traffic")
            case Acted(answer="refused" | "failed") as acted:
                self.say(f"{acted.key.name}: {acted.action} is {acted.answer} ({acted.reason})", "person")
            case _:
                pass
