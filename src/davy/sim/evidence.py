"""How much traffic an attempt at a version has earned, worked out from what really happened.

This is a second opinion: it knows the manifest, what the providers said, what people did and what is in force,
and nothing of how the engine decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from davy.model.analysis import AnalysisTemplate
from davy.model.duration import parse_duration
from davy.model.part import int_value
from davy.model.rollout import CanaryStep, Rollout, RolloutAnalysis
from davy.sim.happenings import Found

Templates = Mapping[str, AnalysisTemplate]


@dataclass(slots=True)
class Attempt:
    """One walk of a version through its steps.

    `reached` says when the weight of a step came into force, `met_at` when users met the version first,
    `exposed` whether the record says so, `over` that it was aborted or another version took its place, `ended`
    in a word how it ended. `quick` is whether it comes back without steps since it was stable before.
    """

    hash: str
    revision: int
    began_at: float
    reached: dict[int, float] = field(default_factory=dict)
    met_at: float | None = None
    exposed: bool = False
    over: bool = False
    ended: str = "under way"
    quick: bool = False


@dataclass(slots=True)
class Truth:
    """What really happened around a rollout, and when: answers about versions, promotions by people."""

    answers: list[tuple[float, str, Found]] = field(default_factory=list)
    promotions: list[float] = field(default_factory=list)

    def good(self, hash_: str, since: float) -> int:
        """Count the good answers about a version."""
        return sum(at >= since and of == hash_ and found == "good" for at, of, found in self.answers)

    def promoted(self, since: float) -> int:
        """Count promotions."""
        return sum(at >= since for at in self.promotions)


@dataclass(slots=True)
class Needs:
    """What has to come about before traffic may grow: pauses (None: until somebody promotes), good answers."""

    pauses: list[float | None] = field(default_factory=list)
    answers: int = 0

    def lacking(self, attempt: Attempt, truth: Truth, since: float, now: float) -> str:
        """Say what is lacking, or return an empty string; each promotion ends one pause, the longest first."""
        waits = sorted(float("inf") if pause is None else pause for pause in self.pauses)
        promotions = truth.promoted(since)
        left = sum(waits[: max(0, len(waits) - promotions)])
        if now - since < left - 1e-6:
            return f"its pauses are not over: {now - since:g} s of {left:g} s have passed"
        good = truth.good(attempt.hash, since)
        return f"it takes {self.answers} good answers, and there were {good}" if good < self.answers else ""


@dataclass(frozen=True, slots=True)
class Earned:
    """The weight that an attempt may have, the step that it belongs to, and what is lacking for more."""

    weight: int
    step: int | None
    lacking: str


def earned(rollout: Rollout, templates: Templates, attempt: Attempt, truth: Truth, now: float) -> Earned:
    """Walk the steps as far as the evidence goes."""
    canary = rollout.spec.strategy.canary
    if attempt.over:
        return Earned(0, None, "it was aborted, or another version took its place")
    if attempt.quick:
        return Earned(100, None, "")
    if canary is None:
        return _switched(rollout, templates, attempt, truth, now)
    weight, at, since, needs = 0, None, attempt.began_at, Needs()
    for index, step in enumerate(canary.steps):
        if step.set_weight is None:
            _need(needs, step, templates)
            continue
        if lacking := needs.lacking(attempt, truth, since, now):
            return Earned(weight, at, lacking)
        weight, at = step.set_weight, index
        if index not in attempt.reached:
            return Earned(weight, at, f"{weight} % is not in force yet")
        since, needs = attempt.reached[index], Needs()
    if lacking := needs.lacking(attempt, truth, since, now):
        return Earned(weight, at, lacking)
    return Earned(canary.full_weight, None, "")


def _switched(rollout: Rollout, templates: Templates, attempt: Attempt, truth: Truth, now: float) -> Earned:
    """Say whether a blue/green update may switch, and once it has, whether it may be called stable."""
    strategy = rollout.spec.strategy.blue_green
    assert strategy is not None
    before, after = Needs(), Needs()
    if strategy.pre_promotion_analysis is not None:
        before.answers += sum(least_good(each) for each in named(strategy.pre_promotion_analysis, templates))
    if not strategy.promotes_itself or strategy.auto_promotion_seconds:
        before.pauses.append(float(strategy.auto_promotion_seconds) if strategy.promotes_itself else None)
    if lacking := before.lacking(attempt, truth, attempt.began_at, now):
        return Earned(0, None, lacking)
    if 0 not in attempt.reached:
        return Earned(100, 0, "the switch is not in force yet")
    if strategy.post_promotion_analysis is not None:
        after.answers += sum(least_good(each) for each in named(strategy.post_promotion_analysis, templates))
    return Earned(100, None, after.lacking(attempt, truth, attempt.reached[0], now))


def _need(needs: Needs, step: CanaryStep, templates: Templates) -> None:
    """Add what a step waits for."""
    if step.pause is not None:
        needs.pauses.append(step.pause.seconds)
    if step.analysis is not None:
        needs.answers += sum(least_good(template) for template in named(step.analysis, templates))
    if step.experiment is not None and step.experiment.analyses:
        names = (each.template_name for each in step.experiment.analyses)
        needs.answers += sum(least_good(templates[name]) for name in names)
    elif step.experiment is not None:
        needs.pauses.append(parse_duration(step.experiment.duration))


def named(analysis: RolloutAnalysis, templates: Templates) -> Sequence[AnalysisTemplate]:
    """Find the templates of an analysis."""
    return [templates[each.template_name] for each in analysis.templates]


def least_good(template: AnalysisTemplate) -> int:
    """Return how many good answers a template needs at least, when it is passed as narrowly as can be."""
    return sum(
        max(1, int_value(metric.count) - int_value(metric.failure_limit) - int_value(metric.inconclusive_limit))
        for metric in template.spec.metrics
    )
