"""Ten thousand seeded worlds, and how many break an invariant; `$DAVY_WORLDS` plays fewer."""

import os
from time import perf_counter

from bench.figure import Figure
from davy.cli.drill import PARTS
from davy.sim.drill import drill

WORLDS = 10_000


def measure() -> list[Figure]:
    """Play them, from seed 1 on."""
    count = int(os.environ.get("DAVY_WORLDS", WORLDS))
    broken, events, hours = [], 0, 0.0
    began = perf_counter()
    for seed in range(1, count + 1):
        report = drill(seed, PARTS)
        events, hours = events + report.events, hours + report.seconds / 3600
        if report.broken is not None:
            broken.append(seed)
            print(f"  davy drill --seed {seed}: {report.broken.invariant}: {report.broken.why}")
    took_s = perf_counter() - began
    return [
        Figure("worlds that break an invariant", len(broken), "worlds", count, 0),
        Figure("worlds a second", count / took_s, "1/s", count),
        Figure("events in them", events, "events", count),
        Figure("hours that passed in them", hours, "h", count),
    ]
