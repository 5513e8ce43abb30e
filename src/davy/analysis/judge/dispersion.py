"""How clumped errors are: one client that retries five times is one failure, not five.

Tests that take errors for independent abort 28 to 79 % of good releases when errors come in clusters. Dividing
the log evidence by the clumpiness of the stable version, measured on successive windows, repairs that.

Two mistakes are possible. Where errors are many, φ is known to within its noise: it comes out above 1 for half
of the services whose errors are independent, by √(3/n) over n pairs of windows. So that much is not believed,
and what is above it counts for more (`cautious`). Where errors are few, a history without a cluster proves
nothing: the first burst may well hit the canary. So errors of the canary in one window count for no more than
half of the clusters that stable has shown so far, or than bursts of `BURST` would make them (`believed`): what
is broken for everybody has to be stopped in that window. Where errors are independent, both only lower what is
won, so they break no promise.
"""

import math
from typing import Self

import msgspec

CAUTION = 1.4
"""By how much more than φ exceeds 1 evidence is divided: clusters differ in size, and φ is about their mean."""

BURST = 25
"""Errors that one client may make in a window; more than that are several clients'."""

_PSEUDO = 4.0


class Dispersion(msgspec.Struct, frozen=True):
    """The Fano factor φ of the stable version's errors, shrunk to 1 by four pseudo events.

        φ = max(1, (4 + Σ (y₁·n₀ − y₀·n₁)² / (n₀·n₁)) / (4 + Σ (y₀ + y₁)))

    over successive windows of n requests and y errors. It is 1 for independent errors, E[m²]/E[m] for clusters
    of size m, and blind to slow drift, since only neighbours are compared.
    """

    spread: float = _PSEUDO
    events: float = _PSEUDO
    requests: int = 0
    errors: int = 0
    pairs: int = 0

    def learn(self, requests: int, errors: int) -> Self:
        """Take in the next window of the stable version."""
        spread, events, pairs = self.spread, self.events, self.pairs
        if self.requests > 0 and requests > 0:
            spread += (errors * self.requests - self.errors * requests) ** 2 / (self.requests * requests)
            events += self.errors + errors
            pairs += 1
        return type(self)(spread, events, requests, errors, pairs)

    def pause(self) -> Self:
        """Forget the last window: the next one is not its neighbour."""
        return type(self)(self.spread, self.events, pairs=self.pairs)

    @property
    def factor(self) -> float:
        """Say by how much to divide the evidence."""
        return max(1.0, self.spread / self.events)

    @property
    def cautious(self) -> float:
        """Say the same where E leans on it: without the noise of φ, and with more of what is beyond."""
        noise = math.sqrt(3.0 / max(1, self.pairs))
        return 1.0 + CAUTION * max(0.0, self.spread / self.events - noise - 1.0)

    def believed(self, errors: int) -> int:
        """Return how many errors in a window of the canary count: as half of the clusters seen, or as bursts.

        `events` has every window twice, as each has two neighbours, and a cluster is φ errors.
        """
        clusters = 0.5 * (self.events - _PSEUDO) / self.factor
        return min(errors, max(math.floor(0.5 * clusters), -(-errors // BURST)))
