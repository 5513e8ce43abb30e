"""What the loop holds in memory of one rollout, and what of it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from davy.analysis.guard import Guard
from davy.analysis.tally import Tally
from davy.ledger.entry import Draft
from davy.ledger.store import Record
from davy.model.key import Key
from davy.model.rollout import Rollout
from davy.rollout.platform import Desired
from davy.rollout.state import Promoting, RolloutState, Stepping

PORT_ANNOTATION = "davy.dev/port"


class Watch(msgspec.Struct, frozen=True):
    """The guard of one attempt at one revision; another attempt gets a guard of its own.

    The number tells two updates to the same version apart.
    """

    hash: str
    attempt: int
    guard: Guard
    number: int = 0

    def is_of(self, state: RolloutState) -> bool:
        """Whether it watches the attempt that a rollout is at."""
        attempt = state.current, state.attempt, state.newest.number
        return (self.hash, self.attempt, self.number) == attempt


@dataclass(slots=True)
class Held:
    """One rollout between two turns.

    `steered` is what the platform was last told, None when it has to be told again; `trouble` says why the last
    turn could not be finished; `unsaved` are entries of an abort that nothing could be written down of yet, and
    `unsaved_changes` the records that belong to them. `counted` is what users had got at the last look;
    `ripening` says that a replica has yet to be ready for a while, which nobody will tell.
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
    def counting(self) -> bool:
        """Whether what users get matters: to the guard of an update, or to know the first who met a version."""
        unseen = any(each.sends_users and each.exposed_at is None for each in self.state.revisions)
        if unseen or self.state.newest.exposed_at is None:
            return True
        return isinstance(self.state.progress, Stepping | Promoting)

    def learns_from(self, counters: Mapping[str, Tally]) -> bool:
        """Whether the counters have something new: other counts, or the first after a change of weight."""
        watched = self.watch is not None and self.watch.guard.changed_at is not None
        return counters != self.counted or (watched and isinstance(self.state.progress, Stepping | Promoting))
