"""CloudEvents in JSON, one a line, read as change events; the fields are in docs/reference/delivery-metrics.md.

What does not fit is refused with its line and its place in it. Nothing is guessed: a figure that rests on an
event that was half understood is worth less than none.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, BinaryIO, Literal

import msgspec

from davy.errors import UsageError
from davy.reports.event import BACK, Audience, Change, ChangeEvent, EventType, Kind

LONGEST = 64 * 1024
"""How many bytes a line may have: what every party to CloudEvents forwards (CloudEvents 1.0, Size Limits)."""
MOST_TOLD = 20
"""How many bad lines are told; a file with more is wrong altogether."""

TYPES: dict[str, EventType] = {
    "dev.davy.change.created": "created",
    "dev.davy.change.merged": "merged",
    "dev.davy.change.exposed": "exposed",
    "dev.davy.change.promoted": "promoted",
    "dev.davy.change.rolled_back": "rolled_back",
    "dev.davy.change.aborted_unexposed": "aborted_unexposed",
    "dev.davy.incident.opened": "opened",
    "dev.davy.incident.restored": "restored",
}
"""The types of events by what CloudEvents call them."""

_BLOCK = 1 << 20
_LARGEST = 2**53 - 1
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_PERCENT = 10_000
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_ENDINGS = ("opened", "restored")
_BEFORE = ("created", "merged")
_IN_ROLLOUT = ("exposed", "promoted", "rolled_back", "aborted_unexposed")
_USERS = ("users", "external", "public", "customers")

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST)]


class _Change(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    repo: _Text
    commit: _Text


class _Data(msgspec.Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True, gc=False):
    change: _Change | None = None
    service: _Text | None = None
    environment: _Text | None = None
    target: _Text | None = None
    rollout: _Text | None = None
    attempt: Annotated[int, msgspec.Meta(ge=1, lt=BACK)] | None = None
    kind: Kind | None = None
    weight: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    audience: Audience | Literal["external", "public", "customers"] | None = None
    remediates: _Text | _Change | None = None
    cause: _Text | None = None
    incident: _Text | None = None
    received_at: _Instant | None = None
    committed_at: _Instant | None = None
    requests: _Count | None = None
    bad_requests: _Count | None = None
    waiver: _Text | None = None
    team: _Text | None = None


class _CloudEvent(msgspec.Struct, omit_defaults=True, gc=False):
    specversion: Literal["1.0"]
    id: _Text
    source: _Text
    type: Literal[
        "dev.davy.change.created",
        "dev.davy.change.merged",
        "dev.davy.change.exposed",
        "dev.davy.change.promoted",
        "dev.davy.change.rolled_back",
        "dev.davy.change.aborted_unexposed",
        "dev.davy.incident.opened",
        "dev.davy.incident.restored",
    ]
    time: _Instant
    data: _Data
    datacontenttype: msgspec.Raw = msgspec.Raw()
    dataschema: msgspec.Raw = msgspec.Raw()
    subject: msgspec.Raw = msgspec.Raw()


_TYPED = msgspec.json.Decoder(_CloudEvent)
_ENCODER = msgspec.json.Encoder()

KNOWN: dict[str, tuple[str, ...]] = {
    "$.specversion": ("1.0",),
    "$.type": tuple(TYPES),
    "$.data.kind": ("code", "config", "flag", "migration", "infra", "rollback"),
    "$.data.audience": (*_USERS, "internal", "shadow", "synthetic"),
    "$.data": tuple(field.encode_name for field in msgspec.structs.fields(_Data)),
    "$.data.change": ("repo", "commit"),
    "$.data.remediates": ("repo", "commit"),
}
"""The words that are read, by where they stand."""


class BadEvent(ValueError):
    """A text is no event; the message says where in it and why, as in `$.data.weight: Expected …`."""


class BadEvents(UsageError):
    """Lines of a file are no events, so that nothing was computed of it.

    Args:
        name: the file.
        problems: the line and the message of each bad line, in order.
        more: how many there are beside these.
    """

    code = "events"

    def __init__(self, name: str, problems: list[tuple[int, str]], more: int = 0) -> None:
        self.told = [f"{name}:{line}: {problem}" for line, problem in problems]
        self.told += [f"and {more} more"] if more else []
        super().__init__("\n".join(self.told), hint="each field is in docs/reference/delivery-metrics.md")
        self.problems, self.more = problems, more


def decode(line: bytes, seq: int = 0) -> ChangeEvent:
    """Read one event.

    Raises:
        BadEvent: it is none, or says something that no field is for.
    """
    if len(line) > LONGEST:
        raise BadEvent(f"an event has at most {LONGEST} bytes")
    try:
        line.decode()
        _refuse_equal_keys(line)
        event = _event(_TYPED.decode(line), seq)
    except UnicodeDecodeError as error:
        raise BadEvent(f"byte {error.start + 1} is no UTF-8") from error
    except RecursionError as error:
        raise BadEvent("it is nested too deeply") from error
    except msgspec.MsgspecError as error:
        raise BadEvent(_problem(str(error))) from error
    _refuse_unsafe(event)
    return event


def read(stream: BinaryIO, name: str) -> list[ChangeEvent]:
    """Read the events of a file; `seq` of each is its line. Empty lines and a byte order mark are passed over.

    Raises:
        BadEvents: lines of it are no events. All of them are told, up to `MOST_TOLD`.
    """
    events: list[ChangeEvent] = []
    problems: list[tuple[int, str]] = []
    more = 0
    for first, block in _blocks(stream):
        lines = block.split(b"\n")
        if (found := _quickly(lines, block, first)) is not None:
            events += found
            continue
        for number, line in enumerate(lines, first):
            if len(line) <= LONGEST and not line.strip():
                continue
            try:
                events.append(decode(line, number))
            except BadEvent as error:
                more += len(problems) == MOST_TOLD
                problems += [(number, str(error))] if len(problems) < MOST_TOLD else []
    if problems:
        raise BadEvents(name, problems, more)
    return events


def encode(event: ChangeEvent) -> bytes:
    """Write an event as a CloudEvent, without the end of the line. Read again it is the same event."""
    data: dict[str, Any] = {}
    if event.repo:
        data["change"] = {"repo": event.repo, "commit": event.commit}
    plain = ("service", "environment", "target", "rollout", "cause", "incident", "requests", "waiver", "team")
    data |= {field: value for field in plain if (value := getattr(event, field)) not in ("", None)}
    if event.type in _IN_ROLLOUT and event.attempt:
        data["attempt"] = event.attempt
    if event.type not in _ENDINGS:
        data["kind"] = event.kind
    if event.type == "exposed":
        data["audience"] = event.audience
    if event.weight is not None:
        whole, part = divmod(event.weight, _PER_PERCENT)
        data["weight"] = event.weight / _PER_PERCENT if part else whole
    if event.remediates is not None:
        data["remediates"] = dict(zip(("repo", "commit"), event.remediates, strict=True))
    if event.bad is not None:
        data["badRequests"] = event.bad
    for field, instant in (("receivedAt", event.received), ("committedAt", event.committed)):
        data |= {field: written(instant)} if instant is not None else {}
    family = "incident" if event.type in _ENDINGS else "change"
    envelope = {"specversion": "1.0", "id": event.id, "source": event.source}
    envelope |= {"type": f"dev.davy.{family}.{event.type}", "time": written(event.time)}
    return _ENCODER.encode({**envelope, "data": data})


def written(instant: int) -> str:
    """Write an instant in microseconds since 1970 as RFC 3339 in UTC, without zeros that say nothing."""
    text = (_EPOCH + instant * _MICROSECOND).isoformat().removesuffix("+00:00")
    return text.rstrip("0").rstrip(".") + "Z" if "." in text else text + "Z"


def micros(instant: datetime) -> int:
    """Return an instant in microseconds since 1970 UTC, exactly."""
    since = instant - _EPOCH
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds


def _blocks(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Cut a stream into blocks of whole lines, each with the number of its first line."""
    rest, number = stream.read(_BLOCK).removeprefix(b"\xef\xbb\xbf"), 1
    while block := stream.read(_BLOCK):
        whole, newline, tail = block.rpartition(b"\n")
        if newline:
            yield number, rest + whole
            number += rest.count(b"\n") + whole.count(b"\n") + 1
            rest = tail
        elif len(rest) > LONGEST and b"\n" not in rest:
            break  # whatever comes, this line is too long; a file that is one line is not read into memory
        else:
            rest += tail
    yield number, rest


def _quickly(lines: list[bytes], block: bytes, first: int) -> list[ChangeEvent] | None:
    """Read a block in which nothing is wrong and nothing unusual; None: each line has to be looked at."""
    told = [number for number, line in enumerate(lines, first) if line and not line.isspace()]
    if not block.isascii() or b"\\" in block or b"\x7f" in block or max(map(len, lines)) > LONGEST:
        return None
    try:
        found = _TYPED.decode_lines(block)
        if len(found) != len(told) or _ENCODER.encode_lines(found).count(b",") != block.count(b","):
            return None  # an event of several lines; or a key that is there twice, is null, or is not looked at
        return list(map(_event, found, told))
    except (msgspec.MsgspecError, BadEvent, RecursionError):
        return None


def _event(found: _CloudEvent, seq: int) -> ChangeEvent:
    """Put an event into the shape that is computed with; what its type has no use for is left out.

    Raises:
        BadEvent: something that its type needs is missing, or an instant is before 1970.
    """
    type, data = TYPES[found.type], found.data
    received = None if data.received_at is None else micros(data.received_at)
    if type in _ENDINGS:
        event = _of_incident(found, type, received, seq)
    elif data.change is None:
        raise BadEvent("$.data: `change` is missing")
    elif type in _BEFORE:
        event = _of_change(found, data.change, type, received, seq)
    else:
        event = _of_attempt(found, data.change, type, received, seq)
    if event.time < 0 or (received or 0) < 0 or (event.committed or 0) < 0:
        raise BadEvent("$.time: an instant before 1970 is of a clock that was never set")
    return event


def _of_incident(found: _CloudEvent, type: EventType, received: int | None, seq: int) -> ChangeEvent:
    data = found.data
    if data.service is None or data.incident is None:
        raise BadEvent(f"$.data: `{'incident' if data.service else 'service'}` is missing")
    return ChangeEvent(
        found.source,
        found.id,
        type,
        micros(found.time),
        data.change.repo if data.change else "",
        data.change.commit if data.change else "",
        data.service,
        data.environment or "",
        cause=data.cause or "",
        incident=data.incident,
        received=received,
        team=data.team or "",
        seq=seq,
    )


def _of_change(
    found: _CloudEvent, change: _Change, type: EventType, received: int | None, seq: int
) -> ChangeEvent:
    data = found.data
    return ChangeEvent(
        found.source,
        found.id,
        type,
        micros(found.time),
        change.repo,
        change.commit,
        data.service or "",
        data.environment or "",
        kind=data.kind or "code",
        remediates=_remediated(data.remediates, change),
        received=received,
        committed=None if data.committed_at is None else micros(data.committed_at),
        waiver=data.waiver or "",
        team=data.team or "",
        seq=seq,
    )


def _of_attempt(
    found: _CloudEvent, change: _Change, type: EventType, received: int | None, seq: int
) -> ChangeEvent:
    data = found.data
    if data.service is None:
        raise BadEvent("$.data: `service` is missing")
    exposed, promoted = type == "exposed", type == "promoted"
    aborted = type == "aborted_unexposed"
    return ChangeEvent(
        found.source,
        found.id,
        type,
        micros(found.time),
        change.repo,
        change.commit,
        data.service,
        data.environment or "",
        data.target or "",
        data.rollout or "",
        data.attempt or 0,
        data.kind or "code",
        None if promoted or aborted else _millionths(data.weight),
        _audience(data.audience) if exposed else "users",
        _remediated(data.remediates, change) if exposed or promoted else None,
        "" if exposed or promoted else data.cause or "",
        "",
        received,
        None,
        None if exposed or aborted else data.requests,
        None if exposed or aborted else data.bad_requests,
        data.waiver or "",
        data.team or "",
        seq,
    )


def _millionths(percent: float | None) -> int | None:
    """Return a share in millionths; one that is not nothing is at least one of them."""
    if percent is None:
        return None
    return round(percent * _PER_PERCENT) or int(percent > 0)


def _audience(word: str | None) -> Audience:
    return "users" if word is None or word in _USERS else word  # type: ignore[return-value]


def _remediated(given: str | _Change | None, change: _Change) -> Change | None:
    if given is None:
        return None
    if not isinstance(given, str):
        return given.repo, given.commit
    repo, at, commit = given.rpartition("@")
    return (repo, commit) if repo and at and commit else (change.repo, given)


def _refuse_equal_keys(line: bytes) -> None:
    """Refuse an object that has a key twice: one reader takes the first, another the last."""
    if b'"' not in line:
        return
    try:
        json.loads(line, object_pairs_hook=_unique)
    except BadEvent:
        raise
    except ValueError:
        return  # what is wrong with it is told better by the typed decoder


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadEvent(f"the key {twice[:80]!r} is there twice")
    return found


def _refuse_unsafe(event: ChangeEvent) -> None:
    """Refuse control characters and marks that turn the direction of a text: names are shown to people."""
    for field in event.__struct_fields__:
        value = getattr(event, field)
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and (found := _UNSAFE.search(text)):
                raise BadEvent(f"$.data: `{field}` has the control character U+{ord(found[0]):04X}")


def _problem(message: str) -> str:
    """Turn a message of msgspec around, the path comes first, and name the words that are known there."""
    what, _, path = message.partition(" - at `")
    path = path.removesuffix("`") or "$"
    known = KNOWN.get(path, ()) if "unknown field" in what or "Invalid enum" in what else ()
    return f"{path}: {what}" + (f" (known: {', '.join(known)})" if known else "")
