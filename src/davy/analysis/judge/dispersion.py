"""How clumped errors are: one client that retries five times is one failure, not five.

Tests that take errors for independent abort 28 to 79 % of good releases when errors come in clusters. Dividing
the log evidence by the clumpiness of the stable version, measured on successive windows, repairs that.
"""

from typing import Self

import msgspec


class Dispersion(msgspec.Struct, frozen=True):
    """The Fano factor φ of the stable version's errors, shrunk to 1 by four pseudo events.

        φ = max(1, (4 + Σ (y₁·n₀ − y₀·n₁)² / (n₀·n₁)) / (4 + Σ (y₀ + y₁)))

    over successive windows of n requests and y errors. It is 1 for independent errors, E[m²]/E[m] for clusters
    of size m, and blind to slow drift, since only neighbours are compared.
    """

    spread: float = 4.0
    events: float = 4.0
    requests: int = 0
    errors: int = 0

    def learn(self, requests: int, errors: int) -> Self:
        """Take in the next window of the stable version."""
        spread, events = self.spread, self.events
        if self.requests > 0 and requests > 0:
            spread += (errors * self.requests - self.errors * requests) ** 2 / (self.requests * requests)
            events += self.errors + errors
        return type(self)(spread, events, requests, errors)

    def pause(self) -> Self:
        """Forget the last window: the next one is not its neighbour."""
        return type(self)(self.spread, self.events)

    @property
    def factor(self) -> float:
        """Say by how much to divide the evidence."""
        return max(1.0, self.spread / self.events)
