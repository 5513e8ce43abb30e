"""What is known from outside of the judge of a rollout: its state as it was stored, and what follows from it.

Whoever holds invariants asks the judge again, on what was stored: what the engine made of its answer is not
looked at.
"""

from dataclasses import dataclass

from davy.analysis.judge.state import JudgeState
from davy.analysis.judge.verdict import Action, verdict
from davy.analysis.judge.watch import Stepping, Watching
from davy.control.held import Watch
from davy.control.watching import STORE_S

_ENDS = (Action.ABORT, Action.ROLLBACK)
_TINY = 1e-6


@dataclass(slots=True)
class Bench:
    """The judge of one rollout.

    `counted_at` is when the proxy was last read, `most` the greatest share that this canary had so far (since
    it was doubted, of one that was), `word_at` the share of which the judge last said that there may be more of
    it, `unasked` the share from which the canary got more without, below 0 where it did not. `forgot` says what
    of the state before is not in the one that was stored last.
    """

    watch: Watch | None = None
    action: Action | None = None
    reason: str = ""
    stored_at: float = -1.0
    counted_at: float = -1.0
    most: float = 0.0
    word_at: float = -1.0
    unasked: float = -1.0
    forgot: str = ""

    @property
    def judge(self) -> JudgeState | None:
        """What the judge knew when it was last stored."""
        return None if self.watch is None else self.watch.judge

    @property
    def wants_back(self) -> bool:
        """Whether it said with what was last stored that all traffic has to go back."""
        return self.action in _ENDS

    def begin(self) -> None:
        """Begin with another attempt, which had no traffic yet."""
        self.most, self.word_at, self.unasked, self.action = 0.0, -1.0, -1.0, None

    def store(self, watch: Watch | None, now: float) -> None:
        """Read what was stored of it, and ask it what it says."""
        before, self.watch, self.stored_at = self.watch, watch, now
        self.forgot = "" if before is None or watch is None else _forgotten(before, watch)
        self.action, self.reason = None, "nothing is known"
        if self.judge is not None:
            found = verdict(self.judge, now)
            self.action, self.reason = found.action, found.reason
            if found.action is Action.ADVANCE:
                self.word_at = self.judge.weight

    def split(self, share: float) -> None:
        """See what share the canary has."""
        grew = 0.0 < self.most < share - _TINY
        self.unasked = self.most if grew and abs(self.word_at - self.most) > _TINY else -1.0
        self.most = max(self.most, share)

    def doubt(self) -> None:
        """See that it is compared in halves, and has to earn everything again."""
        self.most, self.word_at = 0.5, -1.0

    def lacks_word(self, share: float, now: float) -> str:
        """Say why the canary may not get more than its share now, or return an empty string."""
        if self.stored_at < now:
            return "what its judge knew is not stored with it"
        if self.action is not Action.ADVANCE or self.judge is None:
            return f"its judge says {self.action or 'nothing'}: {self.reason}"
        if abs(self.judge.weight - share) > _TINY:
            return f"its judge speaks of {100 * self.judge.weight:g} %, and it has {100 * share:g} %"
        return ""

    def lacks_bake(self, now: float) -> str:
        """Say why the canary may not be stable yet, or return an empty string."""
        if lacking := self.lacks_word(1.0, now):
            return lacking
        assert self.judge is not None, "it speaks"
        return "" if isinstance(self.judge.phase, Watching) else "its judge has not watched it with everything"

    def lacks_data(self, since: float, now: float) -> str:
        """Say what was not counted since the split is as it is, or return an empty string."""
        if self.counted_at <= since:
            return f"nothing was counted since the split is as it is, at {since:g} s"
        most = STALE_SCRAPES * self.judge.judge.scrape_s if self.judge is not None else 0.0
        if now - self.counted_at > most:
            return f"nothing was counted for {now - self.counted_at:g} s"
        return ""

    def is_late(self) -> bool:
        """Say whether more is not stored yet than may be lost."""
        judge = self.judge
        if judge is None or judge.last is None:
            return False
        return self.counted_at - judge.last.at > STORE_S + judge.judge.scrape_s


STALE_SCRAPES = 3
"""Looks without news after which nothing is known of what users get."""


def _forgotten(before: Watch, after: Watch) -> str:
    """Say what a judge knew of the same attempt and does not know any more."""
    ours, theirs = ((each.hash, each.attempt, each.number, each.stable) for each in (before, after))
    old, new = before.judge, after.judge
    if ours != theirs or old is None or new is None:
        return ""
    seen = [each.windows + each.gaps for each in (old, new)]
    if seen[1] < seen[0]:
        return f"it had taken in {seen[0]} looks, and has {seen[1]}"
    if isinstance(old.phase, Watching) and isinstance(new.phase, Stepping):
        return "it had watched the version with everything, and has it at its steps"
    return ""
