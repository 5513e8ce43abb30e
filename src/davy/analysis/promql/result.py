"""What a query answers: one of four frozen values."""

from dataclasses import dataclass
from typing import TypeAlias

from davy.analysis.promql.series import Labels


@dataclass(frozen=True, slots=True)
class Scalar:
    """One number without labels."""

    value: float


@dataclass(frozen=True, slots=True)
class String:
    """A text."""

    value: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One element of a vector: its labels, its value, and the instant the query was asked for."""

    labels: Labels
    value: float
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Vector:
    """An instant vector; its order means something only after `sort` and its kin, `topk` and `bottomk`."""

    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Points:
    """One series of a matrix: timestamps and values of the same length."""

    labels: Labels
    timestamps_ms: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A range vector, or what a range query gives."""

    series: tuple[Points, ...]


Result: TypeAlias = Scalar | Vector | Matrix | String
