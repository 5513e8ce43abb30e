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

For what should happen often (a checkout that succeeds) the same bets are made on k < 1: `DOWN` for `UP`.

Guarantee: with independent outcomes in [0, 1], E[gain] ≤ (1+pc(a−1))^nc · (1+ps(b−1))^ns ≤ 1 for pc ≤ r·ps
(a = θk/θr, b = (1−θk)/(1−θr)), at any error rate, under any schedule of weights that only looks back; so at
most α of good canaries is ever aborted. Breaks when: errors come in clusters (divide by
`davy.analysis.judge.dispersion`, then it is an approximation), or the two versions get different users.

Sources: Lindon & Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022; Turner, Ly &
Grünwald, "Generic E-variables for exact sequential k-sample tests", JSPI 230, 2024; Ville 1939.
"""

import math
from typing import Self

import msgspec

from davy.analysis.judge.bets import Bets, Stakes


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


class Rivals(msgspec.Struct, frozen=True):
    """What is bet on: ratios, all above 1 or all below it, and how the stake is shared among them.

    The ratio that is nearest to 1 is what counts as material. A canary that makes ρ times as many errors is
    ever held to be worse only if ρ > (k−1)/ln k: 1.23 for k = 1.5, and 1.10 for k = 1.2.
    """

    ratios: tuple[float, ...]
    stakes: Stakes

    def bets_on(self, ratio: float, margin: float) -> bool:
        """Say whether a ratio is beyond the margin, on the side that is bet on."""
        return ratio > margin if self.ratios[0] > 1.0 else ratio < margin


_SHARES = (0.15, 0.20, 0.20, 0.15, 0.10, 0.08, 0.07, 0.05)
UP = Rivals((1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 200.0), Stakes(_SHARES))
"""For errors: how many times worse the canary may be."""
DOWN = Rivals((0.9, 0.8, 0.67, 0.5, 0.33, 0.2, 0.1, 0.02), Stakes(_SHARES))
"""For what should happen: which part of it the canary may do."""


class Race(msgspec.Struct, frozen=True):
    """What the bettors have won, and what was seen since both versions last had traffic (`held`).

    The same `Rivals` have to be given in every call.
    """

    bets: Bets = Bets.on(len(_SHARES))
    held: Window = Window()

    def open_at(self, elapsed_s: float, rivals: Rivals = UP) -> Self:
        """Let the next bettor start, if one is due; call it before a window with the time the window began."""
        bets = self.bets.open_at(elapsed_s, rivals.stakes)
        return self if bets is self.bets else msgspec.structs.replace(self, bets=bets)

    def bet(self, window: Window, *, dispersion: float = 1.0, margin: float = 1.0, rivals: Rivals = UP) -> Self:
        """Settle the bets on a window.

        A window in which one version had no traffic is no race; it is held, and joins the next one.

        Args:
            window: what happened since the previous call.
            dispersion: how many errors come in one cluster; the evidence is divided by it.
            margin: how many times worse the canary may be without anything being held against it.
            rivals: what is bet on.
        """
        seen = self.held + window
        if seen.canary_requests <= 0 or seen.stable_requests <= 0:
            return msgspec.structs.replace(self, held=seen)
        gains = [
            gain(seen, ratio, margin) / dispersion if rivals.bets_on(ratio, margin) else 0.0
            for ratio in rivals.ratios
        ]
        return type(self)(self.bets.gain(gains), Window())

    def settle(self) -> Self:
        """Forget what is held, since the split changed and the two stretches may not be put together."""
        return msgspec.structs.replace(self, held=Window())

    @property
    def log_evidence(self) -> float:
        """The natural logarithm of the wealth of all bettors together against `UP`, those to come included."""
        return self.bets.log_wealth(UP.stakes)


def gain(window: Window, ratio: float, margin: float = 1.0) -> float:
    """Return the nats that a bet on `ratio` wins in a window against the null that `margin` is the ratio."""
    shrink = (margin * window.canary_requests + window.stable_requests) / (
        ratio * window.canary_requests + window.stable_requests
    )
    return window.canary_errors * math.log(ratio / margin * shrink) + window.stable_errors * math.log(shrink)
