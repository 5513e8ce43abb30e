"""OpenFeature's provider of Davy's flags: in process, governed, counted.

The gate is in what is evaluated and nowhere else. Neither a caller's default nor a hook comes before it: a
closed gate and a kill answer with the safe value and without an error, and OpenFeature takes a caller's default
only where there is an error. For the same reason this provider is never `FATAL`, which would make every flag
what its caller says.
"""

import atexit
import os
import secrets
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, cast

import msgspec
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata
from openfeature.track import TrackingEventDetails

from davy.errors import UsageError
from davy.flags.details import Details, FlagType, Reason
from davy.flags.details import ErrorCode as Code
from davy.flags.evidence import Evidence
from davy.flags.gate import PRODUCTION
from davy.flags.remote import Instance
from davy.model.key import Key
from davy.openfeature.counting import Counting
from davy.openfeature.file import INTERVAL_S, FileSource, TextSource
from davy.openfeature.holding import GRACE, Gate, Grace, Held, Holder, Status
from davy.openfeature.http import Server
from davy.openfeature.keeping import MAX_AGE_S, Keeping, Origin
from davy.openfeature.remote import Pace, RemoteSource
from davy.openfeature.reporting import Reporting
from davy.openfeature.scope import current_request as current
from davy.openfeature.scope import request as followed_request
from davy.openfeature.source import Source
from davy.openfeature.telemetry import About, Audit, Telemetry

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from openfeature.provider import FeatureProvider

    from davy.openfeature.governed import GovernedProvider, Undeclared
    from davy.openfeature.scope import Request

NAME = "davy"
"""What the provider is called in OpenFeature's metadata and in telemetry."""

DEADLINE_S = 10.0
"""How long `initialize` waits for a document unless said."""

STALE_AFTER_S = 60.0
"""How long a document of a server is believed without a word from it unless said."""

HOLD_S, HOLD_CRITICAL_S = GRACE
"""How long it is answered by all the same, critical flags by the second; then each flag's `onError` applies."""

_EVENTS = {
    Status.READY: ProviderEvent.PROVIDER_READY,
    Status.STALE: ProviderEvent.PROVIDER_STALE,
    Status.ERROR: ProviderEvent.PROVIDER_ERROR,
}
_BOOLEAN, _STRING, _INTEGER = FlagType.BOOLEAN, FlagType.STRING, FlagType.INTEGER
_FLOAT, _OBJECT = FlagType.FLOAT, FlagType.OBJECT
_METADATA = Metadata(name=NAME)
_NONE: Mapping[str, Any] = MappingProxyType({})


class Origins(msgspec.Struct, frozen=True):
    """Where the documents of a provider come from, and how far they are trusted."""

    source: Callable[[Instance], Source]
    gate: Gate
    environment: str
    server: Callable[[], Server] | None = None
    keeping: Callable[[], Keeping] | None = None
    bundled: tuple[bytes, Gate] | None = None
    stale_after_s: float | None = None
    grace: Grace = GRACE


class DavyProvider(AbstractProvider):
    """A provider for OpenFeature, and what `davy.openfeature.Client` evaluates by.

    Make one with `from_file`, `from_text`, `remote` or `from_environment`, and hand it to
    `openfeature.api.set_provider_and_wait`; `set_provider` returns before there is any document.

    It may be shut down and initialised again, any number of times. In a child that was forked it starts anew by
    itself, as an instance of its own.
    """

    _lock: threading.Lock
    _counting: Counting
    _holder: Holder
    _instance: Instance
    _telemetry: Telemetry | None
    _source: Source | None
    _reporting: Reporting | None
    _follows: bool
    _telling: bool
    _told: Status

    def __init__(
        self,
        origins: Origins,
        *,
        service: str = "",
        artifact: str = "",
        instance: str = "",
        audit: Audit | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        super().__init__()
        self._origins = origins
        self._service = service
        self._artifact = artifact
        self._named = instance
        self._audit = audit or Audit()
        self._deadline_s = deadline_s
        self.announced_as = NAME
        self._subject_key = self._audit.key or secrets.token_bytes(32)
        self._set_up()
        _ALL.add(self)

    @classmethod
    def from_file(
        cls,
        path: Path | str,
        environment: str = PRODUCTION,
        *,
        evidence: Mapping[Key, Sequence[Evidence]] | None = None,
        killed: Collection[str] = (),
        interval_s: float = INTERVAL_S,
        service: str = "",
        artifact: str = "",
        instance: str = "",
        audit: Audit | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> Self:
        """Evaluate by a file of definitions, and by what it becomes.

        A flag that is linked to a rollout is closed, unless `evidence` holds a canary that passed, or the
        environment is known to be without users (`staging`).

        Args:
            path: flagd's JSON or YAML.
            environment: whose definitions they are.
            evidence: the canaries that passed, by their rollout.
            killed: keys of flags that are off, whatever the file says.
            interval_s: how often the file is looked at.
            service: whose instance this is, for telemetry.
            artifact: the hash of the pod template that it was started from.
            instance: its name; made up unless said.
            audit: what is told of evaluations.
            deadline_s: how long `initialize` waits.
        """
        gate = Gate(environment, evidence or {}, killed, artifact)
        origins = Origins(lambda _: FileSource(Path(path), interval_s), gate, environment)
        return cls(
            origins, service=service, artifact=artifact, instance=instance, audit=audit, deadline_s=deadline_s
        )

    @classmethod
    def from_text(
        cls,
        text: str | bytes,
        environment: str = PRODUCTION,
        *,
        evidence: Mapping[Key, Sequence[Evidence]] | None = None,
        killed: Collection[str] = (),
        service: str = "",
        artifact: str = "",
        instance: str = "",
        audit: Audit | None = None,
    ) -> Self:
        """Evaluate by a text of definitions, until `put` gives another one; otherwise as `from_file`."""
        source = TextSource(text.encode() if isinstance(text, str) else text)
        gate = Gate(environment, evidence or {}, killed, artifact)
        origins = Origins(lambda _: source, gate, environment)
        return cls(origins, service=service, artifact=artifact, instance=instance, audit=audit)

    @classmethod
    def remote(
        cls,
        url: str,
        token: str | Callable[[], str],
        *,
        service: str,
        artifact: str = "",
        environment: str = PRODUCTION,
        instance: str = "",
        keep: Path | str | None = None,
        keep_key: bytes = b"",
        keep_age_s: float = MAX_AGE_S,
        bundled: str | bytes | None = None,
        stale_after_s: float = STALE_AFTER_S,
        hold_s: float = HOLD_S,
        hold_critical_s: float = HOLD_CRITICAL_S,
        pace: Pace | None = None,
        timeout_s: float = 5.0,
        tls: ssl.SSLContext | None = None,
        audit: Audit | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> Self:
        """Evaluate by what a Davy server hands out for instances of an artifact, and by each change of it.

        Args:
            url: of the server, as in `https://davy.example.com:8443`.
            token: of its server edge, or what returns the one that is valid now.
            service: whose instance this is.
            artifact: the hash of the pod template that it was started from; gates open for artifacts that
                passed.
            environment: the one that the server serves.
            instance: the name of this one; made up unless said.
            keep: a file for the last document that was known, for a start without the server.
            keep_key: what that file is authenticated with, instead of the token.
            keep_age_s: how old it may be.
            bundled: a document that was shipped with the application, for a start without server and file; its
                gates are closed.
            stale_after_s: how long a document is believed without a word from the server; then it is stale.
            hold_s: how long after that last word it is answered by all the same; then by each flag's `onError`.
            hold_critical_s: the same of kill switches and of flags of high criticality.
            pace: how patiently it is asked.
            timeout_s: how long one question may take.
            tls: whom to believe over TLS, where that is not whom this machine believes.
            audit: what is told of evaluations.
            deadline_s: how long `initialize` waits.

        Raises:
            UsageError: the URL is none.
        """

        def server() -> Server:
            return Server(url, token, timeout_s=timeout_s, tls=tls)

        asked = server()

        def keeping() -> Keeping:
            origin = Origin(asked.place, environment, service, artifact)
            return Keeping(Path(cast(str, keep)), origin, keep_key or asked.token().encode(), keep_age_s)

        text = bundled.encode() if isinstance(bundled, str) else bundled
        origins = Origins(
            source=lambda instance: RemoteSource(server, instance, pace or Pace()),
            gate=Gate(environment, artifact=artifact, unsaid=True),
            environment=environment,
            server=server,
            keeping=keeping if keep is not None else None,
            bundled=None if text is None else (text, Gate(environment, artifact=artifact)),
            stale_after_s=stale_after_s,
            grace=Grace(hold_s, min(hold_s, hold_critical_s)),
        )
        return cls(
            origins, service=service, artifact=artifact, instance=instance, audit=audit, deadline_s=deadline_s
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], *, audit: Audit | None = None) -> Self:
        """Make a provider of variables as a platform hands them to a process (`os.environ`).

        `DAVY_FLAGS_URL` and `DAVY_FLAGS_TOKEN` (or `DAVY_FLAGS_TOKEN_FILE`, read anew each time) name a server,
        `DAVY_FLAGS_FILE` a file instead; `DAVY_SERVICE`, `DAVY_ARTIFACT`, `DAVY_ENVIRONMENT` and
        `DAVY_FLAGS_KEEP` say the rest, `DAVY_FLAGS_HOLD_S` the `hold_s` of `remote`.

        Raises:
            UsageError: they name neither a server nor a file, or both, or hold for what is no time.
        """
        url, path = environment.get("DAVY_FLAGS_URL", ""), environment.get("DAVY_FLAGS_FILE", "")
        if bool(url) == bool(path):
            raise UsageError(
                "the environment names no source of flags, or two", hint="set DAVY_FLAGS_URL or DAVY_FLAGS_FILE"
            )
        of = environment.get("DAVY_ENVIRONMENT", PRODUCTION)
        service, artifact = environment.get("DAVY_SERVICE", ""), environment.get("DAVY_ARTIFACT", "")
        if path:
            return cls.from_file(path, of, service=service, artifact=artifact, audit=audit)
        token: str | Callable[[], str] = environment.get("DAVY_FLAGS_TOKEN", "")
        if file := environment.get("DAVY_FLAGS_TOKEN_FILE", ""):
            token = lambda: Path(file).read_text().strip()  # noqa: E731 - read anew for each request
        keep = environment.get("DAVY_FLAGS_KEEP") or None
        return cls.remote(
            url,
            token,
            service=service,
            artifact=artifact,
            environment=of,
            keep=keep,
            hold_s=_seconds(environment, "DAVY_FLAGS_HOLD_S", HOLD_S),
            audit=audit,
        )

    # What OpenFeature asks of a provider.

    def get_metadata(self) -> Metadata:
        """Return the provider's name."""
        return _METADATA

    def initialize(self, evaluation_context: EvaluationContext | None = None) -> None:
        """Start, and wait until there is a document or the deadline has passed.

        Without a document from its source it goes on with what was kept or bundled, as `STALE`.

        Raises:
            ProviderNotReadyError: there is nothing to evaluate by. It goes on trying; the status is `ERROR`
                until there is.
        """
        holder = self.start()
        holder.settled.wait(self._deadline_s)
        holder.fall_back()
        self._telling = True
        if not holder.has_document:
            raise ProviderNotReadyError(
                holder.why or f"no definitions of flags after {self._deadline_s:g} s; they are still asked for"
            )
        if holder.held.status is Status.STALE:
            self._tell_stale_after_ready(holder.why)

    def shutdown(self) -> None:
        """Stop, and report what was counted; a second time does nothing."""
        with self._lock:
            source, reporting, self._source, self._reporting = self._source, self._reporting, None, None
            self._telling = False
        if source is not None:
            source.stop()
        if reporting is not None:
            reporting.stop()
        if source is not None or reporting is not None:
            self._holder.forget()

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Evaluate a flag of booleans."""
        return resolution(self.evaluate(flag_key, _BOOLEAN, default_value, evaluation_context))

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Evaluate a flag of texts."""
        return resolution(self.evaluate(flag_key, _STRING, default_value, evaluation_context))

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Evaluate a flag of integers."""
        return resolution(self.evaluate(flag_key, _INTEGER, default_value, evaluation_context))

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Evaluate a flag of numbers."""
        return resolution(self.evaluate(flag_key, _FLOAT, default_value, evaluation_context))

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Evaluate a flag of structures; what is returned is the caller's own copy."""
        return resolution(self.evaluate(flag_key, _OBJECT, default_value, evaluation_context))

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """Count an event by its name; contexts and details stay here."""
        if self._telemetry is not None:
            self._telemetry.tracked(tracking_event_name)

    # What is Davy's own.

    @property
    def status(self) -> Status:
        """How far the definitions are believed."""
        return self._holder.held.status

    @property
    def version(self) -> str:
        """The version of the document in force, as telemetry has it; empty before there is one."""
        return self._holder.held.counts.label if self._holder.has_document else ""

    @property
    def age_s(self) -> float:
        """How long ago the document in force was last known to hold, in seconds."""
        return self._holder.age_s

    @property
    def instance(self) -> Instance:
        """As whom this process tells what it counted."""
        return self._instance

    @property
    def holder(self) -> Holder:
        """What is in force."""
        return self._holder

    def put(self, text: str | bytes) -> bool:
        """Evaluate by another text from now on, where `from_text` made this; say whether it can be used."""
        source = self._source or self._origins.source(self._instance)
        if not isinstance(source, TextSource):
            raise UsageError("only the definitions of `from_text` are put in by hand")
        return source.put(text.encode() if isinstance(text, str) else text)

    def request(self) -> "AbstractContextManager[Request]":
        """Follow a request until the end of the block: `with provider.request() as r`; `r.failed()` tells."""
        return followed_request()

    def flush(self) -> None:
        """Report what was counted until now, without waiting for the interval to end."""
        if self._reporting is not None:
            self._reporting.flush()

    def govern(self, inner: "FeatureProvider", *, undeclared: "Undeclared" = "refuse") -> "GovernedProvider":
        """Put these definitions around another provider: gates, kills, checks and counts are Davy's."""
        from davy.openfeature.governed import GovernedProvider

        return GovernedProvider(inner, self, undeclared=undeclared)

    def evaluate(
        self, key: str, kind: FlagType, default: Any, context: Mapping[str, Any] | EvaluationContext | None
    ) -> Details:
        """Evaluate a flag, count it, and remember it for the request that is being answered."""
        held = self._holder.held
        if context is None or isinstance(context, EvaluationContext):
            context = _NONE if key in held.fixed and not self._follows else flat(context)
        try:
            details = held.evaluate(key, kind, default, context)
        except Exception as error:  # noqa: BLE001 - of what an application puts into a context
            details = _raised(key, default, error)
        if details.error_code is not None:
            details = held.mended(key, kind, default, details)
        series = held.known.get((key, details.variant, details.reason))
        if series is None or self._follows:
            self.count(held, key, details, context)
            return details
        series.hit()
        if (request := current()) is not None:
            request.met.add(series)
        return details

    def count(self, held: Held, key: str, details: Details, context: Mapping[str, Any]) -> None:
        """Count an evaluation, and tell of it where it is to be told."""
        name = _series(key, details)
        series = held.known.get(name) or self._counting.open(held.counts, name)
        series.hit()
        if (request := current()) is not None:
            request.met.add(series)
        if self._follows:
            self._follow(held, key, details, context)

    def start(self) -> Holder:
        """Start what runs beside the application, unless it does; return what it holds."""
        with self._lock:
            if self._source is not None:
                return self._holder
            self._source = self._origins.source(self._instance)
            self._telemetry = Telemetry(
                self._audit,
                About(NAME, self._service, self._origins.environment),
                self._subject_key,
                self._state,
            )
            self._follows = self._telemetry.follows
            server = self._origins.server() if self._origins.server is not None else None
            self._reporting = Reporting(
                self._counting, self._instance, server, self._telemetry, self._audit.interval_s, time.time
            )
            source, reporting = self._source, self._reporting
        self._holder.begin()
        source.start(self._holder)
        reporting.start()
        return self._holder

    def start_anew(self) -> None:
        """Start again in a child that was forked: threads were left behind, and may have held locks."""
        was_running = self._source is not None
        self._set_up()
        if was_running:
            self._telling = True
            self.start()

    def _set_up(self) -> None:
        self._lock = threading.Lock()
        self._counting = Counting(self._audit.series)
        self._telemetry = None
        self._follows = False
        self._telling = False
        self._told = Status.NOT_READY
        self._source = None
        self._reporting = None
        self._instance = Instance(self._named or _instance_name(), self._service, self._artifact)
        origins = self._origins
        self._holder = Holder(
            self._announce,
            self._counting,
            origins.gate,
            keeping=origins.keeping() if origins.keeping is not None else None,
            bundled=origins.bundled,
            stale_after_s=origins.stale_after_s,
            grace=origins.grace,
        )

    def _announce(self, status: Status, *, flags: Sequence[str] | None = None, why: str = "") -> None:
        """Tell OpenFeature of a status and of flags; during `initialize` it finds out by itself."""
        before, self._told = self._told, status
        if not self._telling:
            return
        if status is not before or status is Status.ERROR:
            code = ErrorCode.GENERAL if status is Status.ERROR else None
            self._emit(_EVENTS[status], ProviderEventDetails(message=why or None, error_code=code))
        if flags:
            self._emit(
                ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, ProviderEventDetails(flags_changed=list(flags))
            )

    def _emit(self, event: ProviderEvent, details: ProviderEventDetails) -> None:
        with suppress(RuntimeError):  # the pool that calls handlers is gone when the interpreter ends
            self.emit(event, details)

    def _tell_stale_after_ready(self, why: str) -> None:
        """Say `STALE` once OpenFeature has said `READY`, which it does for each `initialize` that returns."""
        from openfeature import api

        details = ProviderEventDetails(message=why or None)

        def then(event: object) -> None:
            if getattr(event, "provider_name", "") != self.announced_as:
                return
            with suppress(ValueError):
                api.remove_handler(ProviderEvent.PROVIDER_READY, then)
            if self.status is Status.STALE:
                self._emit(ProviderEvent.PROVIDER_STALE, details)

        api.add_handler(ProviderEvent.PROVIDER_READY, then)

    def _follow(self, held: Held, key: str, details: Details, context: Mapping[str, Any]) -> None:
        if self._telemetry is not None:
            context = _NONE if context is UNREADABLE else context
            self._telemetry.evaluated(key, details, context, held.counts.label)

    def _state(self) -> tuple[int, float] | None:
        holder = self._holder
        return (holder.held.counts.version, holder.age_s) if holder.has_document else None


def _seconds(environment: Mapping[str, str], name: str, otherwise: float) -> float:
    """Read a variable that says how long.

    Raises:
        UsageError: it says no such thing.
    """
    text = environment.get(name) or str(otherwise)
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not found >= 0:
        raise UsageError(f"{name} is {text!r}, which is no number of seconds", hint=f"{name}=3600 is an hour")
    return found


def resolution(details: Details) -> FlagResolutionDetails[Any]:
    """Return an evaluation in OpenFeature's words."""
    code, message = details.error_code, None
    if code is not None:
        code, message = ErrorCode(code), details.error_message
    metadata = MappingProxyType(details.metadata)
    return FlagResolutionDetails(details.value, code, message, details.reason, details.variant, metadata)


class _Unreadable(dict[str, Any]):
    """A context that nobody can read: a rule that asks for anything fails, and what has no rule never asks."""

    def get(self, key: str, default: Any = None) -> Any:
        raise ValueError("the context cannot be read")

    def __getitem__(self, key: str) -> Any:
        raise ValueError("the context cannot be read")


UNREADABLE: Mapping[str, Any] = _Unreadable()


def flat(context: EvaluationContext | None) -> Mapping[str, Any]:
    """Return a context as rules see it: attributes, the targeting key among them, instants as RFC 3339.

    Nothing is raised, which would make every flag its caller's default: see `UNREADABLE`.
    """
    if context is None:
        return _NONE
    try:
        attributes = context.attributes
        for value in attributes.values():
            if type(value) is not str and type(value) not in _PLAIN:
                attributes = {name: _json(value) for name, value in attributes.items()}
                break
        key = context.targeting_key
        return attributes if key is None else {**attributes, "targetingKey": key}
    except Exception:  # noqa: BLE001 - of what an application puts into a context
        return UNREADABLE


_PLAIN = frozenset({str, int, bool, float, type(None)})


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, Mapping):
        return {str(name): _json(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_json(each) for each in value]
    return value


def _raised(key: str, default: Any, error: Exception) -> Details:
    message = f"the context for `{key}` holds what raises a {type(error).__name__}"
    return Details(default, None, Reason.ERROR, Code.INVALID_CONTEXT, message)


def _series(key: str, details: Details) -> Any:
    base = (key, details.variant, str(details.reason))
    return base if details.error_code is None else (*base, str(details.error_code))


def _instance_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


_ALL: "weakref.WeakSet[DavyProvider]" = weakref.WeakSet()


def _in_child() -> None:
    for provider in list(_ALL):
        provider.start_anew()


def _at_exit() -> None:
    """Report what was counted last, where nobody has called `shutdown`."""
    for provider in list(_ALL):
        with suppress(Exception):
            provider.shutdown()


os.register_at_fork(after_in_child=_in_child)
atexit.register(_at_exit)
