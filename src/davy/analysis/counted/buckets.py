"""Classic histograms, made into the exponential buckets that a judge of latencies bets on.

A classic bucket is as wide as somebody once wrote; a judge needs each bound a factor of about 1.1 above the
one before. A bucket (a, b] is divided into the nearest whole number of parts of one ratio, and its requests are
dealt out to the parts in turn, in an order that leaves no part behind. Each part only grows as its bucket does.

What is within a bucket is not known, and dealing it out evenly makes no evidence of it: a request's gain is
then the mean of the logarithms over the parts, which is at most the logarithm of the mean (Jensen), so the bet
stays an e-variable. It loses power: a slow-down within one bucket is not seen. `widest` is what to say of that.
"""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

GROWTH = 1.1
"""What a judge's buckets grow by."""

COARSE = 1.5
"""Buckets that are wider than this hide slow-downs that a judge is asked about; it is said, then."""

LONGEST = 200
"""So many classic buckets are read; who has more has forgotten what they are for."""


def bounds_of(labels: Iterable[str]) -> tuple[float, ...]:
    """Return the finite upper bounds among values of `le`, lowest first; what is no number is left out."""
    found = {bound for bound in map(_number, labels) if math.isfinite(bound) and bound > 0.0}
    return tuple(sorted(found))


def counts_of(cumulative: dict[str, int], bounds: Sequence[float]) -> tuple[int, ...] | None:
    """Return the requests in each bucket and above the last, None where the bounds are not these."""
    by_bound = {_number(label): count for label, count in cumulative.items()}
    if bounds_of(cumulative) != tuple(bounds) or math.inf not in by_bound:
        return None
    upto = [*(by_bound[bound] for bound in bounds), by_bound[math.inf]]
    return (upto[0], *(max(0, after - before) for before, after in pairwise(upto)))


def spread(counts: Sequence[int], bounds: Sequence[float]) -> tuple[int, ...]:
    """Deal requests of classic buckets out to exponential ones; the first and the last stay what they are."""
    found = [counts[0]]
    for count, parts in zip(counts[1:-1], _parts(tuple(bounds)), strict=True):
        found += _dealt(count, parts)
    return (*found, counts[-1])


def widest(counts: Sequence[int], bounds: Sequence[float]) -> float:
    """Return the ratio of the widest bucket that holds at least a tenth of the requests, 1 where none does."""
    least = sum(counts) / 10
    ratios = [after / before for before, after in pairwise(bounds)]
    inner = zip(counts[1:-1], ratios, strict=True)
    return max((ratio for count, ratio in inner if count and count >= least), default=1.0)


def _number(label: str) -> float:
    try:
        return float(label)
    except ValueError:
        return math.nan


@lru_cache(maxsize=64)
def _parts(bounds: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(
        max(1, round(math.log(after / before) / math.log(GROWTH))) for before, after in pairwise(bounds)
    )


def _dealt(count: int, parts: int) -> list[int]:
    """Deal to the parts in turn; the n-th of a round goes to the part that is n-th in `_order`."""
    each, left = divmod(count, parts)
    dealt = [each] * parts
    for part in _order(parts)[:left]:
        dealt[part] += 1
    return dealt


@lru_cache(maxsize=256)
def _order(parts: int) -> tuple[int, ...]:
    """Return the parts in an order whose beginnings are all spread out: van der Corput's, base 2."""
    digits = max(1, (parts - 1).bit_length())
    turned = (int(format(number, f"0{digits}b")[::-1], 2) for number in range(1 << digits))
    return tuple(part for part in turned if part < parts)
