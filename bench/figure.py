"""What a measurement comes to: a number beside its budget, and how often it was taken."""

from dataclasses import dataclass
from math import ceil


class Skipped(Exception):
    """A figure cannot be taken on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. `budget` is the most it may be, None where it is only there to compare with."""

    name: str
    measured: float
    unit: str
    n: int
    budget: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the budget is kept."""
        return self.budget is None or self.measured <= self.budget


def percentile(values: list[float], percent: float) -> float:
    """Return the smallest value that so many percent of all values do not exceed."""
    return sorted(values)[max(0, ceil(len(values) * percent / 100) - 1)]


def median(values: list[float]) -> float:
    """Return the value in the middle."""
    return percentile(values, 50)
