"""Wealth of many bettors: several alternatives share the stake, and new bettors start later on.

A mixture of e-processes is an e-process (Ramdas, Grünwald, Vovk & Shafer, "Game-theoretic statistics and safe
anytime-valid inference", Statistical Science 2023), and so is one that has not begun, whose wealth is 1. So the
stake is shared over the alternatives, and over starts: the first bettor has the share `first`, the j-th later
one (1 − first) / (j·(j+1)), which sums to 1. A fault that begins late is found by those who begin late.

All bettors on one alternative gain the same in a window, whenever they began, so they differ by what was won
before they began. That makes one number for each alternative enough for any count of starts:

    later_k = ln Σ_j share_j · e^(−totals_k when j began)

Breaks when: gains are used that look at the window they bet on, other than by its counts.
"""

import math
from collections.abc import Iterable
from typing import Self

import msgspec

#: Two hours of starts every 30 s; later ones would have next to nothing to bet with.
MOST_STARTS = 240
_MOST_NATS = 600.0
"""Above this nothing is decided any more; it keeps `exp` within what a float holds."""


class Stakes(msgspec.Struct, frozen=True):
    """How a stake is shared.

    Args:
        shares: the share of each alternative; they sum to 1.
        first: what is given to those who bet from the beginning.
        restart_s: how often new bettors begin, 0 for never.
    """

    shares: tuple[float, ...]
    first: float = 0.5
    restart_s: float = 30.0


class Bets(msgspec.Struct, frozen=True):
    """What bettors have won, as natural logarithms; `started_s` is when the newest of them began."""

    totals: tuple[float, ...]
    later: tuple[float, ...] = ()
    starts: int = 0
    started_s: float = 0.0

    @classmethod
    def on(cls, alternatives: int) -> Self:
        """Return the bets of those who have won nothing yet."""
        return cls((0.0,) * alternatives)

    def open_at(self, elapsed_s: float, stakes: Stakes) -> Self:
        """Let the next bettor begin, if one is due; call it before a window, with when the window began."""
        if not stakes.restart_s or elapsed_s < self.started_s + stakes.restart_s:
            return self
        number = self.starts + 1
        if number >= MOST_STARTS:
            return self
        share = math.log((1.0 - stakes.first) / (number * (number + 1.0)))
        begun = tuple(share - total for total in self.totals)
        later = tuple(map(_log_add, self.later, begun)) if self.later else begun
        return type(self)(self.totals, later, number, elapsed_s)

    def gain(self, gains: Iterable[float]) -> Self:
        """Settle a window: what each alternative won in it, in nats."""
        totals = tuple(total + gain for total, gain in zip(self.totals, gains, strict=True))
        return msgspec.structs.replace(self, totals=totals)

    def log_wealth(self, stakes: Stakes) -> float:
        """Return the logarithm of the wealth of all together, those yet to begin included."""
        begun, waiting = self._log_begun(stakes), self._waiting(stakes)
        return _log_add(begun, math.log(waiting)) if waiting else begun

    def capped(self, ceiling: float, stakes: Stakes) -> Self:
        """Take from those who have begun what exceeds a wealth of `ceiling` nats, from each the same share.

        What they have learnt, which alternative is likely, stays: it is in their proportions.
        """
        begun = self._log_begun(stakes)
        allowed = math.exp(min(ceiling, _MOST_NATS)) - self._waiting(stakes)
        if allowed <= 0.0 or begun <= math.log(allowed):
            return self
        return self.gain([math.log(allowed) - begun] * len(self.totals))

    def estimate(self, ratios: tuple[float, ...], stakes: Stakes) -> float:
        """Return the size of the effect: the mean of ln ratio under the mixture of the first bettors."""
        terms = [total + math.log(share) for total, share in zip(self.totals, stakes.shares, strict=True)]
        top = max(terms)
        odds = [math.exp(term - top) for term in terms]
        return math.exp(
            math.fsum(odd * math.log(ratio) for odd, ratio in zip(odds, ratios, strict=True)) / math.fsum(odds)
        )

    def likeliest(self, stakes: Stakes) -> int:
        """Return the number of the alternative whose first bettor has most."""
        wealth = [total + math.log(share) for total, share in zip(self.totals, stakes.shares, strict=True)]
        return wealth.index(max(wealth))

    def _log_begun(self, stakes: Stakes) -> float:
        shares = [math.log(share) for share in stakes.shares]
        first = math.log(stakes.first)
        terms = [first + total + share for total, share in zip(self.totals, shares, strict=True)]
        if self.later:
            terms += [
                total + behind + share
                for total, behind, share in zip(self.totals, self.later, shares, strict=True)
            ]
        return log_sum(terms)

    def _waiting(self, stakes: Stakes) -> float:
        """Return the stake of those who are yet to begin; 1 − 1/(n+1) of the rest is out after n starts."""
        return (1.0 - stakes.first) / (self.starts + 1.0)


def exponent(value: float) -> str:
    """Write an exponent with one decimal, rounded down so that what is too little never reads as enough."""
    return f"{math.floor(10.0 * value + 1e-9) / 10.0:g}"


def log_sum(terms: Iterable[float]) -> float:
    """Return ln Σ e^term without leaving logarithms, so that nothing overflows."""
    known = list(terms)
    top = max(known)
    return top + math.log(math.fsum(math.exp(term - top) for term in known))


def _log_add(one: float, other: float) -> float:
    top, low = (one, other) if one >= other else (other, one)
    return top + math.log1p(math.exp(low - top))
