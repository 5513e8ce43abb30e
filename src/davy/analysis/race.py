"""The race: who made the next error, canary or stable?

Every error is a bet at fair odds on the version that produced it. If the canary is no worse than stable, the
wealth of somebody who always bets on the canary does not grow in expectation, whatever the shared error rate
does over time; so by Ville's inequality it ever grows to 1/α in at most a share α of rollouts. That makes the
wealth usable as evidence after every scrape, without correcting for how often one looks.

For k times as many errors of the canary and windows of n requests and e errors (c canary, s stable), a bet on k
multiplies the wealth by

    (θk/θr)^ec · ((1−θk)/(1−θr))^es    with θk = k·nc / (k·nc + ns)  and  θr = r·nc / (r·nc + ns)

where r is the ratio that is still accepted (1, or more while the canary warms up). Several k share the stake,
and new bettors start every 30 s, so that a canary that turns bad late is found as well.

Sources: Lindon & Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022; Turner, Ly &
Grünwald, "Generic E-variables for exact sequential k-sample tests", JSPI 230, 2024.
"""

import math
from typing import Self

import msgspec

#: How many times worse the canary may be, and the share of the stake on each. The smallest is what counts as
#: material: ratios below about 1.23 are never held against a canary, however much traffic there is.
RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 200.0)
LOG_STAKES = tuple(math.log(share) for share in (0.15, 0.20, 0.20, 0.15, 0.10, 0.08, 0.07, 0.05))
#: The first bettor has half of the stake, those that start later share the other half.
FIRST = 0.5
RESTART_S = 30.0
#: Two hours of starts every 30 s. It bounds the state; those who started by then bet on.
MOST_STARTS = 240
#: Above this many nats nothing is decided any more; it keeps `exp` within what a float holds.
CAP = 600.0


class Window(msgspec.Struct, frozen=True):
    """Requests and errors of both versions within one stretch of time."""

    canary_requests: int = 0
    canary_errors: int = 0
    stable_requests: int = 0
    stable_errors: int = 0

    def __add__(self, other: "Window") -> "Window":
        return Window(
            self.canary_requests + other.canary_requests,
            self.canary_errors + other.canary_errors,
            self.stable_requests + other.stable_requests,
            self.stable_errors + other.stable_errors,
        )


class Race(msgspec.Struct, frozen=True):
    """The log wealth of every bettor: one row for each start, one column for each of `RATIOS`.

    `starts` are seconds since the race began. `held` is what was seen since both versions last had traffic.
    """

    rows: tuple[tuple[float, ...], ...] = ((0.0,) * len(RATIOS),)
    starts: tuple[float, ...] = (0.0,)
    held: Window = Window()

    def open_at(self, elapsed_s: float) -> Self:
        """Let the next bettor start, if one is due; call it before a window with the time the window began."""
        if elapsed_s < self.starts[-1] + RESTART_S or len(self.rows) >= MOST_STARTS:
            return self
        return msgspec.structs.replace(
            self, rows=(*self.rows, (0.0,) * len(RATIOS)), starts=(*self.starts, elapsed_s)
        )

    def bet(self, window: Window, *, dispersion: float = 1.0, margin: float = 1.0) -> Self:
        """Settle the bets on a window.

        A window in which one version had no traffic is no race; it is held, and joins the next one.

        Args:
            window: what happened since the previous call.
            dispersion: how many errors come in one cluster; the evidence is divided by it.
            margin: how many times worse the canary may be without anything being held against it.
        """
        seen = self.held + window
        if seen.canary_requests <= 0 or seen.stable_requests <= 0:
            return msgspec.structs.replace(self, held=seen)
        gains = tuple(_gain(seen, ratio, margin) / dispersion for ratio in RATIOS)
        rows = tuple(tuple(wealth + gain for wealth, gain in zip(row, gains, strict=True)) for row in self.rows)
        return msgspec.structs.replace(self, rows=rows, held=Window())

    def settle(self) -> Self:
        """Forget what is held, since the split changed and the two stretches may not be put together."""
        return msgspec.structs.replace(self, held=Window())

    @property
    def log_evidence(self) -> float:
        """The natural logarithm of the wealth of all bettors together, those yet to start included."""
        later = [(1.0 - FIRST) / (start * (start + 1.0)) for start in range(1, len(self.rows))]
        wealth = sum(
            share * math.exp(min(_log_mean(row), CAP))
            for share, row in zip([FIRST, *later], self.rows, strict=True)
        )
        return math.log(wealth + (1.0 - FIRST - sum(later)))


def _gain(window: Window, ratio: float, margin: float) -> float:
    """Nats that a bet on `ratio` wins in a window; a ratio within the margin is not bet on."""
    if ratio <= margin:
        return 0.0
    shrink = (margin * window.canary_requests + window.stable_requests) / (
        ratio * window.canary_requests + window.stable_requests
    )
    return window.canary_errors * math.log(ratio / margin * shrink) + window.stable_errors * math.log(shrink)


def _log_mean(row: tuple[float, ...]) -> float:
    """Average the wealth over the ratios by their stakes, in logarithms so that nothing overflows."""
    terms = [wealth + stake for wealth, stake in zip(row, LOG_STAKES, strict=True)]
    top = max(terms)
    return top + math.log(math.fsum(math.exp(term - top) for term in terms))
