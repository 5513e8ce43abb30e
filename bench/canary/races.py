"""Who made the next error? Tests that look at errors alone, so that a baseline that both share drops out.

Source of all three: Lindon & Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022. Given
that an error happens, the chance that the canary made it depends only on its share of requests and on how many
times as often it fails; whatever the shared rate does over time cancels.
"""

from math import lgamma, log

import numpy as np

from bench.canary.judge import ALPHA, LADDER, Actions, Briefing, Contestant, Floats, Pauses, Side, Tick, act

ENOUGH = log(1 / ALPHA)
WORSE = (1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 200.0)
FEWER = (0.9, 0.8, 0.67, 0.5, 0.33, 0.2, 0.1, 0.02)
STAKES = (0.15, 0.20, 0.20, 0.15, 0.10, 0.08, 0.07, 0.05)


class Race:
    """A mixture over how many times as often the canary fails, window by window.

    Valid whatever the weights and the shared rate do, since every factor has an expectation of at most 1 if the
    canary is no worse (Ville's inequality). With `tempered`, evidence is divided by the dispersion of stable's
    own errors, because retries of one client are not independent.
    """

    def __init__(
        self, briefing: Briefing, ratios: tuple[float, ...], stakes: tuple[float, ...], tempered: bool = False
    ) -> None:
        self._ratios = np.array(ratios)
        self._stakes = np.log(stakes)
        self._pauses = Pauses(briefing)
        self.log_wealth = np.zeros((briefing.rollouts, len(ratios)))
        self._held = np.zeros((4, briefing.rollouts))
        self._dispersion = _Dispersion(briefing.history) if tempered else None

    def look(self, tick: Tick) -> Actions:
        """Settle the bets of a window in which both versions had requests."""
        self._held += np.stack([tick.canary.requests, tick.canary.bad, tick.stable.requests, tick.stable.bad])
        canary, _, stable, stable_bad = self._held
        both = (canary > 0) & (stable > 0)
        scale = 1.0 if self._dispersion is None else self._dispersion.phi
        self.log_wealth += np.where(both, self._bets() / scale, 0.0).T
        if self._dispersion is not None:
            self._dispersion.add(np.where(both, stable, 0), np.where(both, stable_bad, 0))
        self._held = np.where(both, 0.0, self._held)
        return act(self.evidence() >= ENOUGH, self._pauses.over(tick))

    def _bets(self) -> Floats:
        """Return what each ratio gains in this window, in nats; shape (ratios, rollouts)."""
        canary, canary_bad, stable, stable_bad = self._held
        with np.errstate(all="ignore"):
            odds = self._ratios[:, None] * canary + stable
            fair = canary + stable
            return np.asarray(
                canary_bad * np.log(self._ratios[:, None] * fair / odds) + stable_bad * np.log(fair / odds)
            )

    def evidence(self) -> Floats:
        """Return the log of the wealth of all together."""
        return log_sum(self.log_wealth + self._stakes)


class _Dispersion:
    """How much more stable's errors vary from tick to tick than independent ones: 1, or a cluster's size."""

    def __init__(self, history: Side) -> None:
        rollouts = len(history.requests)
        self._squares = np.full(rollouts, 4.0)
        self._errors = np.full(rollouts, 4.0)
        self._last = np.zeros((2, rollouts))
        for requests, bad in zip(history.requests.T, history.bad.T, strict=True):
            self.add(requests.astype(float), bad.astype(float))
        self._last[:] = 0

    def add(self, requests: Floats, bad: Floats) -> None:
        """Compare a window of stable's with the one before."""
        before, before_bad = self._last
        counts = (before > 0) & (requests > 0)
        with np.errstate(all="ignore"):
            square = (bad * before - before_bad * requests) ** 2 / (requests * before)
        self._squares += np.where(counts, square, 0.0)
        self._errors += np.where(counts, bad + before_bad, 0.0)
        self._last = np.stack([requests, bad])

    @property
    def phi(self) -> Floats:
        """The Fano factor, at least 1, drawn to 1 by four errors that were never seen."""
        return np.asarray(np.maximum(1.0, self._squares / self._errors))


class LindonMalek:
    """The Bayes factor of a Dirichlet prior of concentration 100 around the weights, anew at every step.

    The default of savvi 0.3.1. The test is two-sided; it stops a rollout only if the canary has more errors
    than its share, which is a shortcut of ours.
    """

    concentration = 100.0

    def __init__(self, briefing: Briefing) -> None:
        self._pauses = Pauses(briefing)
        self._before = np.zeros(briefing.rollouts)
        self._errors = np.zeros((2, briefing.rollouts))

    def look(self, tick: Tick) -> Actions:
        """Compare how errors fell on the versions with how requests do."""
        self._errors += np.stack([tick.canary.bad, tick.stable.bad])
        canary, stable = self._errors
        weight = tick.weight
        prior = self.concentration * weight, self.concentration * (1 - weight)
        step = (
            _log_beta(prior[0] + canary, prior[1] + stable)
            - _log_beta(*prior)
            - canary * np.log(weight)
            - stable * np.log1p(-weight)
        )
        abort = (self._before + step >= ENOUGH) & (canary * (1 - weight) > stable * weight)
        over = self._pauses.over(tick)
        self._before += np.where(over, step, 0.0)
        self._errors[:, over] = 0
        return act(abort, over)


_log_gamma = np.vectorize(lgamma, otypes=[float])


def _log_beta(first: Floats, second: Floats) -> Floats:
    return np.asarray(_log_gamma(first) + _log_gamma(second) - _log_gamma(first + second))


def log_sum(logs: Floats) -> Floats:
    """Return log Σ exp over the last axis, without overflow."""
    most = logs.max(axis=-1)
    return np.asarray(most + np.log(np.exp(logs - most[..., None]).sum(axis=-1)))


def race(briefing: Briefing) -> Race:
    """Start a race as it comes out of the box."""
    return Race(briefing, FEWER if briefing.fewer_is_worse else WORSE, STAKES)


def race_phi(briefing: Briefing) -> Race:
    """Start a race that allows for clustered errors."""
    return Race(briefing, FEWER if briefing.fewer_is_worse else WORSE, STAKES, tempered=True)


def oracle(briefing: Briefing) -> Race:
    """Start Wald's test of the two true rates: how well one could do who knew them.

    Source: Wald, "Sequential Tests of Statistical Hypotheses", Annals of Mathematical Statistics 16, 1945.
    """
    ratio = briefing.truth.canary / briefing.truth.stable
    return Race(briefing, (ratio,), (1.0,))


RACE = Contestant("RACE", LADDER, race)
RACE_PHI = Contestant("RACE+φ", LADDER, race_phi)
LINDON_MALEK = Contestant("Lindon–Malek", LADDER, LindonMalek)
ORACLE = Contestant("oracle SPRT", LADDER, oracle)
