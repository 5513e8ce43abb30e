"""A report as plain values: the document that `-o json` prints, and the rows of `-o csv`.

The same report is the same bytes: keys have one order, whole numbers stay whole, and nothing of it is the time
at which it was made.
"""

from collections.abc import Iterator
from typing import Any

from davy.reports.cloudevents import written
from davy.reports.report import FEW, UNITS, Amount, Figure, Group, Quotient, Rate, Report, Times

COLUMNS = (
    "group",
    "since",
    "until",
    "provisional",
    "restated",
    "figure",
    "unit",
    "value",
    "numerator",
    "denominator",
    "n",
    "low",
    "high",
    "mean",
    "p50",
    "p75",
    "p90",
    "p95",
    "tooSmall",
)
"""The columns of `-o csv`; what the numbers of a row are in is its `unit`."""

_MICROS = 1_000_000


def document(report: Report) -> dict[str, Any]:
    """Return a report as a document: ratios are from 0 to 1, spans of time in seconds, instants are text."""
    return {
        "apiVersion": "davy.dev/v1alpha1",
        "kind": "DeliveryMetrics",
        "events": report.events,
        "newest": None if report.newest is None else written(report.newest),
        "digest": f"sha256:{report.digest}",
        "services": list(report.query.services),
        "environment": report.query.environment or "production",
        **_group(report.total),
        "openIncidents": [
            {
                "service": each.service,
                "incident": each.incident,
                "opened": written(each.opened),
                "age": seconds(each.age),
                "changeCaused": each.caused,
            }
            for each in report.open
        ],
        "dataQuality": {name: getattr(report.quality, name) for name in report.quality.__struct_fields__},
        "by": report.by or None,
        "groups": [{"name": group.name, **_group(group)} for group in report.groups],
    }


def rows(report: Report) -> Iterator[list[str]]:
    """Return a row for each group and figure; the group of everything has no name."""
    for group in (report.total, *report.groups):
        first = [group.name, written(group.since), written(group.until), group.provisional, group.restated]
        for name, figure in group.figures.items():
            told = as_data(name, figure)
            cells = [*first, name, *(told.get(column) for column in COLUMNS[6:])]
            yield [
                "" if cell is None else str(cell).lower() if isinstance(cell, bool) else str(cell)
                for cell in cells
            ]


def as_data(name: str, figure: Figure) -> dict[str, Any]:
    """Return a figure as plain values; where there is nothing to count it is null, with n = 0.

    All have `unit`, `value` and (but for amounts) `n`; the value of spans of time is their median.
    """
    unit = UNITS.get(name, "seconds" if isinstance(figure, Times) else "ratio")
    return {"unit": unit, **_values(figure)}


def _values(figure: Figure) -> dict[str, Any]:
    match figure:
        case Rate():
            low, high = figure.interval or (None, None)
            return {
                "value": figure.value,
                "numerator": figure.numerator,
                "denominator": figure.denominator,
                "n": figure.n,
                "low": low,
                "high": high,
                "tooSmall": figure.n < FEW,
            }
        case Quotient():
            return {
                "value": figure.value,
                "numerator": whole(figure.numerator, figure.scale),
                "denominator": whole(figure.denominator, 1),
                "n": figure.n,
                "tooSmall": figure.n < FEW,
            }
        case Times():
            spread = figure.spread
            ranks = {rank: getattr(spread, rank) for rank in ("p50", "p75", "p90", "p95")}
            told = {rank: seconds(span) if spread.n else None for rank, span in ranks.items()}
            mean = spread.sum / (spread.n * _MICROS) if spread.n else None
            return {"value": told["p50"], "n": spread.n, "mean": mean, **told, "tooSmall": spread.n < FEW}
        case Amount():
            return {"value": whole(figure.numerator, figure.scale)}


def seconds(micros: int) -> int | float:
    """Return microseconds in seconds, whole where they are."""
    return whole(micros, _MICROS)


def whole(numerator: float, scale: int) -> int | float:
    """Divide, without a point where nothing is behind it."""
    quotient, rest = divmod(numerator, scale)
    return numerator / scale if rest else int(quotient)


def _group(group: Group) -> dict[str, Any]:
    days = whole(group.until - group.since, 86400 * _MICROS)
    return {
        "window": {
            "since": written(group.since),
            "until": written(group.until),
            "days": days,
            "provisional": group.provisional,
            "restated": group.restated,
        },
        "figures": {name: as_data(name, figure) for name, figure in group.figures.items()},
    }
