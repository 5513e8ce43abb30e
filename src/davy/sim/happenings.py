"""What happens in a world: values that the history takes in and the invariants are held against.

They are what an observer sees who stands between the engine and the world, and who knows what the engine
cannot know: which requests reached which version, and what the providers really said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from davy.ledger.entry import Draft, Entry
from davy.ledger.store import Record
from davy.model.key import Key
from davy.rollout.platform import Desired

Found: TypeAlias = Literal["good", "bad", "unknown"]
Answer: TypeAlias = Literal["done", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Asked:
    """An engine told the platform what it wants of a rollout; `before` is what had been wanted until then."""

    key: Key
    desired: Desired
    before: Desired | None


@dataclass(frozen=True, slots=True)
class Leased:
    """An engine was given the lease; `held_until` is when that of another would have run out."""

    epoch: int
    held_until: float


@dataclass(frozen=True, slots=True)
class Wrote:
    """The engine of an epoch wrote to the store, or had its way with the platform."""

    epoch: int
    what: str


@dataclass(frozen=True, slots=True)
class SplitChanged:
    """Another split is in force: the share of each hash, before and after."""

    key: Key
    before: Mapping[str, float]
    after: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Committed:
    """The store wrote records and entries."""

    changes: Mapping[Record, bytes | None]
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Unwritten:
    """The store was asked to write and could not."""

    changes: Mapping[Record, bytes | None]
    drafts: Sequence[Draft]


@dataclass(frozen=True, slots=True)
class Served:
    """Users were answered by a version."""

    key: Key
    hash: str


@dataclass(frozen=True, slots=True)
class Counted:
    """The counters of the proxy were read, so that the engine sees what users of a rollout got until now."""

    key: Key


@dataclass(frozen=True, slots=True)
class Measured:
    """A provider answered about a version."""

    key: Key
    hash: str
    found: Found


@dataclass(frozen=True, slots=True)
class Wished:
    """A person asks for something; what they want may come about from here on."""

    key: Key
    action: str


@dataclass(frozen=True, slots=True)
class Acted:
    """A person asked for something, and got an answer: it is done, it is refused, or it could not be done."""

    key: Key
    action: str
    reason: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Died:
    """An engine lost what it held in memory; `noted` are the subjects that the spool has a note of."""

    noted: frozenset[str]


@dataclass(frozen=True, slots=True)
class Turned:
    """The engine took a turn of every rollout; `deaf` are those whose data plane does not acknowledge."""

    deaf: frozenset[Key]


@dataclass(frozen=True, slots=True)
class Rested:
    """Nothing is under way any more, and nothing is broken."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """Everything has been well for long, and something is under way still."""

    what: str


Happening: TypeAlias = (
    Asked
    | Leased
    | Wrote
    | SplitChanged
    | Committed
    | Unwritten
    | Served
    | Counted
    | Measured
    | Wished
    | Acted
    | Died
    | Turned
    | Rested
    | Overdue
)
