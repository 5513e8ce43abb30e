"""After promotion: has the version become worse, now that there is nothing left to compare it with?

For each ratio k a sum that never falls below nothing (CUSUM, Page 1954), against the rate λ that was frozen
when the canary got everything, with a tolerance of a tenth:

    S_k = max(S_k, 0) + ( e·ln k − n·1.1·λ·(k−1) ) / φ         alarm when Σ_k q_k·e^{S_k} ≥ 1000

An alarm is no verdict. The rate of everybody may have moved, and going back on the alarm alone would take back
nearly every good release in a day that drifts. So an alarm only asks for traffic to be split in halves again,
as stable's replicas are kept for the bake time; then the race is run afresh, with α = 0.5 %·2^(1−i) for the
i-th time, which sums to 1 % for any number of alarms. It ends well when 1.5 times stable's rate is excluded (an
e-value of 20), or nothing speaks for it after three minutes; then λ is taken anew from both halves.

Guarantee: rollbacks of good versions are bounded by α of the confirmations. The alarm's rate is not: its mean
time between false alarms grows with the threshold (Lorden 1971), for a rate that stays. Breaks when: stable's
replicas are gone; then there is an alarm and nobody to confirm it.
"""

import math
from typing import Self, TypeAlias

import msgspec

from davy.analysis.judge.bets import log_sum
from davy.analysis.judge.known import Known
from davy.analysis.judge.race import UP

TOLERANCE = 1.1
ALARM = math.log(1000.0)
CONFIRM_ALPHA = 0.005
CONFIRM_WEIGHT = 0.5
CONFIRM_S = 180.0
SAFE = math.log(20.0)
QUIET = math.log(2.0)


class Cusum(msgspec.Struct, frozen=True):
    """The sum of each ratio, and the rate that was frozen."""

    rate: float
    sums: tuple[float, ...] = (0.0,) * len(UP.ratios)

    def add(self, requests: int, errors: int, *, dispersion: float = 1.0) -> Self:
        """Take in a window of the promoted version."""
        expected = requests * TOLERANCE * self.rate
        sums = tuple(
            max(before, 0.0) + (errors * math.log(ratio) - expected * (ratio - 1.0)) / dispersion
            for before, ratio in zip(self.sums, UP.ratios, strict=True)
        )
        return msgspec.structs.replace(self, sums=sums)

    @property
    def log_evidence(self) -> float:
        """Return the logarithm of what is compared with the threshold."""
        return log_sum(
            total + math.log(share) for total, share in zip(self.sums, UP.stakes.shares, strict=True)
        )


class Stepping(msgspec.Struct, frozen=True, tag="stepping"):
    """Traffic grows step by step; `requests` of the canary were seen since it grew last."""

    since: float = 0.0
    requests: int = 0


class Watching(msgspec.Struct, frozen=True, tag="watching"):
    """The version has everything; `cusums` by metric, `episode` is how often it was doubted."""

    since: float
    cusums: dict[str, Cusum] = {}
    episode: int = 0
    alarmed: bool = False


class Confirming(msgspec.Struct, frozen=True, tag="confirming"):
    """Traffic is in halves again, and the race is run afresh; `promoted_at` is when the bake began."""

    since: float
    promoted_at: float
    episode: int
    known: dict[str, Known]

    @property
    def alpha(self) -> float:
        """Return the share of good versions that this confirmation may take back."""
        return CONFIRM_ALPHA * 0.5 ** (self.episode - 1)


Phase: TypeAlias = Stepping | Watching | Confirming
