"""What the loop holds in memory of one rollout, and what of it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from davy.analysis.guard import Guard
from davy.analysis.judge.known import RatioKnown
from davy.analysis.judge.race import Window
from davy.analysis.judge.settings import ERROR_RATIO
from davy.analysis.judge.state import JudgeState
from davy.analysis.tally import Tally
from davy.ledger.entry import Draft
from davy.ledger.store import Record
from davy.model.key import Key
from davy.model.rollout import Rollout
from davy.rollout.platform import Desired
from davy.rollout.state import UNDERWAY, Previewing, RolloutState, Verifying

PORT_ANNOTATION = "davy.dev/port"


class Watch(msgspec.Struct, frozen=True):
    """What watches one attempt at one revision: the guard or, where there is one, a judge in its place.

    Another attempt gets a guard of its own; a judge keeps what it knows. The number tells two updates to the
    same version apart. `stable` is the version that a judge compares with; while it only learns how that one
    is, `hash` is empty. `changed_at` is when the split was last told to change, `proven` whether the canary had
    shown all that was asked when it last got more. `restarts` is how often the counts of canary and stable had
    begun anew by the last look, None where an earlier engine took it.
    """

    hash: str
    attempt: int
    guard: Guard | None = None
    number: int = 0
    judge: JudgeState | None = None
    stable: str = ""
    changed_at: float | None = None
    proven: bool = False
    restarts: tuple[int, int] | None = None

    def is_of(self, state: RolloutState) -> bool:
        """Whether it watches the attempt that a rollout is at."""
        attempt = state.current, state.attempt, state.newest.number
        return (self.hash, self.attempt, self.number) == attempt

    def taken_up(self) -> "Watch":
        """Return it as another engine goes on with it, which counts anew how long answers take."""
        if self.judge is None or self.judge.last is None:
            return self
        last = self.judge.last
        canary, stable = (msgspec.structs.replace(side, histogram=()) for side in (last.canary, last.stable))
        last = msgspec.structs.replace(last, canary=canary, stable=stable)
        judge = msgspec.structs.replace(self.judge, last=last)
        return msgspec.structs.replace(self, judge=judge, restarts=None)

    @property
    def seen(self) -> Window:
        """Requests and errors of both versions that were compared."""
        if self.judge is None:
            return Window() if self.guard is None else self.guard.seen
        errors = self.judge.known.get(ERROR_RATIO)
        return errors.seen if isinstance(errors, RatioKnown) else Window()


@dataclass(slots=True)
class Held:
    """One rollout between two turns.

    `steered` is what the platform was last told, None when it has to be told again; `trouble` says why the last
    turn could not be finished; `unsaved` are entries of an abort that nothing could be written down of yet, and
    `unsaved_changes` the records that belong to them. `counted` is what users had got at the last look;
    `ripening` says that a replica has yet to be ready for a while, which nobody will tell. `unread` says what
    its judge was not told at the last look, and `watched_at` is when the watch was last written down.
    """

    manifest: Rollout
    state: RolloutState
    watch: Watch | None = None
    steered: Desired | None = None
    trouble: str = ""
    unsaved: list[Draft] = field(default_factory=list)
    unsaved_changes: dict[Record, bytes | None] = field(default_factory=dict)
    counted: Mapping[str, Tally] = field(default_factory=dict)
    ripening: bool = False
    unread: str = ""
    watched_at: float = 0.0

    @property
    def is_late(self) -> bool:
        """Whether something of an abort is not written down yet."""
        return bool(self.unsaved or self.unsaved_changes)

    @property
    def key(self) -> Key:
        """The name of the rollout."""
        return self.manifest.key

    @property
    def subject(self) -> str:
        """What entries about this rollout are filed under."""
        return f"Rollout {self.key}"

    @property
    def port(self) -> int | None:
        """The port that the manifest asks for, None when any will do."""
        wanted = self.manifest.metadata.annotations.get(PORT_ANNOTATION)
        return int(wanted) if wanted else None

    @property
    def unfinished(self) -> bool:
        """Whether the last turn has to be taken again soon, though nothing happens."""
        return bool(self.trouble or self.is_late or self.ripening)

    @property
    def judge(self) -> JudgeState | None:
        """What its judge knows, None where it has none."""
        return None if self.watch is None else self.watch.judge

    @property
    def counting(self) -> bool:
        """Whether what users get matters: to who watches an update, or to know the first who met a version."""
        return self._is_unmet or self.judge is not None or is_compared(self.state)

    def learns_from(self, counters: Mapping[str, Tally]) -> bool:
        """Whether a look at the counters asks for a turn: other counts, or the first after a change of weight.

        A judge has to notice that there is nothing new, too, while it is asked about traffic.
        """
        if counters != self.counted:
            return self.judge is None or is_compared(self.state) or self._is_unmet
        if not is_compared(self.state):
            return False
        return self.judge is not None or (
            self.watch is not None and self.watch.guard is not None and self.watch.guard.changed_at is not None
        )

    @property
    def _is_unmet(self) -> bool:
        """Whether it has yet to come out who met the newest version first, or one that was sent users."""
        unseen = any(each.sends_users and each.exposed_at is None for each in self.state.revisions)
        return unseen or self.state.newest.exposed_at is None


def is_compared(state: RolloutState) -> bool:
    """Say whether an update is under way that has a stable version beside it to be compared with."""
    return isinstance(state.progress, UNDERWAY) and not isinstance(state.progress, Previewing | Verifying)
