"""OpenTelemetry: evaluations as metrics, and some of them as events, with the names of its conventions 1.44.

The event is `feature_flag.evaluation`, a log record with an event name. Its `feature_flag.context.id` is a
keyed hash of the targeting key, and nothing else of a context is told but attributes that were allowed by name.
A value is told where there is no variant to name it by, and then only where it is no text or structure.
"""

import hmac
import random
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from davy.flags.details import Details, ErrorCode
from davy.openfeature.counting import Count, Counted, shown_key

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider

EVENT = "feature_flag.evaluation"
SCOPE = "davy.openfeature"
SEEN = 100_000
"""How many first exposures are remembered; when there are more, all are forgotten and told again."""


class Audit(msgspec.Struct, frozen=True):
    """What is told of evaluations, to whom, and how often.

    Args:
        interval_s: how often counts are reported.
        series: how many combinations of flag, variant, reason and version are told apart.
        events: whether the first exposure of each subject to each variant is told as an event.
        rate: the share of all other evaluations that is told as an event, from 0 to 1.
        events_limit: how many events are told in an interval at most; the others are counted.
        key: what subjects are hashed with; give the same one to all instances to join their events. Without one
            each process has its own.
        attributes: attributes of the context that may be told, by name; `context.` is put before them.
        meters: where metrics go; OpenTelemetry's global provider unless said.
        loggers: where events go; OpenTelemetry's global provider unless said.
    """

    interval_s: float = 10.0
    series: int = 10_000
    events: bool = False
    rate: float = 0.0
    events_limit: int = 1000
    key: bytes = b""
    attributes: tuple[str, ...] = ()
    meters: "MeterProvider | None" = None
    loggers: "LoggerProvider | None" = None


class About(msgspec.Struct, frozen=True):
    """What is the same for all that a provider tells."""

    provider: str
    service: str
    environment: str


_SENTENCES: Mapping[str, str] = {
    ErrorCode.PROVIDER_NOT_READY: "no definitions were there yet",
    ErrorCode.FLAG_NOT_FOUND: "no such flag is declared",
    ErrorCode.PARSE_ERROR: "the flag cannot be read",
    ErrorCode.TYPE_MISMATCH: "the flag has values of another type",
    ErrorCode.TARGETING_KEY_MISSING: "the context has no targeting key",
    ErrorCode.INVALID_CONTEXT: "the context cannot be read",
    ErrorCode.PROVIDER_FATAL: "the provider does not work",
    ErrorCode.GENERAL: "the flag could not be evaluated",
}
"""What is told of an error: the message itself may quote what is in a context."""


class Telemetry:
    """What OpenTelemetry is told.

    Args:
        audit: what, and how often.
        about: by whom.
        key: what subjects are hashed with.
        state: returns the version in force and its age in seconds; None before there is one.
    """

    def __init__(
        self, audit: Audit, about: About, key: bytes, state: Callable[[], tuple[int, float] | None]
    ) -> None:
        # Imported here, since it takes longer than all the rest, and an import of this package tells nobody.
        from opentelemetry._logs import get_logger
        from opentelemetry.metrics import get_meter

        meter = get_meter(SCOPE, meter_provider=audit.meters)
        self._audit = audit
        self._about = about
        self._key = key
        self._state = state
        self._logger = get_logger(SCOPE, logger_provider=audit.loggers)
        self._seen: set[int] = set()
        self._left = audit.events_limit
        self._held_back = Count()
        self._tracked = meter.create_counter(
            "feature_flag.tracked", "{event}", "Events that were tracked through the provider"
        )
        self._evaluations = meter.create_counter(
            "feature_flag.evaluations", "{evaluation}", "Evaluations of flags"
        )
        self._dropped = meter.create_counter(
            "feature_flag.evaluations.dropped", "{evaluation}", "Evaluations that could not be told apart"
        )
        self._requests = meter.create_counter(
            "feature_flag.requests", "{request}", "Requests that met a variant and have ended"
        )
        self._unsaid = meter.create_counter(
            "feature_flag.events.dropped", "{event}", "Events beyond the limit of an interval"
        )
        self._version = meter.create_gauge(
            "feature_flag.document.version", "{version}", "The version of the document in force"
        )
        self._age = meter.create_gauge(
            "feature_flag.document.age", "s", "How long ago the document in force was last known to hold"
        )

    @property
    def follows(self) -> bool:
        """Whether single evaluations are to be told at all."""
        return self._audit.events or self._audit.rate > 0

    def counted(self, counted: list[Counted], dropped: int) -> None:
        """Tell what was counted in an interval."""
        self._left = self._audit.events_limit
        for each in counted:
            names = self._names(each)
            if each.evaluations:
                self._evaluations.add(each.evaluations, names)
            for ended, outcome in ((each.requests - each.failed, "succeeded"), (each.failed, "failed")):
                if ended > 0:
                    self._requests.add(ended, {**names, "outcome": outcome})
        for counter, number in ((self._dropped, dropped), (self._unsaid, self._held_back.take())):
            if number:
                counter.add(number)
        if (state := self._state()) is not None:
            self._version.set(state[0])
            self._age.set(state[1])

    def tracked(self, name: str) -> None:
        """Count an event that an application tracks."""
        self._tracked.add(1, {"event": name})

    def evaluated(
        self,
        key: str,
        details: Details,
        context: Mapping[str, Any],
        version: int,
        label: str,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Tell of one evaluation if it is the first of its subject, or drawn."""
        if not self._is_wanted(key, details, context, chance):
            return
        if self._left <= 0:
            self._held_back.add()
            return
        self._left -= 1
        from opentelemetry._logs import LogRecord, SeverityNumber

        attributes = self._attributes(key, details, context, label or str(version))
        self._logger.emit(
            LogRecord(event_name=EVENT, severity_number=SeverityNumber.INFO, attributes=attributes)
        )

    def subject(self, targeting_key: str) -> str:
        """Return what a targeting key is called outside of this process."""
        return hmac.new(self._key, targeting_key.encode("utf-8", "surrogatepass"), sha256).hexdigest()[:32]

    def _is_wanted(
        self, key: str, details: Details, context: Mapping[str, Any], chance: Callable[[], float]
    ) -> bool:
        subject = context.get("targetingKey")
        if self._audit.events and isinstance(subject, str):
            seen = hash((key, details.variant, subject))
            if seen not in self._seen:
                if len(self._seen) >= SEEN:
                    self._seen = set()
                self._seen.add(seen)
                return True
        return self._audit.rate > 0 and chance() < self._audit.rate

    def _attributes(
        self, key: str, details: Details, context: Mapping[str, Any], version: str
    ) -> dict[str, str | bool | int | float]:
        told: dict[str, str | bool | int | float] = {
            "feature_flag.key": shown_key(key),
            "feature_flag.provider.name": self._about.provider,
            "feature_flag.result.reason": details.reason.lower(),
            "feature_flag.version": version,
        }
        if details.variant is not None:
            told["feature_flag.result.variant"] = details.variant
        elif isinstance(details.value, bool | int | float):
            told["feature_flag.result.value"] = details.value
        if isinstance(flag_set := details.metadata.get("flagSetId"), str):
            told["feature_flag.set.id"] = flag_set
        if isinstance(subject := context.get("targetingKey"), str):
            told["feature_flag.context.id"] = self.subject(subject)
        if details.error_code is not None:
            told["error.type"] = details.error_code.lower()
            told["feature_flag.error.message"] = _SENTENCES.get(
                details.error_code, _SENTENCES[ErrorCode.GENERAL]
            )
        for name in self._audit.attributes:
            if isinstance(value := context.get(name), str | bool | int | float):
                told[f"context.{name}"] = value
        return told

    def _names(self, each: Counted) -> dict[str, str | int]:
        names: dict[str, str | int] = {
            "feature_flag.key": each.flag,
            "feature_flag.provider.name": self._about.provider,
            "feature_flag.result.reason": each.reason.lower(),
            "feature_flag.version": str(each.version),
        }
        optional = (
            ("feature_flag.result.variant", each.variant),
            ("error.type", each.error.lower()),
            ("service.name", self._about.service),
            ("deployment.environment.name", self._about.environment),
        )
        return names | {name: value for name, value in optional if value}
