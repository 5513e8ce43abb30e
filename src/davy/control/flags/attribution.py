"""Which change of a flag is at fault: by who met the variant, and not by when it was turned on.

Those who met the variant are held against those who met another variant of the same flag at the same time, by
the same document, in the same service. So whatever else went wrong then went wrong for both, and is nobody's
fault; and a flag that was toggled in the same minute as the guilty one is no more often met by those who fail.

The test is that of the guard (`davy.analysis.judge.race`): every failure is a bet at fair odds on who had it,
and each stretch of time is settled by itself. It may be looked at as often as anybody likes: of changes that are
not at fault at most the share α is ever blamed. Of several flags Holm's procedure keeps it at that (Holm, "A
Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6, 1979).

Where two flags are met by the same people nobody can tell from counts which of them it is, and this says so.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from davy.analysis.guard import Share
from davy.analysis.judge.dispersion import Dispersion
from davy.analysis.judge.race import Race, Window

ALPHA = 0.01
LEAST_FAILURES = 3
"""Failures of those who met the variant without which nothing is blamed."""

Verdict = Literal["at-fault", "not-at-fault", "cannot-tell"]


class Suspect(msgspec.Struct, frozen=True):
    """A change of a flag: the variant that it gives users, and since which version of the document."""

    flag: str
    variant: str
    since: int = 0


class Outcome(msgspec.Struct, frozen=True):
    """How the requests ended that met a variant of a flag, within one stretch of time."""

    flag: str
    variant: str
    version: int
    service: str
    stretch: float
    requests: int
    failed: int


class Attribution(msgspec.Struct, frozen=True):
    """What is to be said of a suspect.

    Args:
        suspect: whom it is about.
        verdict: whether it is at fault.
        exposed: requests of those who met the variant, and how many of them failed.
        others: those of the same flag, time, document and service that met another variant.
        ratio: how many times as often the first failed; None where the others never did, or nobody was counted.
        evidence: the decimal logarithm of the evidence; as much as minus that of α is enough for one flag.
        sentence: why.
    """

    suspect: Suspect
    verdict: Verdict
    exposed: Share
    others: Share
    ratio: float | None
    evidence: float
    sentence: str


class _Case(msgspec.Struct, frozen=True):
    suspect: Suspect
    seen: Window
    log_evidence: float
    at_most: float
    one_sided: bool


def attribute(
    suspects: Iterable[Suspect], outcomes: Iterable[Outcome], alpha: float = ALPHA
) -> tuple[Attribution, ...]:
    """Say of each suspect whether it is at fault, in the order in which they are given.

    Args:
        suspects: changes that may be, each flag once.
        outcomes: of all variants of their flags; others are left alone.
        alpha: how often something is blamed that is not at fault.
    """
    of_flag: dict[str, list[Outcome]] = defaultdict(list)
    for each in outcomes:
        of_flag[each.flag].append(each)
    cases = [_case(suspect, of_flag[suspect.flag]) for suspect in suspects]
    proven = _proven(cases, alpha)
    top = max((case.log_evidence for case in proven), default=0.0)
    ahead = [case for case in proven if top - case.log_evidence < math.log(1 / alpha)]
    return tuple(_said(case, proven, ahead, alpha) for case in cases)


def _case(suspect: Suspect, outcomes: Sequence[Outcome]) -> _Case:
    """Settle the bets on a suspect, stretch by stretch; where one side was not met there is nothing to bet."""
    race, at_most, seen, clusters = Race(), Race(), Window(), Dispersion()
    strata = _strata(suspect, outcomes)
    both = [window for window in strata if window.canary_requests and window.stable_requests]
    for window in both:
        seen += window
        race = race.bet(window, dispersion=clusters.factor)
        clusters = clusters.learn(window.stable_requests, window.stable_errors)
        failed = window.canary_errors + window.stable_errors
        worst = min(failed, window.canary_requests)
        at_most = at_most.bet(Window(window.canary_requests, worst, window.stable_requests, failed - worst))
    if both:
        return _Case(suspect, seen, race.log_evidence, at_most.log_evidence, one_sided=False)
    for window in strata:
        seen += window
    return _Case(suspect, seen, 0.0, 0.0, one_sided=True)


def _strata(suspect: Suspect, outcomes: Iterable[Outcome]) -> list[Window]:
    """Put together what was met at the same time, by the same document, in the same service."""
    found: Mapping[tuple[float, int, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for each in outcomes:
        if each.version >= suspect.since:
            counts = found[each.stretch, each.version, each.service]
            place = 0 if each.variant == suspect.variant else 2
            counts[place] += each.requests
            counts[place + 1] += each.failed
    return [Window(*counts) for _, counts in sorted(found.items())]


def _proven(cases: Sequence[_Case], alpha: float) -> list[_Case]:
    """Return those against whom there is enough, by Holm's procedure over all of whom anything can be told."""
    told = sorted((case for case in cases if not case.one_sided), key=lambda case: -case.log_evidence)
    found: list[_Case] = []
    for number, case in enumerate(told):
        if case.log_evidence < math.log((len(told) - number) / alpha):
            break
        if case.seen.canary_errors >= LEAST_FAILURES:
            found.append(case)
    return found


def _said(case: _Case, proven: Sequence[_Case], ahead: Sequence[_Case], alpha: float) -> Attribution:
    seen, suspect = case.seen, case.suspect
    exposed = Share(seen.canary_errors, seen.canary_requests)
    others = Share(seen.stable_errors, seen.stable_requests)
    verdict, why = _verdict(case, proven, ahead, alpha)
    what = f"{suspect.variant or 'the default'} of {suspect.flag}"
    rates = f"requests that met {what}: {exposed} failed; that met another variant: {others} failed"
    return Attribution(
        suspect,
        verdict,
        exposed,
        others,
        _ratio(exposed, others),
        round(case.log_evidence / math.log(10), 2),
        f"{rates}; {why}",
    )


def _verdict(case: _Case, proven: Sequence[_Case], ahead: Sequence[_Case], alpha: float) -> tuple[Verdict, str]:
    if not case.seen.canary_requests + case.seen.stable_requests:
        return "cannot-tell", "nobody has told how requests ended"
    if case.one_sided:
        return (
            "cannot-tell",
            "nobody met another variant at the same time, so there is nothing to hold it against",
        )
    if case in proven:
        rivals = [each.suspect.flag for each in ahead if each is not case]
        if case in ahead and not rivals:
            return "at-fault", _times(case)
        if case in ahead:
            return "cannot-tell", f"the same is true of {' and '.join(rivals)}, which the same people met"
        return "cannot-tell", f"those who met {ahead[0].suspect.flag} explain it better, and many met both"
    failed = case.seen.canary_errors + case.seen.stable_errors
    if case.at_most < math.log(1 / alpha) or failed < LEAST_FAILURES:
        return "cannot-tell", "too few failed for anybody to be blamed"
    return "not-at-fault", "no more often than chance has it"


def _times(case: _Case) -> str:
    seen = case.seen
    ratio = _ratio(
        Share(seen.canary_errors, seen.canary_requests), Share(seen.stable_errors, seen.stable_requests)
    )
    often = "and the others never" if ratio is None else f"{ratio:.3g} times as often"
    return f"{often}, with evidence 10^{case.log_evidence / math.log(10):.1f}"


def _ratio(exposed: Share, others: Share) -> float | None:
    if not exposed.requests or not others.errors:
        return None
    return round(exposed.errors / exposed.requests / (others.errors / others.requests), 3)
