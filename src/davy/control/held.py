"""What the loop holds in memory of one rollout, and what of it is stored."""

from dataclasses import dataclass, field

import msgspec

from davy.analysis.guard import Guard
from davy.ledger.entry import Draft
from davy.model.key import Key
from davy.model.rollout import Rollout
from davy.rollout.platform import Desired
from davy.rollout.state import RolloutState

PORT_ANNOTATION = "davy.dev/port"


class Watch(msgspec.Struct, frozen=True):
    """The guard of one attempt at one revision; another attempt gets a guard of its own."""

    hash: str
    attempt: int
    guard: Guard


@dataclass(slots=True)
class Held:
    """One rollout between two turns.

    `steered` is what the platform was last told, None when it has to be told again; `trouble` says why the last
    turn could not be finished; `unsaved` are entries of an abort that nothing could be written down of yet.
    """

    manifest: Rollout
    state: RolloutState
    watch: Watch | None = None
    steered: Desired | None = None
    trouble: str = ""
    unsaved: list[Draft] = field(default_factory=list)

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
