"""What a server of flags counts: evaluations, and what it tells of them to whoever attributes failures."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from davy.flags.details import Details
from davy.flags.remote import Exposure, ExposureReport, Instance

SERIES = 5_000
"""Combinations of flag, variant and reason that have a line of their own; all others share one."""

FLUSH_S = 10.0
"""Real seconds for which evaluations are added up until they are told."""

OTHER = "(other)"


@dataclass(slots=True)
class Counts:
    """Counts evaluations; belongs to the event loop.

    Args:
        tell: takes in what was counted.
        wall: seconds since the epoch.
        flush_s: real seconds between two tellings.
    """

    tell: Callable[[ExposureReport], None]
    wall: Callable[[], float]
    flush_s: float = FLUSH_S
    evaluations: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    _pending: dict[Instance, Counter[tuple[str, str, str, int]]] = field(default_factory=dict)
    _since: float = 0.0
    _timer: asyncio.TimerHandle | None = None

    def handed_out(self, answers: Iterable[tuple[str, Details]]) -> None:
        """Count answers that were given all at once; whether anybody looks at them is not known."""
        for key, details in answers:
            self._add("bulk", key, details)

    def evaluated(self, instance: Instance, key: str, details: Details, version: int) -> None:
        """Count an answer that somebody asked for."""
        self._add("single", key, details)
        if self._timer is None:
            self._since = self.wall()
            self._timer = asyncio.get_running_loop().call_later(self.flush_s, self.flush)
        counted = self._pending.setdefault(instance, Counter())
        counted[key, details.variant or "", details.reason, version] += 1

    def flush(self) -> None:
        """Tell what was counted since the last time."""
        pending, self._pending, self._timer = self._pending, {}, None
        until = self.wall()
        for instance, counted in pending.items():
            exposures = tuple(Exposure(*what, count) for what, count in counted.items())
            self.tell(ExposureReport(instance, self._since, until, exposures))

    def lines(self) -> list[str]:
        """Write the evaluations as Prometheus reads them."""
        return [
            "# HELP davy_flags_evaluations_total Flags that were evaluated here, one by one or all at once.",
            "# TYPE davy_flags_evaluations_total counter",
            *(
                f'davy_flags_evaluations_total{{flag="{label(flag)}",variant="{label(variant)}",'
                f'reason="{label(reason)}",asked="{asked}"}} {count}'
                for (asked, flag, variant, reason), count in sorted(self.evaluations.items())
            ),
        ]

    def _add(self, asked: str, key: str, details: Details) -> None:
        series = asked, key, details.variant or "", details.reason
        if series not in self.evaluations and len(self.evaluations) >= SERIES:
            series = asked, OTHER, OTHER, OTHER
        self.evaluations[series] += 1


def label(text: str) -> str:
    """Write a text as the value of a label."""
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
