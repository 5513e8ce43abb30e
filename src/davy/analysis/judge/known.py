"""What is known of one metric: its evidence, how clumped it is, and how bad it may still be."""

import math
from typing import Self, TypeAlias

import msgspec

from davy.analysis.judge.absolute import Objective
from davy.analysis.judge.bets import Bets
from davy.analysis.judge.counters import Ratio, Side
from davy.analysis.judge.dispersion import Dispersion
from davy.analysis.judge.histogram import Counts, HistShift, faded
from davy.analysis.judge.race import Race, Window, gain
from davy.analysis.judge.safety import HALF_LIFE_S, SafetyBound
from davy.analysis.judge.settings import ERROR_RATIO, Judge, Metric, MetricKind
from davy.analysis.judge.warm_up import CEILING, Ceiling, WarmRace

EDGE = 0.9
"""Requests above this share of stable's past are the slow ones, whose clumps are measured."""
ENOUGH = 100
"""Requests of stable before that is settled, and before anything is bet on the canary's."""


class Spell(msgspec.Struct, frozen=True):
    """The window between two looks: when it began, counted from the first traffic, and how long it is."""

    began_s: float
    window_s: float
    cold: bool = False


class RatioKnown(msgspec.Struct, frozen=True, tag="ratio"):
    """A metric that is counted in events: a race, and for errors the bounds."""

    evidence: WarmRace
    dispersion: Dispersion = Dispersion()
    safety: SafetyBound = SafetyBound()
    objective: Objective = Objective()
    seen: Window = Window()
    safe: float = 0.0
    """Log evidence that the canary is not materially worse, 1.5 times by default."""

    def learn(self, metric: Metric, stable: Side, spell: Spell) -> Self:
        """Take in stable's history."""
        tried, happened = counted(metric, stable)
        return msgspec.structs.replace(
            self,
            dispersion=self.dispersion.learn(tried, happened),
            safety=self.safety.learn(tried, happened, spell.window_s),
        )

    def bet(self, metric: Metric, canary: Side, stable: Side, spell: Spell) -> Self:
        """Settle a window."""
        ours, theirs = counted(metric, canary), counted(metric, stable)
        window = Window(*ours, *theirs)
        sure = self._believed(metric, ours)
        factor = self.dispersion.cautious
        evidence = self.evidence if spell.cold else self.evidence.warmed(metric.rivals)
        known = msgspec.structs.replace(
            self,
            evidence=evidence.bet(Window(*sure, *theirs), spell.began_s, metric.rivals, dispersion=factor),
            seen=self.seen + window,
        )
        if not spell.cold:
            known = known._bounded(metric, ours, theirs, spell)
        return known.learn(metric, stable, spell)

    def _bounded(self, metric: Metric, ours: Ratio, theirs: Ratio, spell: Spell) -> Self:
        """Bound the excess, and hold both versions to the objective."""
        factor = self.dispersion.cautious
        objective, safe, safety = self.objective, self.safe, self.safety
        if metric.kind is MetricKind.ERRORS:
            safety = safety.exclude(*ours, dispersion=factor)
        if metric.objective is not None:
            sure = self._believed(metric, ours)
            objective = objective.bet(spell.began_s, sure, theirs, most=metric.objective, dispersion=factor)
        if ours[0] and theirs[0]:
            safe += gain(Window(*ours, *theirs), 1.0, metric.rivals.ratios[0]) / factor
        return msgspec.structs.replace(self, safety=safety, objective=objective, safe=safe)

    def _believed(self, metric: Metric, ours: Ratio) -> Ratio:
        """Hold a burst of errors for one failure while it is not known how clumped they are."""
        tried, happened = ours
        return (tried, self.dispersion.believed(happened)) if metric.kind is MetricKind.ERRORS else ours

    def warm(self, metric: Metric, *, first: bool) -> Self:
        """Begin a warm-up."""
        return msgspec.structs.replace(self, evidence=self.evidence.warm(metric.rivals, first=first))

    def settle(self) -> Self:
        """Forget what does not go with the next window."""
        return msgspec.structs.replace(self, evidence=self.evidence.settle())

    def gap(self) -> Self:
        """Note that the next window is no neighbour of the last."""
        return msgspec.structs.replace(self.settle(), dispersion=self.dispersion.pause())

    def fresh(self, metric: Metric) -> Self:
        """Begin anew with evidence of 1, and keep what is known of stable."""
        safety = msgspec.structs.replace(self.safety, logs=SafetyBound().logs)
        race = WarmRace(Race(Bets.on(len(metric.rivals.ratios))))
        return type(self)(race, self.dispersion, safety)

    def log_evidence(self, metric: Metric) -> float:
        """Return the log evidence that the canary is worse."""
        return self.evidence.log_evidence(metric.rivals)

    def ratio(self, metric: Metric) -> float:
        """Return how many times stable's the canary's rate is thought to be."""
        return self.evidence.race.bets.estimate(metric.rivals.ratios, metric.rivals.stakes)


class LatencyKnown(msgspec.Struct, frozen=True, tag="latency"):
    """A latency: its histogram, and how clumped stable's slow requests are."""

    evidence: HistShift
    dispersion: Dispersion = Dispersion()
    edge: int | None = None
    ceiling: Ceiling | None = None
    recent: tuple[float, ...] = ()
    """Stable's requests by bucket, older ones for less: what a promoted version is held to."""

    def learn(self, metric: Metric, stable: Side, spell: Spell) -> Self:
        """Take in stable's history."""
        known = self._sized(metric, stable)
        if not stable.histogram:
            return known
        evidence = known.evidence.learn(stable.histogram, metric.slowdowns)
        return known._clumps(stable.histogram, evidence, spell)

    def bet(self, metric: Metric, canary: Side, stable: Side, spell: Spell) -> Self:
        """Settle a window."""
        known = self._sized(metric, stable)
        if len(canary.histogram) != len(stable.histogram) or sum(known.evidence.past) < ENOUGH:
            return known.learn(metric, stable, spell)
        slowdowns = metric.slowdowns
        evidence = known.evidence
        if known.ceiling is not None and not spell.cold:
            bets = evidence.bets.capped(known.ceiling.nats, slowdowns.stakes)
            evidence = msgspec.structs.replace(evidence, bets=bets)
            known = msgspec.structs.replace(known, ceiling=None)
        evidence = evidence.open_at(spell.began_s, slowdowns).bet(
            canary.histogram, stable.histogram, slowdowns, dispersion=known.dispersion.factor
        )
        return known._clumps(stable.histogram, evidence, spell)

    def warm(self, metric: Metric, *, first: bool) -> Self:
        """Begin a warm-up: what a cold canary is slower counts no more than a cold canary's errors."""
        now = self.log_evidence(metric)
        ceiling = Ceiling(max(now, math.log(CEILING)) if first else now)
        return msgspec.structs.replace(self, ceiling=ceiling)

    def settle(self) -> Self:
        """Forget what does not go with the next window: nothing."""
        return self

    def gap(self) -> Self:
        """Note that the next window is no neighbour of the last."""
        return msgspec.structs.replace(self, dispersion=self.dispersion.pause())

    def fresh(self, metric: Metric) -> Self:
        """Begin anew with evidence of 1, and keep what is known of stable."""
        bets = Bets.on(len(metric.slowdowns.alternatives))
        return type(self)(msgspec.structs.replace(self.evidence, bets=bets), self.dispersion, self.edge)

    def log_evidence(self, metric: Metric) -> float:
        """Return the log evidence that the canary is slower."""
        log = self.evidence.bets.log_wealth(metric.slowdowns.stakes)
        return log if self.ceiling is None else min(log, self.ceiling.nats)

    def likeliest(self, metric: Metric) -> tuple[float, float]:
        """Return what part of the canary's requests takes how many times as long, most likely."""
        slowdowns = metric.slowdowns
        return slowdowns.alternatives[self.evidence.bets.likeliest(slowdowns.stakes)]

    def _sized(self, metric: Metric, stable: Side) -> Self:
        """Begin anew when the buckets are others than before."""
        if not stable.histogram or len(stable.histogram) == len(self.evidence.past):
            return self
        evidence = HistShift.over(len(stable.histogram), metric.slowdowns)
        evidence = msgspec.structs.replace(evidence, bets=self.evidence.bets)
        return type(self)(evidence, ceiling=self.ceiling)

    def _clumps(self, stable: Counts, evidence: HistShift, spell: Spell) -> Self:
        """Measure how slow requests of stable clump, once it is known which are slow."""
        edge, dispersion = self.edge, self.dispersion
        if edge is None and sum(evidence.past) >= ENOUGH:
            edge = _bucket_at(evidence.past, EDGE)
        if edge is not None:
            dispersion = dispersion.learn(sum(stable), sum(stable[edge:]))
        recent = faded(self.recent, stable, 0.5 ** (spell.window_s / HALF_LIFE_S))
        return msgspec.structs.replace(self, evidence=evidence, edge=edge, dispersion=dispersion, recent=recent)


Known: TypeAlias = RatioKnown | LatencyKnown


def unknown(metric: Metric) -> Known:
    """Return what is known of a metric before anything is seen."""
    if metric.kind is MetricKind.LATENCY:
        return LatencyKnown(HistShift.over(0, metric.slowdowns))
    return RatioKnown(WarmRace(Race(Bets.on(len(metric.rivals.ratios)))))


def counted(metric: Metric, side: Side) -> Ratio:
    """Return (tried, happened) of a metric."""
    if metric.name == ERROR_RATIO:
        return side.requests, side.errors
    return side.events.get(metric.name, (0, 0))


def begin(judge: Judge) -> dict[str, Known]:
    """Return what is known of all metrics before anything is seen."""
    return {metric.name: unknown(metric) for metric in judge.metrics}


def _bucket_at(counts: Counts, share: float) -> int:
    """Return the first bucket behind so much of the counts."""
    whole, below = sum(counts), 0
    for bucket, count in enumerate(counts):
        if below >= share * whole:
            return bucket
        below += count
    return len(counts)
