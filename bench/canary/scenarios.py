"""The scenarios: what happens to a release, as rates over time.

Rates are per request and profiles have one value for each tick of the half hour after the start. Everything in
the families `STEADY` to `COLD` is a good release: whoever stops it is wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from zlib import crc32

import numpy as np

from bench.canary.judge import Floats, Truth
from bench.canary.latencies import TAIL, tail_factor

TICK_S = 5.0
TICKS = 360
HISTORY = 120
"""Ticks after the start, and ticks of stable alone before it."""


class Family(StrEnum):
    """What a scenario is about."""

    STEADY = "A/A steady"
    DRIFT = "A/A drift"
    CLUSTERS = "A/A clusters"
    LOW = "A/A low traffic"
    COLD = "A/A cold start"
    GAP = "A/A no data"
    REGRESSION = "regression"
    UNDER_DRIFT = "regression under drift"
    CLUSTERED = "regression, clusters"
    LATE = "late onset"
    LITTLE = "low traffic"
    TRIVIAL = "trivial"
    INTERFERENCE = "interference"
    BETTER = "improvement"
    BROKEN = "all broken"
    KPI = "business KPI"
    LATENCY_AA = "latency A/A"
    LATENCY = "latency"


GOOD = (Family.STEADY, Family.DRIFT, Family.CLUSTERS, Family.LOW, Family.COLD, Family.GAP)
"""The families of good releases; a score counts only if none of the first five is stopped in more than 2 %."""

SCORED = GOOD[:5]
LATENCIES = (Family.LATENCY_AA, Family.LATENCY)


@dataclass(frozen=True, eq=False, slots=True)
class Scenario:
    """One cell of the grid.

    `rps`, `stable` and `canary` are profiles over `TICKS`; `before` is the error rate of the history. `cluster`
    is how many errors one failing client makes on average. `gap` is a stretch of ticks without a scrape.
    `slow` is the share of the canary's requests that are slower, and how many times; with it there are
    histograms. `both_slow` is how much slower both versions become, and at which tick. `series` is the first
    part of the seed. With `holds`, a rollout stays at its last step.
    """

    name: str
    family: Family
    rps: Floats
    stable: Floats
    canary: Floats
    before: float
    cluster: float = 1.0
    gap: tuple[int, int] = (0, 0)
    fewer_is_worse: bool = False
    holds: bool = False
    slow: tuple[float, float] | None = None
    both_slow: tuple[float, int] = (1.0, 0)
    replicates: int = 1000
    series: int = 3000

    @property
    def truth(self) -> Truth:
        """What an oracle is told: stable's rate at the start, and as many times that as it is ever worse."""
        ratios = self.canary / self.stable
        worst = ratios.min() if self.fewer_is_worse else ratios.max()
        return Truth(float(self.stable[0]), float(self.stable[0] * worst))

    @property
    def key(self) -> str:
        """A name that no other scenario has."""
        return f"{self.name}, {self.rps[0]:g} rps"

    def seed(self, chunk: int) -> tuple[int, int, int]:
        """The seed of the traces of a chunk of replicates: a series, the scenario, the chunk."""
        return (self.series, crc32(self.key.encode()), chunk)


def flat(value: float) -> Floats:
    """A rate that stays."""
    return np.full(TICKS, value)


def over_time(rate: Callable[[float], float]) -> Floats:
    """A rate as a function of the seconds since the start."""
    return np.array([rate(number * TICK_S) for number in range(TICKS)])


def errors(
    name: str,
    family: Family,
    rps: float | Floats,
    stable: float | Floats,
    canary: float | Floats | None = None,
    *,
    before: float | None = None,
    cluster: float = 1.0,
    gap: tuple[int, int] = (0, 0),
    replicates: int = 2000,
    series: int = 3000,
) -> Scenario:
    """A scenario about errors; without a canary's rate it is a good release."""
    rates = [np.broadcast_to(np.asarray(rate, dtype=float), (TICKS,)) for rate in (rps, stable)]
    ours = rates[1] if canary is None else np.broadcast_to(np.asarray(canary, dtype=float), (TICKS,))
    start = float(rates[1][0]) if before is None else before
    return Scenario(
        name, family, rates[0], rates[1], ours, start, cluster, gap, replicates=replicates, series=series
    )


def main_grid() -> list[Scenario]:
    """Two baselines at three rates of requests, each as a good release and with regressions of five sizes."""
    found = []
    for rps in (20, 200, 2000):
        for base in (0.001, 0.005):
            at = f"{base:.1%}"
            found.append(errors(f"A/A {at}", Family.STEADY, rps, base, replicates=10_000, series=100))
            sizes = [(f"×{times:g}", times * base) for times in (1.5, 2, 5, 20)]
            sizes += [("+0.5 pp", base + 0.005)] if base == 0.001 else []
            found += [
                errors(f"{at} {size}", Family.REGRESSION, rps, base, worse, replicates=1000, series=200)
                for size, worse in sizes
            ]
    return found


def stress_grid() -> list[Scenario]:
    """What services do to judges: drift, clusters, little traffic, cold starts, late faults and the rest."""
    return [
        *_drift(),
        *_clusters(),
        *_late(),
        *_low(),
        *_cold_and_gaps(),
        errors("×1.1", Family.TRIVIAL, 2000, 0.002, 0.0022),
        errors("×1.1", Family.TRIVIAL, 20_000, 0.002, 0.0022, replicates=500),
        errors("×1.05", Family.TRIVIAL, 20_000, 0.002, 0.0021, replicates=500),
        errors("both at 3 %", Family.INTERFERENCE, 200, 0.03, before=0.002),
        errors("×0.5", Family.BETTER, 200, 0.005, 0.0025),
        *(errors("canary broken", Family.BROKEN, rps, 0.002, 1.0, replicates=1000) for rps in (20, 200, 2000)),
    ]


def _drift() -> list[Scenario]:
    """The error rate of both versions moves during the rollout."""
    blip = over_time(lambda t: 0.04 if 200 <= t < 380 else 0.005)
    ramp = over_time(lambda t: 0.002 * (1 + 5 * min(max((t - 100) / 380, 0), 1)))
    step = over_time(lambda t: 0.025 if t >= 150 else 0.002)
    wave = over_time(lambda t: float(np.sin(2 * np.pi * t / 1800)))
    return [
        *(errors("both 0.5→4 % for 180 s", Family.DRIFT, rps, blip) for rps in (20, 200, 2000)),
        *(errors("both 0.2→1.2 % in 380 s", Family.DRIFT, rps, ramp) for rps in (20, 200, 2000)),
        *(
            errors("load ±50 %, errors ±80 %", Family.DRIFT, rps * (1 + wave / 2), 0.005 * (1 + 0.8 * wave))
            for rps in (200, 2000)
        ),
        errors("both 0.2→2.5 % at 150 s", Family.DRIFT, 200, step),
        *(errors("×2 under 0.2→1.2 %", Family.UNDER_DRIFT, rps, ramp, 2 * ramp) for rps in (200, 2000)),
    ]


def _clusters() -> list[Scenario]:
    """One client's retries make many errors of one."""
    return [
        *(
            errors("5 errors per client", Family.CLUSTERS, rps, 0.002, cluster=5, replicates=4000)
            for rps in (20, 200, 2000)
        ),
        *(
            errors("2 errors per client", Family.CLUSTERS, rps, 0.002, cluster=2, replicates=4000)
            for rps in (200, 2000)
        ),
        errors("×5, 5 errors per client", Family.CLUSTERED, 200, 0.002, 0.01, cluster=5, replicates=1000),
    ]


def _late() -> list[Scenario]:
    """The fault begins five minutes after the start."""
    found = []
    for rps in (20, 200, 2000):
        for times in (5, 20):
            late = over_time(lambda t, times=times: 0.002 * (times if t >= 300 else 1))  # type: ignore[misc]
            found.append(errors(f"×{times} from 300 s", Family.LATE, rps, 0.002, late))
    return found


def _low() -> list[Scenario]:
    """Two requests a second and one in five seconds."""
    return [
        errors("A/A 0.5 %", Family.LOW, 2, 0.005, replicates=4000),
        errors("A/A 0.1 %", Family.LOW, 2, 0.001, replicates=4000),
        errors("A/A 0.5 %", Family.LOW, 0.2, 0.005, replicates=4000),
        errors("×5", Family.LITTLE, 2, 0.005, 0.025),
        errors("×20", Family.LITTLE, 2, 0.005, 0.1),
        errors("canary broken", Family.LITTLE, 2, 0.005, 1.0),
        errors("canary broken", Family.LITTLE, 0.2, 0.005, 1.0),
    ]


def _cold_and_gaps() -> list[Scenario]:
    """Ten times the errors in the canary's first 30 s; and two minutes in which nobody scrapes."""
    cold = over_time(lambda t: 0.02 if t < 30 else 0.002)
    gap = (30, 54)
    return [
        *(errors("first 30 s ×10", Family.COLD, rps, 0.002, cold) for rps in (200, 2000)),
        *(errors("no scrape for 120 s", Family.GAP, rps, 0.002, gap=gap) for rps in (20, 200)),
    ]


def kpi_grid() -> list[Scenario]:
    """Sign-ins that fail and purchases that stay away; the rollout holds at its last step."""
    rows = [
        ("sign-in failures 3→6 %", 40, 0.03, 0.06, False),
        ("sign-in failures 3→4 %", 40, 0.03, 0.04, False),
        ("sign-in failures 3 %", 40, 0.03, 0.03, False),
        ("purchases 3→2.4 %", 100, 0.03, 0.024, True),
        ("purchases 3→2.4 %", 10, 0.03, 0.024, True),
        ("purchases 3 %", 100, 0.03, 0.03, True),
    ]
    return [
        Scenario(
            name, Family.KPI, flat(rps), flat(stable), flat(canary), stable, fewer_is_worse=down, holds=True
        )
        for name, rps, stable, canary, down in rows
    ]


def latency_grid() -> list[Scenario]:
    """All requests slower, or the slowest tenth of them, or both versions; errors stay at 0.1 %."""
    rows: list[tuple[str, tuple[float, float] | None]] = [
        ("A/A", None),
        ("all +10 %", (1.0, 1.1)),
        ("all +50 %", (1.0, 1.5)),
        ("tail, p95 +10 %", (TAIL, tail_factor(1.1))),
        ("tail, p95 +50 %", (TAIL, tail_factor(1.5))),
        ("all −10 %", (1.0, 0.9)),
    ]
    found = []
    for rps in (20, 200, 2000):
        for name, slow in rows:
            family = Family.LATENCY if slow else Family.LATENCY_AA
            found.append(_latency(name, family, rps, slow))
        found.append(_latency("A/A, both +40 % from 200 s", Family.LATENCY_AA, rps, None, (1.4, 40)))
    return found


def _latency(
    name: str,
    family: Family,
    rps: float,
    slow: tuple[float, float] | None,
    both_slow: tuple[float, int] = (1.0, 0),
) -> Scenario:
    base = flat(0.001)
    return Scenario(
        name, family, flat(rps), base, base, 0.001, slow=slow or (1.0, 1.0), both_slow=both_slow, replicates=400
    )


def grid() -> list[Scenario]:
    """All of it."""
    return [*main_grid(), *stress_grid(), *kpi_grid(), *latency_grid()]


SMALL = (
    "A/A 0.5%, 200 rps",
    "A/A 0.1%, 2000 rps",
    "0.1% ×2, 2000 rps",
    "0.1% ×5, 200 rps",
    "0.5% ×2, 200 rps",
    "0.5% ×20, 20 rps",
    "both 0.2→1.2 % in 380 s, 200 rps",
    "5 errors per client, 200 rps",
    "A/A 0.5 %, 2 rps",
    "first 30 s ×10, 200 rps",
    "×5 from 300 s, 200 rps",
    "all +10 %, 200 rps",
)
"""The scenarios of the small grid, by key."""


def small_grid() -> list[Scenario]:
    """One scenario of every family that decides about a score, and a few others."""
    found = {scenario.key: scenario for scenario in grid()}
    return [found[key] for key in SMALL]
