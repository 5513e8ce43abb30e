"""Any other provider of OpenFeature, governed: what Davy's definitions close is not asked for at all.

The definitions say which flags there are, of which type and with which values, what is closed or killed, and
what is safe; the other provider says which value a user gets. Whatever it says is counted.
"""

import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal, TypeAlias, TypeVar, cast

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode as OpenFeatureCode
from openfeature.exception import GeneralError, OpenFeatureError, ProviderFatalError, ProviderNotReadyError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.hook import Hook
from openfeature.provider import AbstractProvider, FeatureProvider, Metadata
from openfeature.track import TrackingEventDetails

from davy.flags.definition import Definition
from davy.flags.details import Details, ErrorCode, FlagType, Json, Reason
from davy.flags.gate import is_baked
from davy.flags.governance import OnError
from davy.openfeature.holding import Held, Status
from davy.openfeature.provider import UNREADABLE, DavyProvider, flat, resolution

Undeclared: TypeAlias = Literal["refuse", "pass"]
"""What becomes of a key that is not declared: an error and the caller's default, or the other one's answer."""

REMEMBERED = 10_000
"""How many answers are remembered for flags whose `onError` is `last-known`."""

Answer: TypeAlias = FlagResolutionDetails[Any]
T = TypeVar("T")


class GovernedProvider(AbstractProvider):
    """Another provider, with Davy's definitions around it.

    Args:
        inner: LaunchDarkly's, Unleash's, Split's, flagd's or whose ever; it is initialised and shut down with
            this.
        governor: holds the definitions, and counts.
        undeclared: what becomes of a key that they don't declare.
    """

    def __init__(
        self, inner: FeatureProvider, governor: DavyProvider, *, undeclared: Undeclared = "refuse"
    ) -> None:
        super().__init__()
        self._inner = inner
        self._governor = governor
        self._undeclared = undeclared
        self._status = _Statuses()
        self._last: OrderedDict[tuple[str, bytes], Details] = OrderedDict()
        self._lock = threading.Lock()
        governor.announced_as = self.get_metadata().name

    def get_metadata(self) -> Metadata:
        """Return a name that says what is governed."""
        return Metadata(name=f"davy ({self._inner.get_metadata().name})")

    def get_provider_hooks(self) -> list[Hook]:
        """Return the other provider's hooks."""
        return self._inner.get_provider_hooks()

    def attach(self, on_emit: Callable[[FeatureProvider, ProviderEvent, ProviderEventDetails], None]) -> None:
        """Pass on the events of both."""
        super().attach(on_emit)
        self._governor.attach(lambda _, event, details: self._pass_on("governor", event, details))
        self._inner.attach(lambda _, event, details: self._pass_on("inner", event, details))

    def detach(self) -> None:
        """Pass on no events any more."""
        self._inner.detach()
        self._governor.detach()
        super().detach()

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Initialise both, the definitions first.

        Raises:
            OpenFeatureError: one of them could not be. Gates hold and fail modes apply all the same, for which
                reason it is never `PROVIDER_FATAL`.
        """
        problems = []
        for part, provider in (("governor", self._governor), ("inner", self._inner)):
            try:
                provider.initialize(evaluation_context)
                self._status.set(part, self._governor.status if part == "governor" else Status.READY)
            except Exception as error:  # noqa: BLE001 - whatever another provider raises
                self._status.set(part, Status.NOT_READY if _is_out(error) else Status.ERROR)
                problems.append(f"{provider.get_metadata().name}: {_sentence(error)}")
        if problems:
            raise GeneralError("; ".join(problems))

    def shutdown(self) -> None:
        """Shut down both, the definitions last."""
        try:
            self._inner.shutdown()
        finally:
            self._governor.shutdown()

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """Count an event, and pass it on."""
        self._governor.track(tracking_event_name, evaluation_context, tracking_event_details)
        self._inner.track(tracking_event_name, evaluation_context, tracking_event_details)

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Evaluate a flag of booleans."""
        ask = self._inner.resolve_boolean_details
        return self._resolve(FlagType.BOOLEAN, flag_key, default_value, evaluation_context, ask)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Evaluate a flag of texts."""
        ask = self._inner.resolve_string_details
        return self._resolve(FlagType.STRING, flag_key, default_value, evaluation_context, ask)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Evaluate a flag of integers."""
        ask = self._inner.resolve_integer_details
        return self._resolve(FlagType.INTEGER, flag_key, default_value, evaluation_context, ask)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Evaluate a flag of numbers."""
        ask = self._inner.resolve_float_details
        return self._resolve(FlagType.FLOAT, flag_key, default_value, evaluation_context, ask)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Evaluate a flag of structures."""
        ask = self._inner.resolve_object_details
        return self._resolve(FlagType.OBJECT, flag_key, default_value, evaluation_context, ask)

    async def resolve_boolean_details_async(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Evaluate a flag of booleans."""
        ask = self._inner.resolve_boolean_details_async
        return await self._resolve_async(FlagType.BOOLEAN, flag_key, default_value, evaluation_context, ask)

    async def resolve_string_details_async(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Evaluate a flag of texts."""
        ask = self._inner.resolve_string_details_async
        return await self._resolve_async(FlagType.STRING, flag_key, default_value, evaluation_context, ask)

    async def resolve_integer_details_async(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Evaluate a flag of integers."""
        ask = self._inner.resolve_integer_details_async
        return await self._resolve_async(FlagType.INTEGER, flag_key, default_value, evaluation_context, ask)

    async def resolve_float_details_async(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Evaluate a flag of numbers."""
        ask = self._inner.resolve_float_details_async
        return await self._resolve_async(FlagType.FLOAT, flag_key, default_value, evaluation_context, ask)

    async def resolve_object_details_async(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Evaluate a flag of structures."""
        ask = self._inner.resolve_object_details_async
        return await self._resolve_async(FlagType.OBJECT, flag_key, default_value, evaluation_context, ask)

    def _resolve(
        self,
        kind: FlagType,
        key: str,
        default: T,
        context: EvaluationContext | None,
        ask: Callable[[str, T, EvaluationContext | None], FlagResolutionDetails[T]],
    ) -> FlagResolutionDetails[T]:
        evaluation = _Evaluation(self, kind, key, cast(Json, default), context)
        if evaluation.decided is None and evaluation.may_ask(self._status.inner):
            try:
                evaluation.take(ask(evaluation.name_there, cast(T, evaluation.fallback), context))
            except Exception as error:  # noqa: BLE001 - whatever another provider raises
                evaluation.fail(error)
        return evaluation.ended()

    async def _resolve_async(
        self,
        kind: FlagType,
        key: str,
        default: T,
        context: EvaluationContext | None,
        ask: Callable[[str, T, EvaluationContext | None], Awaitable[FlagResolutionDetails[T]]],
    ) -> FlagResolutionDetails[T]:
        evaluation = _Evaluation(self, kind, key, cast(Json, default), context)
        if evaluation.decided is None and evaluation.may_ask(self._status.inner):
            try:
                evaluation.take(await ask(evaluation.name_there, cast(T, evaluation.fallback), context))
            except Exception as error:  # noqa: BLE001 - whatever another provider raises
                evaluation.fail(error)
        return evaluation.ended()

    def _pass_on(self, part: str, event: ProviderEvent, details: ProviderEventDetails) -> None:
        """Emit an event as this provider's; a status is that of the worse of both, and never `FATAL`."""
        status = _STATUSES.get(event)
        if status is None:
            self.emit(event, details)
            return
        self._status.set(
            part, status if details.error_code is not OpenFeatureCode.PROVIDER_FATAL else Status.NOT_READY
        )
        if details.error_code is OpenFeatureCode.PROVIDER_FATAL:
            details.error_code = OpenFeatureCode.GENERAL
        worst = self._status.worst
        self.emit(event if worst is status else _WORST[worst], details)

    def remember(self, key: str, subject: Any, details: Details) -> None:
        """Keep an answer for when there will be none."""
        with self._lock:
            self._last[key, _hashed(subject)] = details
            self._last.move_to_end((key, _hashed(subject)))
            if len(self._last) > REMEMBERED:
                self._last.popitem(last=False)

    def remembered(self, key: str, subject: Any) -> Details | None:
        """Return the last answer for a subject."""
        return self._last.get((key, _hashed(subject)))

    @property
    def governor(self) -> DavyProvider:
        """What holds the definitions, and counts."""
        return self._governor

    @property
    def undeclared(self) -> Undeclared:
        """What becomes of keys that are not declared."""
        return self._undeclared


class _Evaluation:
    """One evaluation: what is decided before the other provider is asked, and what becomes of its answer."""

    def __init__(
        self,
        around: GovernedProvider,
        kind: FlagType,
        key: str,
        default: Json,
        context: EvaluationContext | None,
    ) -> None:
        self._around = around
        self._kind = kind
        self._key = key
        self._default = default
        seen = flat(context)
        self._context = {} if seen is UNREADABLE else seen
        self._held: Held = around.governor.holder.held
        self._definition = self._held.definitions.flags.get(key)
        self.decided = self._before()
        if self.decided is None and seen is UNREADABLE:
            self.decided = self._failed(ErrorCode.INVALID_CONTEXT, "the context cannot be read")

    @property
    def name_there(self) -> str:
        """What the other provider calls the flag: what it was imported as, or its key."""
        return (
            self._key
            if self._definition is None
            else str(self._definition.metadata.get("importedAs", self._key))
        )

    @property
    def fallback(self) -> Json:
        """What the other provider is told to fall back to: what is safe, where that is declared.

        Some say nothing when they do not know a flag: Unleash's answers with what the caller falls back to.
        """
        if self._definition is None or self._held.mode(self._key) in (None, OnError.CODE):
            return self._default
        return self._definition.variants[str(self._definition.metadata["safe"])]

    def may_ask(self, inner: Status) -> bool:
        """Say whether the other provider can be asked; where not, that is decided."""
        if inner is not Status.NOT_READY:
            return True
        self.decided = self._failed(ErrorCode.PROVIDER_NOT_READY, "the provider that is governed is not ready")
        return False

    def take(self, answer: Answer) -> None:
        """Decide by an answer."""
        if answer.error_code is not None:
            code = ErrorCode(answer.error_code.value)
            self.decided = self._failed(code, answer.error_message or "")
            return
        details = _details(answer)
        if self._definition is not None:
            checked = _checked(self._definition, details)
            if checked is None:
                message = f"{self._key} was answered with a value that is not declared"
                self.decided = self._failed(ErrorCode.PARSE_ERROR, message)
                return
            details = checked
            if self._held.mode(self._key) is OnError.LAST_KNOWN:
                self._around.remember(self._key, self._context.get("targetingKey"), details)
        self.decided = details

    def fail(self, error: Exception) -> None:
        """Decide by an exception."""
        code = ErrorCode.GENERAL
        if isinstance(error, OpenFeatureError) and error.error_code is not None:
            code = ErrorCode(error.error_code.value)
        self.decided = self._failed(code, _sentence(error))

    def ended(self) -> Answer:
        """Count what was decided, and return it."""
        assert self.decided is not None
        self._around.governor.count(self._held, self._key, self.decided, self._context)
        return resolution(self.decided)

    def _before(self) -> Details | None:
        """Return what the definitions decide by themselves."""
        held, definition = self._held, self._definition
        is_broken = self._key in held.definitions.broken
        if definition is None and not is_broken and self._around.governor.holder.has_document:
            if self._around.undeclared == "pass":
                return None
            message = f"{self._key} is not declared"
            return Details(self._default, None, Reason.ERROR, ErrorCode.FLAG_NOT_FOUND, message)
        if definition is None or is_baked(definition) or not definition.enabled or held.lapsed(self._key):
            return held.evaluate(self._key, self._kind, self._default, self._context)
        if not _fits(self._kind, next(iter(definition.variants.values()), None)):
            message = f"{self._key} is not declared as {self._kind}"
            return Details(
                self._default, None, Reason.ERROR, ErrorCode.TYPE_MISMATCH, message, definition.metadata
            )
        return None

    def _failed(self, code: ErrorCode, message: str) -> Details:
        """Return what a flag declares for when nothing can be known."""
        metadata = self._definition.metadata if self._definition is not None else {}
        failed = Details(self._default, None, Reason.ERROR, code, message, metadata)
        if self._held.mode(self._key) is OnError.LAST_KNOWN:
            last = self._around.remembered(self._key, self._context.get("targetingKey"))
            if last is not None:
                told = {**last.metadata, "failMode": "last-known", "failure": str(code)}
                return Details(last.value, last.variant, Reason.STALE, None, "", told)
        if self._held.mode(self._key) in (None, OnError.CODE):
            return failed
        return self._held.safely(self._key, self._kind, self._default, Reason.ERROR, str(code))


class _Statuses:
    """How the definitions and the other provider are."""

    def __init__(self) -> None:
        self.governor = Status.NOT_READY
        self.inner = Status.NOT_READY

    def set(self, part: str, status: Status) -> None:
        setattr(self, part, status)

    @property
    def worst(self) -> Status:
        """The worse of both: not ready, error, stale, ready."""
        order = [Status.NOT_READY, Status.ERROR, Status.STALE, Status.READY]
        return min(self.governor, self.inner, key=order.index)


_STATUSES = {
    ProviderEvent.PROVIDER_READY: Status.READY,
    ProviderEvent.PROVIDER_STALE: Status.STALE,
    ProviderEvent.PROVIDER_ERROR: Status.ERROR,
}
_WORST = {
    Status.READY: ProviderEvent.PROVIDER_READY,
    Status.STALE: ProviderEvent.PROVIDER_STALE,
    Status.ERROR: ProviderEvent.PROVIDER_ERROR,
    Status.NOT_READY: ProviderEvent.PROVIDER_ERROR,
}


def _details(answer: Answer) -> Details:
    reason = str(getattr(answer.reason, "value", answer.reason) or Reason.UNKNOWN)
    return Details(answer.value, answer.variant, reason, None, "", dict(answer.flag_metadata))


def _checked(definition: Definition, details: Details) -> Details | None:
    """Return an answer with the declared variant of its value; None where no variant has it."""
    metadata = {**details.metadata, **definition.metadata}
    names = [name for name, value in definition.variants.items() if _same(value, details.value)]
    if not names:
        return None
    name = details.variant if details.variant in names else names[0]
    return Details(details.value, name, details.reason, None, "", metadata)


def _same(declared: Json, answered: Json) -> bool:
    return declared == answered and isinstance(declared, bool) == isinstance(answered, bool)


def _fits(kind: FlagType, value: Json) -> bool:
    match kind:
        case FlagType.BOOLEAN:
            return isinstance(value, bool)
        case FlagType.STRING:
            return isinstance(value, str)
        case FlagType.INTEGER | FlagType.FLOAT:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case FlagType.OBJECT:
            return isinstance(value, dict | list)


def _is_out(error: Exception) -> bool:
    """Say whether a provider is not to be asked after this."""
    return isinstance(error, ProviderFatalError | ProviderNotReadyError)


def _sentence(error: Exception) -> str:
    return str(getattr(error, "error_message", None) or "") or str(error) or type(error).__name__


def _hashed(subject: Any) -> bytes:
    """Return what an answer is remembered by; whose it was is not kept."""
    return blake2b(str(subject).encode("utf-8", "surrogatepass"), digest_size=16).digest()
