"""The harness: lead every contestant's rollouts over the same requests, and write down what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.canary.judge import Action, Actions, Bools, Briefing, Contestant, Counts, Floats, Side, Starts, Tick
from bench.canary.scenarios import TICK_S, Scenario
from bench.canary.traces import Slice, Traces

NEVER = -1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of rollouts: arrays with one element for each of them.

    `stopped` and `promoted` are seconds, or `NEVER`. `served` and `bad` are what the canary answered until it
    was stopped, or else in half an hour. `harm` is how many of its bad answers would have been good ones of
    stable; it is negative for a release that mends something.
    """

    stopped: Floats
    promoted: Floats
    served: Counts
    bad: Counts
    harm: Counts

    @classmethod
    def joined(cls, parts: Sequence["Outcome"]) -> "Outcome":
        """Return the outcomes of several chunks as one."""
        names = cls.__slots__
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


class _Run:
    """The rollouts of one contestant: where each of them is, and what it has cost."""

    def __init__(
        self, contestant: Contestant, briefing: Briefing, edges: tuple[float, ...], holds: bool
    ) -> None:
        self.contestant = contestant
        self.judge = contestant.start(briefing)
        self._weights = np.array([*contestant.ladder, 1.0])
        self._cuts = np.array([_nearest(edges, weight) for weight in self._weights])
        self._last = len(contestant.ladder) - holds
        rollouts = briefing.rollouts
        judge = self.judge
        self.step = judge.first() if isinstance(judge, Starts) else np.zeros(rollouts, dtype=np.int64)
        self.entered = np.zeros(rollouts, dtype=np.int64)
        self.stopped = np.full(rollouts, NEVER)
        self.promoted = np.full(rollouts, NEVER)
        self.totals = np.zeros((3, rollouts), dtype=np.int64)
        self._held = np.zeros((4, rollouts), dtype=np.int64)

    def follow(self, now: int, requests: Slice, seen: bool) -> None:
        """Serve one tick's requests, let the judge look if somebody scrapes, and do as it says."""
        rollouts = len(self.step)
        going = self.stopped == NEVER
        cut = np.where(going, self._cuts[self.step], 0)
        canary, stable, caused = _first(requests, rollouts).split(cut)
        self.totals += np.stack([canary.requests, canary.bad, caused])
        live = going if self.contestant.watches else going & (self.promoted == NEVER)
        if not live.any():
            return
        tick = Tick(
            now,
            self.step,
            now - self.entered,
            self._weights[self.step],
            live,
            *self._scraped(canary, stable, seen),
            seen,
        )
        self._apply(now, self.judge.look(tick), live)

    def _scraped(self, canary: Side, stable: Side, seen: bool) -> tuple[Side, Side]:
        """Counters tell nothing while nobody scrapes them, and everything since then at the next scrape."""
        fresh = np.stack([canary.requests, canary.bad, stable.requests, stable.bad])
        told = (self._held + fresh) * seen
        self._held = (self._held + fresh) * (not seen)
        return Side(told[0], told[1], canary.histogram), Side(told[2], told[3], stable.histogram)

    def _apply(self, now: int, actions: Actions, live: Bools) -> None:
        self.stopped[live & ((actions == Action.ABORT) | (actions == Action.ROLLBACK))] = now
        up = live & (actions == Action.ADVANCE) & (self.step < self._last)
        down = live & (actions == Action.LOWER) & (self.step > 0)
        self.step += up.astype(np.int64) - down
        self.entered[up | down] = now
        arrived = up & (self.step == len(self.contestant.ladder)) & (self.promoted == NEVER)
        self.promoted[arrived] = now

    def outcome(self) -> Outcome:
        """Return what became of the rollouts; a canary that is stopped serves and costs nothing more."""
        served, bad, harm = self.totals
        return Outcome(_seconds(self.stopped), _seconds(self.promoted), served, bad, harm)


CHUNK = 500
"""The rollouts whose traces are drawn together, from one seed."""


def run(scenario: Scenario, contestants: Sequence[Contestant], rollouts: int) -> dict[str, Outcome]:
    """Run so many rollouts of a scenario with every contestant; the same arguments give the same outcomes."""
    parts: dict[str, list[Outcome]] = {}
    most = max(each.most or rollouts for each in contestants)
    for start in range(0, min(rollouts, most), CHUNK):
        for name, part in _chunk(scenario, contestants, min(CHUNK, rollouts - start), start).items():
            parts.setdefault(name, []).append(part)
    return {name: Outcome.joined(each) for name, each in parts.items()}


def _chunk(
    scenario: Scenario, contestants: Sequence[Contestant], rollouts: int, start: int
) -> dict[str, Outcome]:
    """Run the rollouts from `start` on with those contestants that have not had enough of them."""
    traces = Traces(scenario, rollouts, scenario.seed(start // CHUNK))
    history = traces.history()
    runs = []
    for contestant in contestants:
        own = min(rollouts, (contestant.most or start + rollouts) - start)
        if own <= 0:
            continue
        known = Briefing(
            own, TICK_S, contestant.ladder, _told(history, own), scenario.truth, scenario.fewer_is_worse
        )
        runs.append(_Run(contestant, known, traces.edges, scenario.holds))
    for now, requests in enumerate(traces.ticks(), 1):
        seen = not scenario.gap[0] <= now < scenario.gap[1]
        for each in runs:
            each.follow(now, requests, seen)
    return {each.contestant.name: each.outcome() for each in runs}


def _told(history: Side, rollouts: int) -> Side:
    histogram = None if history.histogram is None else history.histogram[:rollouts]
    return Side(history.requests[:rollouts], history.bad[:rollouts], histogram)


def _first(requests: Slice, rollouts: int) -> Slice:
    """Return the requests of the first rollouts only."""
    if rollouts == len(requests.requests):
        return requests
    slow = [
        each if each is None else each[:rollouts] for each in (requests.slow_on_stable, requests.slow_on_canary)
    ]
    return Slice(
        requests.requests[:rollouts],
        requests.bad_on_stable[:rollouts],
        requests.bad_on_canary[:rollouts],
        *slow,
    )


def _nearest(edges: tuple[float, ...], weight: float) -> int:
    """Return the cut of a weight; hash space has to be cut there."""
    for number, edge in enumerate(edges):
        if abs(edge - weight) < 1e-9:
            return number
    raise ValueError(f"hash space is not cut at {weight}; the weights there are: {edges[1:]}")


def _seconds(ticks: Counts) -> Floats:
    return np.where(ticks == NEVER, float(NEVER), ticks * TICK_S)
