"""One rollout under judgement: what was asked of it, what was counted, what the judge knows.

A case is a value, stored as JSON; a server that is started again goes on with the same numbers.
"""

import math
from typing import Self

import msgspec

from davy.analysis.counted.buckets import COARSE, widest
from davy.analysis.counted.feed import Counted, Feed, scrapes
from davy.analysis.counted.look import History, Look
from davy.analysis.judge import (
    Action,
    DataState,
    Judge,
    JudgeState,
    Scrape,
    Verdict,
    observe,
    resume,
    start,
    verdict,
)
from davy.control.court.asked import Answer, Asked, answer_of
from davy.errors import UsageError

ATTENTION_S = 600.0
"""A rollout that nobody asked about for so long is looked at no more; asked again it is another attempt."""

HISTORY_S = 600.0
"""So much of stable's past is read when judging begins."""

SURE = 4.0
"""So many standard deviations, and `MATTERS`, make another weight of what is counted."""

MATTERS = 1.3


class Case(msgspec.Struct, frozen=True):
    """What is known of one rollout.

    Args:
        asked: the question, each part as it was given last.
        asked_at: when somebody last asked.
        interval_s: how often counters are read.
        state: what the judge knows.
        feed: what was counted.
        weight: the canary's part of the traffic that counts belong to.
        moving: another weight and since when it is said to be, until there is a sample from then.
        begun: whether stable's past was read.
        told: whether an abort is in the ledger.
        attempt: counts the versions and attempts that were judged.
    """

    asked: Asked
    asked_at: float
    interval_s: float
    state: JudgeState
    feed: Feed = Feed()
    weight: float = 0.0
    moving: tuple[float, float] | None = None
    begun: bool = False
    told: bool = False
    attempt: int = 1

    @classmethod
    def opened(cls, asked: Asked, judge: Judge, now: float) -> Self:
        """Begin to judge.

        Raises:
            UsageError: the question does not say which two versions.
        """
        if not (asked.canary and asked.stable):
            raise UsageError(
                "which two versions? Nothing is known of this rollout yet",
                hint="canary= and stable= are their pod-template-hashes",
            )
        weight = asked.weight or 0.0
        return cls(asked, now, judge.scrape_s, start(judge, asked.canary), weight=weight)

    def attended(self, now: float) -> bool:
        """Say whether somebody asked lately."""
        return now - self.asked_at <= ATTENTION_S

    def under(self, judge: Judge) -> Self:
        """Go on with what a Judge says by now; other metrics are judged from the beginning."""
        current = msgspec.structs.replace(judge, scrape_s=self.state.judge.scrape_s)
        if current == self.state.judge and judge.scrape_s == self.interval_s:
            return self
        if judge.metrics != self.state.judge.metrics:
            state = start(judge, self.asked.canary)
            return msgspec.structs.replace(
                self, state=state, interval_s=judge.scrape_s, feed=Feed(), begun=False, told=False
            )
        state = msgspec.structs.replace(self.state, judge=current)
        return msgspec.structs.replace(self, state=state, interval_s=judge.scrape_s)._paced()

    def ask(self, asked: Asked, now: float) -> Self:
        """Take in another question about the rollout."""
        before = self.asked
        asked = msgspec.structs.replace(
            asked,
            canary=asked.canary or before.canary,
            stable=asked.stable or before.stable,
            step=asked.step or before.step,
            weight=before.weight if asked.weight is None else asked.weight,
            words={**before.words, **asked.words},
        )
        case = msgspec.structs.replace(self, asked=asked, asked_at=now)
        if (asked.canary, asked.stable) != (before.canary, before.stable) or not self.attended(now):
            return case._again(before)
        wanted = asked.weight
        if wanted is not None and wanted != (self.moving[0] if self.moving else self.weight):
            case = msgspec.structs.replace(case, moving=(wanted, now))
        return case

    def learn(self, history: History) -> Self:
        """Take in stable's past."""
        state = self.state
        for scrape in scrapes(history):
            state = observe(state, scrape)
        state = msgspec.structs.replace(state, last=None)
        feed = msgspec.structs.replace(self.feed, spacing_s=history.spacing_s or self.feed.spacing_s)
        return msgspec.structs.replace(self, state=state, feed=feed, begun=True)._paced()

    def look(self, canary: Look, stable: Look) -> Self:
        """Take in a look at both versions; one without news changes nothing."""
        feed, scrape = self.feed.take(canary, stable, weight=self.weight)
        if scrape is None:
            return self
        case = msgspec.structs.replace(self, feed=feed)
        weight = case._weight(scrape)
        if weight != self.weight:
            scrape = msgspec.structs.replace(scrape, weight=weight, changed=True)
            case = msgspec.structs.replace(case, weight=weight, moving=None)
        return msgspec.structs.replace(case._paced(), state=observe(case._paced().state, scrape))

    def answer(self, now: float, trouble: str = "") -> Answer:
        """Say what to do now; `trouble` is why counters could not be read the last time."""
        said = verdict(self.state, now)
        if trouble and said.action not in (Action.ABORT, Action.ROLLBACK):
            said = held(said, trouble)
        elif said.action is Action.ADVANCE and self.moving is not None:
            told = f"no counters since the canary has {100 * self.moving[0]:g} % of the traffic"
            said = held(said, told, DataState.NO_DATA)
        elif said.action is Action.ADVANCE and self.asked.weight is None:
            # What is true of this step would be said of the next one, too, as long as requests are few.
            said = held(
                said, "it may have more, but who asks has to say weight=: which step this is", said.data.state
            )
        return answer_of(said, self._notes())

    def _again(self, before: Asked) -> Self:
        """Begin another attempt, of the same version or of another one."""
        asked, feed = self.asked, self.feed
        if asked.canary != before.canary:
            feed = msgspec.structs.replace(feed, canary=Counted())
        if asked.stable != before.stable:
            feed = Feed(spacing_s=feed.spacing_s)
        return msgspec.structs.replace(
            self,
            state=resume(self.state, asked.canary),
            feed=feed,
            weight=asked.weight or 0.0,
            moving=None,
            begun=self.begun and asked.stable == before.stable,
            told=False,
            attempt=self.attempt + 1,
        )

    def _paced(self) -> Self:
        """Wait for news as long as the store makes us wait: it scrapes when it does."""
        scrape_s = max(self.interval_s, self.feed.spacing_s or 0.0)
        if scrape_s == self.state.judge.scrape_s:
            return self
        judge = msgspec.structs.replace(self.state.judge, scrape_s=scrape_s)
        return msgspec.structs.replace(self, state=msgspec.structs.replace(self.state, judge=judge))

    def _weight(self, scrape: Scrape) -> float:
        """Return the weight that counts belong to from this scrape on."""
        if self.moving is not None:
            wanted, since = self.moving
            return wanted if scrape.at > since else self.weight
        if self.asked.weight is not None:
            return self.asked.weight
        last = self.state.last
        if last is None:
            return self.weight
        return self._shared(
            scrape.canary.requests - last.canary.requests, scrape.stable.requests - last.stable.requests
        )

    def _shared(self, ours: int, theirs: int) -> float:
        """Return the weight that the counts show, if it is another one for sure."""
        tried = ours + theirs
        if tried <= 0 or ours < 0 or theirs < 0:
            return self.weight
        share, weight = ours / tried, self.weight
        if not 0.0 < weight < 1.0:
            return round(share, 4) if 0 < ours < tried else weight
        spread = SURE * math.sqrt(weight * (1.0 - weight) / tried)
        ratio = max(share / weight, weight / share if share else math.inf)
        return round(share, 4) if abs(share - weight) > spread and ratio > MATTERS else weight

    def _notes(self) -> tuple[str, ...]:
        """Say what the numbers do not."""
        notes = []
        if self.asked.weight is None:
            notes.append("the weight is what was counted, since nobody says it")
        feed = self.feed
        if self.state.windows and not (feed.stable.errors.last or feed.canary.errors.last):
            notes.append("no error was ever counted, of either version: is the query for errors right?")
        if feed.bounds:
            ratio = widest(feed.stable.buckets or (0,) * (len(feed.bounds) + 1), feed.bounds)
            if ratio > COARSE:
                notes.append(
                    f"buckets of latency are up to {ratio:.2g} wide: what is slower within one is not seen"
                )
            if feed.canary.known and feed.canary.requests.total and not any(feed.canary.buckets):
                notes.append("the canary has no latency in the buckets of stable: latency is not judged")
        return tuple(notes)


def held(said: Verdict, reason: str, state: DataState = DataState.STALE) -> Verdict:
    """Return a verdict that nothing moves by."""
    data = msgspec.structs.replace(said.data, state=state)
    return msgspec.structs.replace(said, action=Action.HOLD, next_weight=said.weight, reason=reason, data=data)
