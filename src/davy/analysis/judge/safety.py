"""How bad may the canary still be? An upper bound on its excess error rate that holds at any time.

For each excess δ an e-value against "the canary fails δ more often than stable", which grows while it does not:

    S_δ += ( ec·ln(λ/(λ+δ)) + nc·δ ) / φ          λ = (errors + ½) / (requests + 1) of stable, from the past

with half-life 120 s in λ. U is the smallest δ with S_δ ≥ ln(1/β), or 1. If λ were stable's true rate, the
chance that the excess is ever above U were at most β: E[(λ/(λ+δ))^ec] = exp(−nc·p·δ/(λ+δ)) ≤ exp(−nc·δ) for p ≥
λ+δ (Poisson; Ville). With λ estimated it is an approximation; no guarantee about false aborts hangs on it.

Breaks when: stable's error rate moves much within two minutes; the bound then is too high or too low until λ
has followed.
"""

import math
from typing import Self

import msgspec

EXCESSES = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
HALF_LIFE_S = 120.0


class SafetyBound(msgspec.Struct, frozen=True):
    """The e-value of each excess as a logarithm, and what is known of stable's rate, older things less."""

    logs: tuple[float, ...] = (0.0,) * len(EXCESSES)
    requests: float = 0.0
    errors: float = 0.0

    @property
    def rate(self) -> float:
        """Return λ, what stable fails at; 1 while nothing is known."""
        return min(1.0, (self.errors + 0.5) / (self.requests + 1.0)) if self.requests > 0.0 else 1.0

    def learn(self, requests: int, errors: int, window_s: float) -> Self:
        """Take in requests of stable."""
        kept = 0.5 ** (window_s / HALF_LIFE_S)
        return msgspec.structs.replace(
            self, requests=self.requests * kept + requests, errors=self.errors * kept + errors
        )

    def exclude(self, requests: int, errors: int, *, dispersion: float = 1.0) -> Self:
        """Take in requests of the canary; call it before `learn` with the same window."""
        if requests <= 0 or self.requests <= 0.0:
            return self
        rate = self.rate
        logs = tuple(
            before + (errors * math.log(rate / (rate + excess)) + requests * excess) / dispersion
            for before, excess in zip(self.logs, EXCESSES, strict=True)
        )
        return msgspec.structs.replace(self, logs=logs)

    def upper(self, beta: float) -> float:
        """Return U: the smallest excess that is excluded with an error of at most β."""
        needed = math.log(1.0 / beta)
        return next((excess for excess, log in zip(EXCESSES, self.logs, strict=True) if log >= needed), 1.0)
