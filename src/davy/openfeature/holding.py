"""What is in force: a document, how far it is believed, and what is answered by it.

Everything that an evaluation needs hangs on one reference, so another document or another status is one
assignment: an evaluation sees the one or the other, never half of each.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from msgspec.structs import replace

from davy.errors import DavyError
from davy.flags.definition import Definition, Definitions
from davy.flags.details import Details, ErrorCode, FlagType, Json, Reason
from davy.flags.evidence import Evidence
from davy.flags.failing import CALLERS_FAULT, declared, on_error
from davy.flags.flagset import FlagSet
from davy.flags.gate import enforced, is_baked
from davy.flags.governance import Criticality, FlagKind, OnError
from davy.flags.reading import Reader
from davy.model.key import Key
from davy.openfeature.counting import Counting, Counts
from davy.openfeature.keeping import Keeping
from davy.openfeature.source import Document

Evaluate = Callable[[str, FlagType, Json, Mapping[str, Any]], Details]
"""Answers for a key, a type, the caller's default and a context."""


class Status(StrEnum):
    """How far what is held can be believed, in the words of the OpenFeature specification (section 1.7)."""

    NOT_READY = "NOT_READY"
    READY = "READY"
    STALE = "STALE"
    ERROR = "ERROR"


class Lapse(Enum):
    """Of which flags what is known has lapsed, so that each answers by its `onError`."""

    NONE = "of none"
    CRITICAL = "of those that a kill must be able to reach"
    ALL = "of all"


class Grace(NamedTuple):
    """How long what was known last is answered while nothing is heard, in seconds since the last word.

    A server that is away must not change what users get, in either direction; but meanwhile no kill arrives
    either. So it ends, earlier for kill switches and for flags of high criticality.
    """

    hold_s: float = 3600.0
    hold_critical_s: float = 900.0

    def lapse(self, age_s: float) -> Lapse:
        """Say of which flags what was known so long ago has lapsed."""
        if age_s > self.hold_s:
            return Lapse.ALL
        return Lapse.CRITICAL if age_s > self.hold_critical_s else Lapse.NONE


GRACE = Grace()


class Gate(NamedTuple):
    """What closes flags in a document, whatever it says.

    Args:
        environment: whether gates can be shut here at all (`davy.flags.gate.is_guarded`).
        evidence: the canaries that passed.
        killed: keys of flags that are off, whatever a document says.
        artifact: the hash of the pod template that this instance was started from.
        unsaid: whether only those flags are looked at of which the document does not say how their gate is:
            a server has opened and closed the others.
    """

    environment: str
    evidence: Mapping[Key, Sequence[Evidence]] = MappingProxyType({})
    killed: Collection[str] = ()
    artifact: str = ""
    unsaid: bool = False

    def applied(self, definitions: Definitions) -> Definitions:
        """Return a document with its closed gates and kills in it."""
        closed = enforced(definitions, self.environment, self.evidence, self.killed, self.artifact)
        if not self.unsaid:
            return closed
        opened = {key: flag for key, flag in definitions.flags.items() if _is_opened(flag)}
        return replace(closed, flags={**closed.flags, **opened})


class Announce(Protocol):
    """Is told what changed, for who listens to events."""

    def __call__(self, status: Status, *, flags: Sequence[str] | None = None, why: str = "") -> None:
        """Take in a status, the keys that are not what they were, and why."""
        ...


class Held:
    """A document in force; never changed, only replaced.

    Args:
        definitions: with gates and kills in them.
        document: as it was received.
        status: how far it is believed.
        counts: where its evaluations are counted.
        flags: it, compiled.
        lapse: while it is stale, which flags answer by their `onError`.
    """

    def __init__(
        self,
        definitions: Definitions,
        document: Document,
        status: Status,
        counts: Counts,
        flags: FlagSet,
        lapse: Lapse = Lapse.NONE,
    ) -> None:
        self.definitions = definitions
        self.document = document
        self.status = status
        self.lapse = lapse if status is Status.STALE else Lapse.NONE
        self.counts = counts
        self.known = counts.known
        self.flags = flags
        self.fixed = flags.fixed
        self.evaluate: Evaluate = self._stale if status is Status.STALE else flags.evaluate
        self._safe_flags: FlagSet | None = None

    def believed(self, status: Status, lapse: Lapse = Lapse.NONE) -> "Held":
        """Return the same document with another status; what was counted stays together."""
        return Held(self.definitions, self.document, status, self.counts, self.flags, lapse)

    def lapsed(self, key: str) -> bool:
        """Say whether a flag answers by its `onError`, for want of anything that is known of it."""
        if self.lapse is Lapse.NONE or self.mode(key) not in (OnError.SAFE, OnError.CODE):
            return False
        return self.lapse is Lapse.ALL or _is_critical(self._declared(key))

    def all_lapsed(self) -> set[str]:
        """Name the flags that answer by their `onError`."""
        return set() if self.lapse is Lapse.NONE else set(filter(self.lapsed, self.flags.keys()))

    def mended(self, key: str, kind: FlagType, default: Json, failed: Details) -> Details:
        """Return what is answered where a rule could not be evaluated: the safe value, unless code decides."""
        mode = self.mode(key)
        if mode is None or mode is OnError.CODE or failed.error_code in CALLERS_FAULT:
            return failed
        return self.safely(key, kind, default, Reason.ERROR, str(failed.error_code))

    def safely(self, key: str, kind: FlagType, default: Json, reason: Reason, failure: str) -> Details:
        """Return the safe value of a flag that declares one."""
        found = self._safe().evaluate(key, kind, default, {})
        if found.error_code is not None:
            return found
        told = {**found.metadata, "failMode": "safe", "failure": failure}
        return Details(found.value, found.variant, reason, None, "", told)

    def mode(self, key: str) -> OnError | None:
        """Return what a flag declares for when nothing can be known; None where it declares nothing safe.

        What is closed or killed declares nothing else than what it answers already. A flag that cannot be read
        declares what remains of it, or what it declared in an earlier document.
        """
        return on_error(self._declared(key))

    def _declared(self, key: str) -> Definition | None:
        return declared(self.definitions, key)

    def _stale(self, key: str, kind: FlagType, default: Json, context: Mapping[str, Any]) -> Details:
        """Answer while nobody knows whether the document still holds."""
        if self.lapsed(key):
            if self.mode(key) is OnError.SAFE:
                return self.safely(key, kind, default, Reason.STALE, "stale")
            message = "nothing has been heard of this flag for too long, and its onError is `code`"
            flag = self._declared(key)
            metadata = {} if flag is None else flag.metadata
            return Details(default, None, Reason.ERROR, ErrorCode.PROVIDER_NOT_READY, message, metadata)
        found = self.flags.evaluate(key, kind, default, context)
        if found.error_code is not None or found.reason == Reason.DISABLED:
            return found
        return replace(found, reason=Reason.STALE)

    def _safe(self) -> FlagSet:
        """Return the document in which each flag that declares something safe says that and nothing else."""
        if self._safe_flags is None:
            self._safe_flags = self._made_safe()  # two threads may both come here: they make the same
        return self._safe_flags

    def _made_safe(self) -> FlagSet:
        flags = {
            key: Definition(key, flag.variants, True, str(flag.metadata["safe"]), None, flag.metadata)
            for key, flag in {**self.definitions.remains, **self.definitions.flags}.items()
            if flag.metadata.get("safe") in flag.variants
        }
        return FlagSet(Definitions(flags, {}, self.definitions.metadata))


def _is_opened(flag: Definition) -> bool:
    return flag.metadata.get("gate") == "open" and not is_baked(flag)


def _is_critical(flag: Definition | None) -> bool:
    """Say whether a kill must be able to reach a flag soon."""
    metadata = {} if flag is None else flag.metadata
    return metadata.get("kind") == FlagKind.KILL_SWITCH or metadata.get("criticality") == Criticality.HIGH


def nothing(key: str, kind: FlagType, default: Json, context: Mapping[str, Any]) -> Details:
    """Answer before there is any document."""
    message = "no definitions of flags have been read yet"
    return Details(default, None, Reason.ERROR, ErrorCode.PROVIDER_NOT_READY, message)


class Holder:
    """Takes in what a source tells, and holds what is in force.

    Args:
        announce: is told of every change, from the source's thread.
        counting: where evaluations are counted.
        gate: what closes flags in every document.
        keeping: where the last good document is kept for a start without a server.
        bundled: a document that was shipped with the application, for the very first start without a server.
        stale_after_s: how long a document is believed without a word; None where silence says nothing.
        grace: how long after its last word it is answered by all the same.
        wall: the time in seconds since the epoch.
        ticks: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        announce: Announce,
        counting: Counting,
        gate: Gate,
        *,
        keeping: Keeping | None = None,
        bundled: tuple[bytes, Gate] | None = None,
        stale_after_s: float | None = None,
        grace: Grace = GRACE,
        wall: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._announce = announce
        self._counting = counting
        self._gate = gate
        self._keeping = keeping
        self._bundled = bundled
        self._stale_after_s = stale_after_s
        self._grace = grace
        self._wall = wall
        self._ticks = ticks
        self._lock = threading.RLock()
        self._reader = Reader()
        self._word = ticks()
        self._kept_at = 0.0
        self._ended = False
        self.settled = threading.Event()
        self.why = ""
        self.held: Held = self._empty(Status.NOT_READY)

    @property
    def has_document(self) -> bool:
        """Whether there is anything to evaluate by."""
        return self.held.evaluate is not nothing

    @property
    def age_s(self) -> float:
        """How long ago what is held was last known to hold."""
        return self._ticks() - self._word

    def document(self, document: Document) -> bool:
        """Take in a document; one that is broken or older than what is held is not taken."""
        with self._lock:
            before = self.held
            if self._ended:
                return False
            if document.version and document.version < before.document.version and not self._is_fallback:
                self.trouble(
                    f"version {document.version} came after {before.document.version}, and is not taken"
                )
                return False
            try:
                held = self._read(document, self._gate, Status.READY)
            except DavyError as error:
                self.trouble(f"the definitions cannot be used: {error.message}", final=True)
                return False
            self._word = self._ticks()
            self._put(held, before.flags.changed(held.flags))
            self._keep()
        self.settled.set()
        return True

    def confirmed(self) -> None:
        """Take in that what is held still holds."""
        with self._lock:
            if self._ended or not self.has_document or self._is_fallback:
                return
            self._word = self._ticks()
            if self.held.status is not Status.READY:
                self._put(self.held.believed(Status.READY), [])
            self._keep(seldom=True)

    def trouble(self, why: str, *, final: bool = False) -> None:
        """Take in that nothing can be learnt: at first fall back, later become stale in time."""
        with self._lock:
            if self._ended:
                return
            is_new, self.why = why != self.why, why
            if not self.has_document:
                self.fall_back()
                if final or self.has_document:
                    self._failed(is_new)
            elif final and self.held.status is not Status.STALE and is_new:
                self._put(self.held.believed(Status.ERROR), None, why)
            self.passing()

    def passing(self) -> None:
        """Take in that time has passed; what was not confirmed for too long is stale, and lapses in the end."""
        limit = self._stale_after_s
        if limit is None or self.age_s <= limit or not self.has_document:
            return
        with self._lock:
            lapse = self._lapse
            if self._ended or (self.held.status is Status.STALE and self.held.lapse is lapse):
                return
            said = f": {self.why}" if self.why else ""
            self._put(
                self.held.believed(Status.STALE, lapse), None, f"nothing was heard for {self.age_s:.0f} s{said}"
            )

    def fall_back(self) -> None:
        """Hold what was kept or bundled, for want of anything better; it is stale."""
        with self._lock:
            if self._ended or self.has_document:
                return
            for fallback in (self._from_disk, self._from_bundle):
                try:
                    held = fallback()
                except DavyError as error:
                    self.why = f"{self.why}; {error.message}"
                    continue
                if held is not None:
                    self._is_fallback = True
                    self._put(held, None, self.why or "the server has not answered yet")
                    self.settled.set()
                    return

    def begin(self) -> None:
        """Take in what is told from now on."""
        self._ended = False

    def forget(self) -> None:
        """Hold nothing any more, as before the first document, and take in nothing until `begin`."""
        with self._lock:
            self._ended = True
            self.held = self._empty(Status.NOT_READY)
            self.settled.clear()
            self.why = ""

    @property
    def _lapse(self) -> Lapse:
        """Of which flags what is held has lapsed; of what was shipped nobody knows how long ago it held."""
        return Lapse.ALL if self._is_bundle else self._grace.lapse(self.age_s)

    def _empty(self, status: Status) -> Held:
        held = Held(Definitions(), Document(b""), status, self._counting.version(0), FlagSet(Definitions()))
        held.evaluate = nothing
        self._is_fallback = self._is_bundle = False
        return held

    def _read(self, document: Document, gate: Gate, status: Status) -> Held:
        definitions = gate.applied(self._with_remains(self._reader.read(document.text, document.name)))
        flags = FlagSet(definitions)
        flags.prepare(like=self.held.flags)
        said = str(document.version or definitions.metadata.get("version", "") or document.etag)
        counts = self._counting.version(document.version, said.removeprefix("sha256:")[:32])
        return Held(definitions, document, status, counts, flags, self._lapse)

    def _with_remains(self, definitions: Definitions) -> Definitions:
        """Return definitions in which what can't be read declares what is safe, as it did before if need be."""
        before = {**self.held.definitions.remains, **self.held.definitions.flags}
        known = {key: before[key] for key in definitions.broken if key in before}
        safe = {
            key: flag for key, flag in definitions.remains.items() if flag.metadata.get("safe") in flag.variants
        }
        return replace(definitions, remains={**definitions.remains, **known, **safe}) if known else definitions

    def _put(self, held: Held, changed: Sequence[str] | None, why: str = "") -> None:
        if held.status is Status.READY:
            self._is_fallback = self._is_bundle = False
            self.why = ""
        before, self.held = self.held, held
        lapsed = before.all_lapsed() ^ held.all_lapsed()
        self._announce(held.status, flags=sorted(lapsed.union(changed or ())), why=why)

    def _failed(self, is_new: bool) -> None:
        if not self.has_document and is_new:
            self.held = self._empty(Status.ERROR)
            self._announce(Status.ERROR, why=self.why)
        self.settled.set()

    def _from_disk(self) -> Held | None:
        kept = self._keeping.kept(self._wall()) if self._keeping is not None else None
        if kept is None:
            return None
        self._word = self._ticks() - max(0.0, self._wall() - kept.at)
        return self._read(kept.document, self._gate, Status.STALE)

    def _from_bundle(self) -> Held | None:
        if self._bundled is None:
            return None
        text, gate = self._bundled
        self._is_bundle = True
        return self._read(Document(text), gate, Status.STALE)

    def _keep(self, *, seldom: bool = False) -> None:
        """Keep what is held on disk; of mere confirmations one in five minutes."""
        now = self._wall()
        if self._keeping is None or (seldom and now - self._kept_at < CONFIRMED_S):
            return
        self._kept_at = now
        try:
            self._keeping.keep(self.held.document, now)
        except OSError as error:
            self.why = f"what is in force cannot be kept on disk: {error.strerror}"


CONFIRMED_S = 300.0
"""How often the time at which a document was last known to hold is written down."""
