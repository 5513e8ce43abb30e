"""After promotion: has the version become worse, now that there is nothing left to compare it with?

Errors, conversions and latency are held to what was frozen when the canary got everything
(`davy.analysis.judge.cusum`). An alarm is no verdict. What is frozen may have moved for everybody, and going
back on the alarm alone would take back nearly every good release in a day that drifts. So an alarm only asks
for traffic to be split in halves again, as stable's replicas are kept for the bake time; then the race is run
afresh for every metric, with α = 0.5 %·2^(1−i) for the i-th time, which sums to 1 % for any number of alarms.

It ends well once nothing speaks against the version (E < 2) and either three minutes have passed, or for every
metric that counts events a material regression is excluded (an e-value of 20 against 1.5 times as many errors,
0.9 of the conversions). A latency that is doubted always takes the three minutes, as no such proof is kept for
it. Then what is frozen is taken anew from both halves.

Guarantee: rollbacks of good versions are bounded by α of the confirmations. The alarm's rate is not: its mean
time between false alarms grows with the threshold (Lorden 1971), for a rate that stays. Breaks when: stable's
replicas are gone; then there is an alarm and nobody to confirm it.
"""

import math
from typing import TypeAlias

import msgspec

from davy.analysis.judge.cusum import Cusum
from davy.analysis.judge.known import Known, RatioKnown
from davy.analysis.judge.settings import Judge, MetricKind

ALARM = math.log(1000.0)
CONFIRM_ALPHA = 0.005
CONFIRM_WEIGHT = 0.5
CONFIRM_S = 180.0
SAFE = math.log(20.0)
QUIET = math.log(2.0)


class Stepping(msgspec.Struct, frozen=True, tag="stepping"):
    """Traffic grows step by step; `requests` of the canary and `others` of stable came since it grew last."""

    since: float = 0.0
    requests: int = 0
    others: int = 0


class Watching(msgspec.Struct, frozen=True, tag="watching"):
    """The version has everything.

    `cusums` are by metric, `episode` is how often the version was doubted before, `doubted` by which metrics it
    is now.
    """

    since: float
    cusums: dict[str, Cusum] = {}
    episode: int = 0
    doubted: tuple[str, ...] = ()


class Confirming(msgspec.Struct, frozen=True, tag="confirming"):
    """Traffic is in halves again, and the race is run afresh; `promoted_at` is when the bake began.

    `doubted` are the metrics that had an alarm; `requests` of the version, `others` of stable, were seen since.
    """

    since: float
    promoted_at: float
    episode: int
    known: dict[str, Known]
    doubted: tuple[str, ...] = ()
    requests: int = 0
    others: int = 0

    @property
    def alpha(self) -> float:
        """Return the share of good versions that this confirmation may take back."""
        return CONFIRM_ALPHA * 0.5 ** (self.episode - 1)


Phase: TypeAlias = Stepping | Watching | Confirming


def excluded(judge: Judge, confirming: Confirming) -> bool:
    """Say whether a material regression is excluded, so that a confirmation may end before its time."""
    latencies = {metric.name for metric in judge.metrics if metric.kind is MetricKind.LATENCY}
    counted = [found for found in confirming.known.values() if isinstance(found, RatioKnown)]
    return (
        bool(counted)
        and latencies.isdisjoint(confirming.doubted)
        and all(found.safe >= SAFE for found in counted)
    )


def doubt(doubted: tuple[str, ...]) -> str:
    """Say what an alarm is about."""
    verb = "are" if len(doubted) > 1 else "is"
    return f"{' and '.join(doubted)} {verb} worse than before promotion"
