"""What engines of the delivery metrics are compared by: whole numbers per service and week, and their digest.

Whatever computes the figures (DuckDB from everything, a store that is kept up to date, plain SQLite) can list
these cells; when the digests are equal, so is every figure that is made of them, to the last bit.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

import msgspec

WEEK = 7 * 86400 * 1_000_000
"""A week in microseconds."""
_FIRST_MONDAY = 4 * 86400 * 1_000_000  # 1970-01-05

_ENCODER = msgspec.json.Encoder()


class Spread(NamedTuple):
    """The spans of time of a cell, in microseconds: how many, their sum, those at rank ⌈q·n⌉; 0 of none."""

    n: int = 0
    sum: int = 0
    p50: int = 0
    p75: int = 0
    p90: int = 0
    p95: int = 0


class Cell(NamedTuple):
    """The figures of a service in a week as whole numbers; what each counts by is in delivery-metrics.md.

    There is a cell where any of its numbers is not 0, and one more for each week with the empty text as its
    service: the same over all services together (a change on two of them is one change there, spans of time are
    pooled; what was impaired is that of the services added up, and a day of promotions counts once).

    Args:
        service: its name, empty for all together.
        week: its Monday, 00:00Z, in microseconds since 1970.
        attempts: exposed attempts, by `exposed`.
        failed: those that failed.
        escaped: those that failed at or after promotion, or to which an incident is attributed.
        impact: the sum of the shares of users who met those that failed, in millionths.
        bad_time: the sum of ⌊share × (failed_at - exposed) / 1,000,000⌋, each at least 0: microseconds of all.
        asked: the sum of `requests` of the exposed attempts that say both.
        bad: the sum of their `badRequests`.
        waived: exposed attempts that used a waiver.
        waived_failed: those of them that failed.
        changes: changes by their first exposure on the service (anywhere, for all together).
        changes_failed: those of which any attempt on the service (anywhere) failed.
        rollouts: rollouts without rollbacks, by `exposed`.
        rollouts_failed: those that failed.
        rework: those that are rework.
        promoted: rollouts without rollbacks, by `promoted`.
        promoted_days: the days (UTC) on which there was one.
        rollbacks: attempts of kind `rollback`, by `exposed`.
        rollbacks_failed: those that were rolled back themselves.
        unexposed: attempts that were caught before a user met them, by the abort.
        no_merge: first exposed attempts of a change on the service without `merged`, by `exposed`.
        negative: those whose lead time is below -5 s.
        lead_time: and the other leads, by `exposed` of the first exposed attempt of the change on the service.
        lead_to_success: see there.
        lead_to_full: see there.
        dora_lead: see there.
        mttr: incidents, by `restored`.
        fdrt: those that a change caused.
        fdrt_from_exposure: the same from the exposure.
        impaired: for how many microseconds of the week at least one incident was open.
        opened: incidents that opened in the week and are open at the newest event.
    """

    service: str
    week: int
    attempts: int = 0
    failed: int = 0
    escaped: int = 0
    impact: int = 0
    bad_time: int = 0
    asked: int = 0
    bad: int = 0
    waived: int = 0
    waived_failed: int = 0
    changes: int = 0
    changes_failed: int = 0
    rollouts: int = 0
    rollouts_failed: int = 0
    rework: int = 0
    promoted: int = 0
    promoted_days: int = 0
    rollbacks: int = 0
    rollbacks_failed: int = 0
    unexposed: int = 0
    no_merge: int = 0
    negative: int = 0
    lead_time: Spread = Spread()
    lead_to_success: Spread = Spread()
    lead_to_full: Spread = Spread()
    dora_lead: Spread = Spread()
    mttr: Spread = Spread()
    fdrt: Spread = Spread()
    fdrt_from_exposure: Spread = Spread()
    impaired: int = 0
    opened: int = 0


def week_of(instant: int) -> int:
    """Return the Monday, 00:00Z, of the week that an instant is in; both in microseconds."""
    return instant - (instant - _FIRST_MONDAY) % WEEK


def spread(values: Iterable[int]) -> Spread:
    """Return the spread of some spans of time; the value at rank ⌈q·n⌉ of them, never one in between."""
    ranked = sorted(values)
    n = len(ranked)
    if not n:
        return Spread()
    return Spread(n, sum(ranked), *(ranked[-(-n * percent // 100) - 1] for percent in (50, 75, 90, 95)))


def digest(cells: Iterable[Cell]) -> str:
    """Return the hexadecimal SHA-256 of cells.

    They are listed by service (in the order of code points) and week, each as a line of JSON: an array of its
    fields in their order, spreads as arrays within it. A cell of which all numbers are 0 is left out.
    """
    found = sha256()
    for cell in sorted(cells):
        if cell != Cell(cell.service, cell.week):
            found.update(_ENCODER.encode(cell) + b"\n")
    return found.hexdigest()
