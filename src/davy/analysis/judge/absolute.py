"""The absolute guard: does a version fail more often than the objective allows, whatever the other one does?

What a canary breaks for both, a shared database, no comparison sees. So the same bets are made against the
objective p instead of against stable:

    gain_k = ( e·ln k − n·p·(k−1) ) / φ

for each version alone. E[k^e] ≤ exp(n·p·(k−1)) for independent outcomes at a rate of at most p, so at most a
share α of rollouts whose version keeps the objective ever has evidence of 1/α against it (Ville). The canary
breaches and stable does not: abort. Both do: hold where it is, and call somebody; whether the canary causes it
cannot be told.

Breaks when: errors come in clusters, as everywhere; divide by φ.
"""

import math
from typing import Self

import msgspec

from davy.analysis.judge.bets import Bets
from davy.analysis.judge.race import UP


class Objective(msgspec.Struct, frozen=True):
    """Evidence that each version breaches the objective."""

    canary: Bets = Bets.on(len(UP.ratios))
    stable: Bets = Bets.on(len(UP.ratios))

    def bet(
        self,
        elapsed_s: float,
        canary: tuple[int, int],
        stable: tuple[int, int],
        *,
        most: float,
        dispersion: float = 1.0,
    ) -> Self:
        """Settle a window of (requests, errors) of each version, which began at `elapsed_s`."""
        return type(self)(
            _against(self.canary.open_at(elapsed_s, UP.stakes), canary, most, dispersion),
            _against(self.stable.open_at(elapsed_s, UP.stakes), stable, most, dispersion),
        )

    @property
    def logs(self) -> tuple[float, float]:
        """Return the log evidence against the canary and against stable."""
        return self.canary.log_wealth(UP.stakes), self.stable.log_wealth(UP.stakes)


def _against(bets: Bets, seen: tuple[int, int], most: float, dispersion: float) -> Bets:
    requests, errors = seen
    return bets.gain(
        (errors * math.log(ratio) - requests * most * (ratio - 1.0)) / dispersion for ratio in UP.ratios
    )
