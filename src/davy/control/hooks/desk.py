"""Takes deliveries in: who sent it, what it says, whether they may, and what became of it in the ledger."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import msgspec

from davy.analysis.provider import ProviderError, SecretSource
from davy.analysis.secret import Secret
from davy.control.hooks.delivery import BadPayload, Delivery
from davy.control.hooks.schemes import SCHEMES
from davy.control.hooks.source import SecretKey, Source
from davy.control.hooks.speaking import is_safe, outside
from davy.errors import UsageError
from davy.ledger.entry import Draft, refusal
from davy.ledger.log import Log, Receipt

Outcome = Literal["written", "known", "refused", "outside"]


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one event; `seq` is the place of the entry that holds it, or says why it was refused."""

    kind: str
    subject: str
    outcome: Outcome
    seq: int
    why: str = ""


class Taken(msgspec.Struct, frozen=True):
    """What became of a delivery: of each of its events, and what the sender should know."""

    source: str
    events: tuple[Told, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a delivery says, before it is written down.

    Args:
        source: who says so.
        told: its events.
        whys: of each, why the source may not tell it; empty where it may.
        drafts: what there is to be written, for each of its events and for what the sender has left out.
        notes: what the sender should know.
    """

    source: str
    told: tuple[Draft, ...]
    whys: tuple[str, ...]
    drafts: tuple[Draft, ...]
    notes: tuple[str, ...]

    def taken(self, receipts: Sequence[Receipt]) -> Taken:
        """Say what became of it, now that all drafts are in the log."""
        events = tuple(
            Told(draft.kind, draft.subject, "outside" if why else receipt.outcome, receipt.seq, why)
            for draft, why, receipt in zip(self.told, self.whys, receipts, strict=False)
        )
        return Taken(self.source, events, self.notes)


class CannotTell(Exception):
    """A secret cannot be read, so that nobody knows who it is."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Takes in what senders deliver.

    Args:
        sources: who may send.
        secrets: where their secrets are.
        log: where events are to be written down.
        clock: tells when we were told, in seconds since the epoch by the clock of the ledger.
    """

    sources: tuple[Source, ...]
    secrets: SecretSource
    log: Log
    clock: Callable[[], float]

    def sender(self, scheme: str, delivery: Delivery) -> tuple[Source, str] | None:
        """Say who sent a delivery and how that is known, None where it is nobody who may.

        All secrets of all sources of the scheme are tried, whichever is right.

        Raises:
            CannotTell: no secret is right, and one of them cannot be read.
        """
        found: list[tuple[Source, str]] = []
        unread = False
        for source in self.sources:
            if source.scheme != scheme:
                continue
            for key in source.secrets:
                try:
                    secret = self._secret(key)
                except ProviderError:
                    unread = True
                    continue
                how = SCHEMES[scheme].authentic(delivery, secret)
                found += [(source, how)] if how else []
        if not found and unread:
            raise CannotTell
        return found[0] if found else None

    def read(self, source: Source, how: str, delivery: Delivery) -> Reading:
        """Say what there is to be written down of what a source says; what it may not say is, as refused.

        Nothing is written yet. Writing the same delivery twice has the effect of writing it once.

        Raises:
            BadPayload: it says nothing that can be read.
        """
        scheme = SCHEMES[source.scheme]
        meaning = scheme.means(delivery, source)
        received, name = self.clock(), delivery.header(scheme.delivery)[:100] if scheme.delivery else ""
        shown = name if name.isascii() and name.isprintable() else ""
        way = f"{how}, body sha256:{sha256(delivery.body).hexdigest()}" + (
            f", delivery {shown}" if shown else ""
        )
        told = [msgspec.structs.replace(each, authenticated=way, received=received) for each in meaning.drafts]
        if not all(map(is_safe, told)):
            raise BadPayload("a name in it has control characters, is too long or empty")
        whys = [outside(draft, source) for draft in told]
        at = max((each.at for each in told), default=0.0)
        lost = [_lost(why, at, source, delivery, way, received) for why in meaning.lost]
        drafts = [_forbidden(one, why, source) if why else one for one, why in zip(told, whys, strict=True)]
        notes = (*meaning.notes, *meaning.lost)
        return Reading(source.name, tuple(told), tuple(whys), (*drafts, *lost), notes)

    def check_secrets(self) -> None:
        """Make sure that there are secrets to know senders by, and that no two sources have the same one.

        Raises:
            ProviderError: one cannot be read.
            UsageError: one is missing, or tells nobody which of two sources it is.
        """
        known: dict[str, Source] = {}
        for source in self.sources:
            for key in source.secrets:
                secret = self._secret(key).reveal()
                if known.setdefault(f"{source.scheme} {secret}", source) is not source:
                    other = known[f"{source.scheme} {secret}"].name
                    raise UsageError(
                        f"the sources {other} and {source.name} have the same secret: nobody knows who it is",
                        hint="give each source a secret of its own",
                    )

    def _secret(self, key: SecretKey) -> Secret:
        secret = self.secrets.find(key.namespace, key.name, key.key)
        if secret is None:
            hint = self.secrets.place(key.namespace, key.name, key.key)
            raise ProviderError(
                f"there is no secret {key.namespace}/{key.name} with a key {key.key}", hint=hint
            )
        return secret


def _forbidden(draft: Draft, why: str, source: Source) -> Draft:
    """Return what goes on record of an event that its source may not tell; the same each time it tries."""
    plain = msgspec.structs.replace(draft, received=None, authenticated="", actor="davy")
    entry = refusal(plain, 0, why)
    return msgspec.structs.replace(
        entry,
        source=f"davy/hooks/{source.name}",
        id=f"refused/{entry.detail['sha256']}",
        authenticated=draft.authenticated,
        received=draft.received,
    )


def _lost(why: str, at: float, source: Source, delivery: Delivery, way: str, received: float) -> Draft:
    """Return what goes on record of what a sender left out."""
    digest = sha256(delivery.body).hexdigest()
    detail = {"source": source.name, "id": digest, "kind": "", "contradicts": 0, "why": why}
    return Draft(
        at,
        "event_refused",
        f"Source {source.name}",
        detail,
        "davy",
        "",
        f"davy/hooks/{source.name}",
        f"lost/{digest}",
        way,
        received,
    )


def outcomes(told: Sequence[Told]) -> frozenset[Outcome]:
    """Return what became of events, each outcome once."""
    return frozenset(each.outcome for each in told)
