"""What outcomes come to: one cell for each scenario and judge, one row of the scoreboard for each judge."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import exp, log, sqrt

import numpy as np

from bench.canary.harness import Outcome
from bench.canary.limits import counts, wald
from bench.canary.scenarios import SCORED, Family, Scenario

MOST_FALSE = 0.02
ENOUGH = 1000
"""The share of good releases that may be stopped, and how many rollouts it takes to say so."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One judge on one scenario. Times are seconds; None where nothing was stopped or nothing promoted.

    `stopped` is a share, with a 95 % interval by Wilson. `bad_p50` and `served_p50` are what the canary
    answered badly and at all until it was stopped, `caused` the mean of what it caused until then; `harm` is
    the mean of what it caused in half an hour over all rollouts, `harm_error` its standard error.
    """

    n: int
    stopped: float
    low: float
    high: float
    stop_p50_s: float | None
    stop_p95_s: float | None
    bad_p50: float | None
    served_p50: float | None
    caused: float | None
    harm: float
    harm_error: float
    promoted: float
    promoted_p50_s: float | None

    def json(self) -> dict[str, float | None]:
        """Return it for a file, with four digits."""
        return {
            key: value if value is None else float(f"{value:.4g}") if key != "n" else value
            for key, value in asdict(self).items()
        }


def cell(outcome: Outcome) -> Cell:
    """Sum outcomes up."""
    n = len(outcome.stopped)
    stopped, promoted = outcome.stopped > 0, outcome.promoted > 0
    share = float(stopped.mean())
    found = bool(stopped.any())
    return Cell(
        n,
        share,
        *wilson(share, n),
        float(np.median(outcome.stopped[stopped])) if found else None,
        float(np.quantile(outcome.stopped[stopped], 0.95)) if found else None,
        float(np.median(outcome.bad[stopped])) if found else None,
        float(np.median(outcome.served[stopped])) if found else None,
        float(outcome.harm[stopped].mean()) if found else None,
        float(outcome.harm.mean()),
        float(outcome.harm.std() / sqrt(n)),
        float(promoted.mean()),
        float(np.median(outcome.promoted[promoted])) if promoted.any() else None,
    )


def wilson(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, JASA 22, 1927)."""
    z = 1.959963984540054
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Row:
    """One judge on the scoreboard.

    `ratio` is the geometric mean of harm / Wald's limit over `cells` regressions that can be found; `worst`
    maps every family of good releases to the cell with the most false aborts. `promoted_s` is when a good
    version is at 100 % at 2 000 rps, where that was run.
    """

    name: str
    ratio: float | None
    cells: int
    worst: Mapping[Family, Cell]
    promoted_s: float | None

    @property
    def valid(self) -> bool:
        """Whether every family of good releases was run, and at most 2 % of each stopped."""
        return all(family in self.worst and self.worst[family].stopped <= MOST_FALSE for family in SCORED)

    @property
    def fewest(self) -> int:
        """How many rollouts the worst scenario of each scored family had, the fewest of all."""
        return min((found.n for family, found in self.worst.items() if family in SCORED), default=0)


Results = dict[str, dict[str, Cell]]
"""Cells by the key of the scenario and the name of the judge."""


def row(name: str, scenarios: list[Scenario], results: Results) -> Row:
    """Score a judge on those scenarios that it was run on."""
    own = [(each, results[each.key][name]) for each in scenarios if name in results.get(each.key, {})]
    ratios = [max(found.harm, 0.5) / wald(each.truth) for each, found in own if counts(each)]
    worst: dict[Family, Cell] = {}
    for each, found in own:
        if each.family not in worst or found.stopped > worst[each.family].stopped:
            worst[each.family] = found
    good = next((found.promoted_p50_s for each, found in own if each.key == "A/A 0.1%, 2000 rps"), None)
    ratio = exp(sum(map(log, ratios)) / len(ratios)) if ratios else None
    return Row(name, ratio, len(ratios), worst, good)
