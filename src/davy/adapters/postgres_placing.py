"""What a sequencer works out before it writes: which place each event gets, and what that makes of the tree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

import msgspec

from davy.adapters.postgres_schema import TREE_STEP
from davy.ledger.entry import Draft, decode, encode, refusal, same_event
from davy.ledger.log import Receipt
from davy.ledger.payload import PAYLOAD, fit
from davy.ledger.people import hidden
from davy.ledger.tree import Frontier, leaf_hash, node_hash

WHY = "another event of the same source and id is on record"


class Item(msgspec.Struct, frozen=True, array_like=True):
    """A draft as it is handed in: its bytes, and what is needed to find it again.

    `payload` is its detail where that is too large for an entry, and `whole` the SHA-256 of all its bytes then.
    """

    uid: bytes | None
    subject: bytes
    kind: str
    body: bytes
    payload: bytes = b""
    whole: str = ""

    @classmethod
    def of(cls, named: Draft, pseudonyms: Mapping[str, str]) -> "Item":
        """Make one of a draft, with pseudonyms for the names of people."""
        draft = hidden(named, pseudonyms)
        fitted, body, payloads = fit(draft)
        uid = None if draft.uid is None else sha256(draft.uid.encode()).digest()
        subject = fitted.subject.encode()
        if not payloads:
            return cls(uid, subject, fitted.kind, body)
        [payload] = payloads.values()
        return cls(uid, subject, fitted.kind, body, payload, sha256(encode(draft)).hexdigest())

    def refused(self, known: int) -> "Item":
        """Return what goes on record instead of it: it contradicts the entry in a place."""
        entry = decode(self.body, known)
        draft = Draft(
            entry.at,
            entry.kind,
            entry.subject,
            source=entry.source,
            id=entry.id,
            authenticated=entry.authenticated,
            received=entry.received,
        )
        instead = refusal(draft, known, WHY)
        whole = self.whole or sha256(self.body).hexdigest()
        return Item.of(msgspec.structs.replace(instead, detail=instead.detail | {"sha256": whole}), {})


class Group(msgspec.Struct, frozen=True):
    """What was handed in together, under a ticket of its own; `once` lets none be written twice."""

    ticket: str
    items: Sequence[Item]
    once: bool = True


class Known(NamedTuple):
    """An event that is on record."""

    seq: int
    body: bytes


class Row(NamedTuple):
    """A row of the ledger."""

    seq: int
    uid: bytes | None
    subject: bytes
    kind: str
    body: bytes
    leaf: bytes


@dataclass(slots=True)
class Placed:
    """A tree that grew, and the rows that made it grow.

    Args:
        tree: as it was; it grows.
        known: what is on record of the events that are handed in, by uid.
    """

    tree: Frontier
    known: dict[bytes, Known]
    rows: list[Row] = field(default_factory=list)
    nodes: list[tuple[int, int, bytes]] = field(default_factory=list)
    payloads: dict[tuple[str, str], bytes] = field(default_factory=dict)
    receipts: dict[str, tuple[Receipt, ...]] = field(default_factory=dict)

    def add(self, group: Group) -> None:
        """Give what was handed in together its places."""
        add = self._once if group.once else self._written
        self.receipts[group.ticket] = tuple(map(add, group.items))

    def _once(self, item: Item) -> Receipt:
        """Place an event unless it is known."""
        known = None if item.uid is None else self.known.get(item.uid)
        if known is None:
            return self._written(item)
        if same_event(known.body, item.body):
            return Receipt("known", known.seq)
        return Receipt("refused", self._written(item.refused(known.seq)).seq)

    def _written(self, item: Item) -> Receipt:
        """Place an item whatever is known; whoever had its uid first keeps it."""
        leaf = leaf_hash(item.body)
        self.nodes += [node for node in self.tree.append(leaf) if node[0] % TREE_STEP == 0]
        uid = None if item.uid in self.known else item.uid
        self.rows.append(Row(self.tree.size, uid, item.subject, item.kind, item.body, leaf))
        if uid is not None:
            self.known[uid] = Known(self.tree.size, item.body)
        if item.payload:
            self.payloads[PAYLOAD, sha256(item.payload).hexdigest()] = item.payload
        return Receipt("written", self.tree.size)


def fold(hashes: Sequence[bytes], levels: int) -> list[bytes]:
    """Return the hashes so many levels above those of complete subtrees."""
    found = list(hashes)
    for _ in range(levels):
        found = [node_hash(left, right) for left, right in zip(found[::2], found[1::2], strict=False)]
    return found
