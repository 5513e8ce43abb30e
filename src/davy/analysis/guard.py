"""The built-in guard: aborts a canary that fails more often than stable, beside whatever the templates measure.

It needs no threshold and no set-up for a service: four counters of the data plane, scraped every few seconds,
are bet on (`davy.analysis.judge.race`). It can only abort; it never promotes, and silence is no evidence.

Its false alarms are bounded: of the canaries that are no worse than stable, at most the share α (1 %) is
aborted, however often one looks. Errors in clusters are allowed for by `davy.analysis.judge.dispersion`; then α
is an approximation (measured 0.8 to 1.6 %).
"""

import math

import msgspec

from davy.analysis.judge.bets import exponent
from davy.analysis.judge.dispersion import Dispersion
from davy.analysis.judge.race import Race, Window

#: How many times worse a canary that warms up may be: only gross failure counts.
WARM_UP_MARGIN = 10.0


class Counters(msgspec.Struct, frozen=True):
    """One scrape: requests and errors of both versions, counted since the data plane came up.

    Attribute a request by the version that answered it, never by the weight that was intended.
    """

    at: float
    canary_requests: int
    canary_errors: int
    stable_requests: int
    stable_errors: int


class Settings(msgspec.Struct, frozen=True):
    """How strict a guard is.

    Args:
        alpha: the share of good canaries that may be aborted.
        least_errors: errors of the canary without which nothing is aborted.
        warm_up_s: for how long after traffic grows the canary may be `WARM_UP_MARGIN` times worse. Off by
            default, since it is not free: at 5 % of 200 requests a second, with one request in twelve failing,
            it takes 9 errors in place of 3. Probes are the place to wait for a cold start; set 30 where they
            cannot.
    """

    alpha: float = 0.01
    least_errors: int = 3
    warm_up_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.alpha < 1.0:
            raise ValueError(f"alpha is a share between 0 and 1, not {self.alpha:g}")


class Guard(msgspec.Struct, frozen=True):
    """What the guard of one rollout knows. Store it with the rollout; a turn taken again gives the same.

    `seen` are the requests that were judged, `changed_at` is when the split last changed.
    """

    started_at: float
    settings: Settings = Settings()
    race: Race = Race()
    dispersion: Dispersion = Dispersion()
    seen: Window = Window()
    last: Counters | None = None
    changed_at: float | None = None
    warm_until: float | None = None


class Share(msgspec.Struct, frozen=True):
    """The requests of one version, and how many of them failed."""

    errors: int
    requests: int

    def __str__(self) -> str:
        if not self.requests:
            return "no requests"
        return f"{_percent(self.errors / self.requests)}, {_count(self.errors)} of {_count(self.requests)}"


class GuardVerdict(msgspec.Struct, frozen=True):
    """Whether to abort, on how much evidence, and why in one sentence."""

    abort: bool
    log10_evidence: float
    needed: float
    canary: Share
    stable: Share
    sentence: str


def observe(guard: Guard, counters: Counters) -> Guard:
    """Take in a scrape.

    A scrape that never came only makes the window longer, and one that is told twice changes nothing. When the
    counters of both versions fell, the data plane was restarted and they count what happened since. When only
    one side fell, nobody can tell what happened in between: the window is dropped. So is one in which the
    split changed.
    """
    last = guard.last
    if last is not None and counters.at <= last.at:
        return guard
    window = None if last is None or _changed_since(guard, last.at) else _between(last, counters)
    if last is None or window is None:
        return msgspec.structs.replace(
            guard, race=guard.race.settle(), dispersion=guard.dispersion.pause(), last=counters, changed_at=None
        )
    warm = guard.warm_until is not None and last.at < guard.warm_until
    race = guard.race.open_at(last.at - guard.started_at).bet(
        window, dispersion=guard.dispersion.factor, margin=WARM_UP_MARGIN if warm else 1.0
    )
    return msgspec.structs.replace(
        guard,
        race=race,
        dispersion=guard.dispersion.learn(window.stable_requests, window.stable_errors),
        seen=guard.seen + window,
        last=counters,
        changed_at=None,
    )


def weight_changed(guard: Guard, at: float, *, grew: bool = True) -> Guard:
    """Note that the split changed: the window around `at` is not judged, since its two halves do not mix.

    Args:
        guard: as it is.
        at: when the data plane acknowledged the new split. Scrape right after it, and little is lost.
        grew: whether the canary got more; only then does it warm up.
    """
    warm_until = at + guard.settings.warm_up_s if grew else guard.warm_until
    return msgspec.structs.replace(guard, changed_at=at, warm_until=warm_until)


def verdict(guard: Guard) -> GuardVerdict:
    """Say what the guard thinks of the canary."""
    evidence = guard.race.log_evidence / math.log(10)
    needed = math.log10(1.0 / guard.settings.alpha)
    canary = Share(guard.seen.canary_errors, guard.seen.canary_requests)
    stable = Share(guard.seen.stable_errors, guard.seen.stable_requests)
    enough = canary.errors >= guard.settings.least_errors
    proven = evidence >= needed
    sentence = (
        f"5xx ratio of the canary ({canary}) against stable ({stable}): "
        f"evidence 10^{exponent(evidence)} of the 10^{exponent(needed)} needed"
    )
    if proven and not enough:
        sentence += f", but it takes {guard.settings.least_errors} errors"
    return GuardVerdict(proven and enough, evidence, needed, canary, stable, sentence)


def _changed_since(guard: Guard, at: float) -> bool:
    return guard.changed_at is not None and guard.changed_at > at


def _between(last: Counters, now: Counters) -> Window | None:
    """Say what happened between two scrapes, or None when the counters of only one version were reset."""
    canary_fell = now.canary_requests < last.canary_requests or now.canary_errors < last.canary_errors
    stable_fell = now.stable_requests < last.stable_requests or now.stable_errors < last.stable_errors
    match canary_fell, stable_fell:
        case True, True:
            last = Counters(last.at, 0, 0, 0, 0)
        case (True, False) | (False, True):
            return None
    return Window(
        now.canary_requests - last.canary_requests,
        now.canary_errors - last.canary_errors,
        now.stable_requests - last.stable_requests,
        now.stable_errors - last.stable_errors,
    )


def _percent(ratio: float) -> str:
    """Write a ratio with one decimal, or with two digits where that would read as zero."""
    percent = 100.0 * ratio
    return f"{percent:.2g} %" if 0.0 < percent < 0.1 else f"{percent:.1f} %"


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")
