"""Made-up latencies, as histograms with exponential buckets: lognormal, p50 100 ms and p95 269 ms."""

from functools import cache
from math import erf, log, sqrt

import numpy as np

from bench.canary.judge import Counts, Floats

GROWTH = 1.1
LOWEST_MS = 10.0
BUCKETS = 60
MEDIAN_MS = 100.0
SIGMA = 0.6
"""Bucket j ends at `LOWEST_MS · GROWTH^j`; the last one takes the rest."""

TAIL = 0.1
"""The share of requests that a slow tail befalls."""


def upper_edges() -> Floats:
    """Return the upper edge of every bucket in ms; the last one's only stands for one."""
    return np.asarray(LOWEST_MS * GROWTH ** np.arange(BUCKETS))


def shares(factor: float = 1.0, tail: float = 1.0, times: float = 1.0) -> Floats:
    """Return the share of requests in each bucket: all `factor` slower, a share `tail` of them `times` more."""
    return (1 - tail) * _shares(factor) + tail * _shares(factor * times)


@cache
def _shares(factor: float) -> Floats:
    reach = [0.5 * (1 + erf(log(edge / factor / MEDIAN_MS) / SIGMA / sqrt(2))) for edge in upper_edges()]
    reach[-1] = 1.0
    return np.diff(reach, prepend=0.0)


def p95(share: Floats) -> float:
    """Return the 95th percentile in ms, with a geometric walk through its bucket."""
    reach = np.cumsum(share)
    bucket = int(np.searchsorted(reach, 0.95))
    part = (0.95 - reach[bucket - 1]) / share[bucket]
    return float(upper_edges()[bucket - 1] * GROWTH**part)


@cache
def tail_factor(wanted: float) -> float:
    """Return how much slower the slowest tenth has to be so that the p95 is `wanted` times as high."""
    low, high, base = 1.0, 50.0, p95(shares())
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if p95(shares(1.0, TAIL, middle)) < wanted * base else (low, middle)
    return low


def quantile(histogram: Counts, q: float = 0.95, merged: int = 3) -> Floats:
    """Return what `histogram_quantile` makes of every `merged`-th bucket (ratio 1.33): linear, NaN if empty."""
    picked = np.arange(merged - 1, BUCKETS, merged)
    reach, edges = np.cumsum(histogram, axis=-1)[..., picked].astype(float), upper_edges()[picked]
    total = reach[..., -1]
    wanted = q * total
    at = np.argmax(reach >= wanted[..., None] - 1e-9, axis=-1)
    below = np.maximum(at - 1, 0)
    low = np.where(at > 0, np.take_along_axis(reach, below[..., None], -1)[..., 0], 0.0)
    high = np.take_along_axis(reach, at[..., None], -1)[..., 0]
    start = np.where(at > 0, edges[below], 0.0)
    found = start + (edges[at] - start) * (wanted - low) / np.maximum(high - low, 1e-9)
    return np.where(total == 0, np.nan, found)
