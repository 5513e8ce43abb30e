"""A server of flags on the loopback interface, who asks it, and what OFREP says of its answers."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from davy.adapters.memory_flags import MemoryFlags
from davy.flags.token import Edge, Token, Tokens, hashed
from davy.serve.flag_door import Limits
from davy.serve.flags_app import FlagsGroup, flags_group
from davy.serve.http import Http
from davy.serve.http import Limits as Connections
from davy.serve.server import STALL_S, Server
from davy.testing.patience import until

SHOP = "https://shop.example"
OFREP = "/ofrep/v1/evaluate/flags"
NOW = 1795669200.0
"""2026-11-26T05:00:00Z, by the clock of the server."""

REASONS = ("STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED", "UNKNOWN")
CODES = {400: ("PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "GENERAL"), 404: ("FLAG_NOT_FOUND",)}

GOVERNANCE = {"owner": "team-pay", "jira": "PAY-1", "expiry": "2027-01-01T00:00:00Z"}


def flag(default: str | None = "off", **more: Any) -> dict[str, Any]:
    exposure = more.pop("exposure", "client")
    variants = more.pop("variants", {"on": True, "off": False})
    metadata = {**GOVERNANCE, "exposure": exposure}
    return {"state": "ENABLED", "variants": variants, "defaultVariant": default, "metadata": metadata, **more}


FLAGS: dict[str, Any] = {
    "checkout.discount": flag("on"),
    "checkout.disabled": flag("on", state="DISABLED"),
    "checkout.code-default": flag(None),
    "checkout.staff": flag(targeting={"if": [{"ends_with": [{"var": "email"}, "@davy.dev"]}, "on", None]}),
    "checkout.half": flag(targeting={"fractional": [["on", 50], ["off", 50]]}),
    "checkout.held": flag("off", metadata={"exposure": "client", "gate": "closed", "gateReason": "no canary"}),
    "checkout.number": flag("one", variants={"one": 1, "half": 0.5}),
    "checkout.object": flag("a", variants={"a": {"deep": [1, {"x": None}]}}),
    "checkout.broken": flag(targeting={"if": [{"$ref": "nobody"}, "on", "off"]}),
    "checkout.wrong": flag(targeting={"if": [True, "neither", "off"]}),
    "checkout.secret": flag("on", exposure="server"),
    "search.ranking": flag("on"),
}


def document(changes: Mapping[str, Any] | None = None, **more: Any) -> bytes:
    flags = {key: one for key, one in {**FLAGS, **(changes or {})}.items() if one is not None}
    return json.dumps({"flags": flags, "metadata": {"flagSetId": "production"}, **more}).encode()


def token(name: str, edge: Edge, **fields: Any) -> Token:
    return Token(name, hashed(f"secret-of-{name}"), edge, 0.0, **fields)


SERVER = token("checkout", Edge.SERVER, keys=("*",), services=("checkout",))
ANYBODY = token("all-services", Edge.SERVER, keys=("*",))
PART = token("part", Edge.SERVER, keys=("search.*",))
CLIENT = token("web", Edge.CLIENT, keys=("checkout.*",), origins=(SHOP,))
OVER = token("over", Edge.SERVER, keys=("*",), expires=NOW)


def shown(one: Token) -> dict[str, str]:
    return {"Authorization": f"Bearer secret-of-{one.name}"}


@dataclass
class Known:
    tokens: Tokens = field(default_factory=lambda: Tokens([SERVER, ANYBODY, PART, CLIENT, OVER]))
    doubt: str = ""


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Serving:
    """A server that runs, with what it serves and what it reported."""

    port: int
    flags: MemoryFlags
    known: Known
    group: FlagsGroup
    reported: list[tuple[str, str]]
    now: float = NOW
    listening: "list[Listening]" = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        text = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        one = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with closing(one):
            with suppress(
                BrokenPipeError, ConnectionResetError
            ):  # who is sent too much answers before it has all
                one.request(method, path, text, dict(headers or {}))
            answer = one.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    def evaluate(self, key: str, context: Any = None, who: Token = SERVER, **headers: str) -> Answer:
        body = {"context": {"targetingKey": "u-1"} if context is None else context}
        return self.ask("POST", f"{OFREP}/{key}", body, shown(who) | headers)

    def evaluate_all(self, context: Any = None, who: Token = CLIENT, etag: str = "") -> Answer:
        body = {"context": {"targetingKey": "u-1"} if context is None else context}
        return self.ask("POST", OFREP, body, shown(who) | ({"If-None-Match": etag} if etag else {}))

    def metrics(self) -> str:
        return self.group.metrics()

    def listen(
        self, path: str, who: Token | None = SERVER, headers: Mapping[str, str] | None = None
    ) -> "Listening":
        self.listening.append(Listening(self.port, path, (shown(who) if who else {}) | dict(headers or {})))
        return self.listening[-1]


class Listening:
    """Somebody who listens to a stream: events as they came."""

    def __init__(self, port: int, path: str, headers: Mapping[str, str]) -> None:
        self.events: list[dict[str, str]] = []
        self.comments = 0
        self.ended = False
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._connection.request("GET", path, headers=dict(headers))
        self._socket = self._connection.sock
        self.answer = self._connection.getresponse()
        self._thread = threading.Thread(target=self._read, daemon=True)
        if self.answer.status == 200:
            self._thread.start()

    def _read(self) -> None:
        event: dict[str, str] = {}
        with suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
            while line := self.answer.readline():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "" and value == "" and line == b"\n":
                    if "data" in event:
                        self.events.append(event)
                    event = {}
                elif line.startswith(b":"):
                    self.comments += 1
                else:
                    event[name] = value
        self.ended = True

    @property
    def told(self) -> list[Any]:
        return [json.loads(event["data"]) for event in self.events]

    def wait(self, count: int) -> None:
        until(lambda: len(self.events) >= count)

    def close(self) -> None:
        """Hang up; the reader sees the end of it, and nothing is closed below it."""
        with suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread.ident is not None:
            self._thread.join()
        self.answer.close()
        self._connection.close()


@contextmanager
def serving(
    limits: Limits | None = None, text: bytes | None = None, stall_s: float = STALL_S
) -> Iterator[Serving]:
    flags, known, reported = MemoryFlags(document() if text is None else text), Known(), list[tuple[str, str]]()
    here: Serving

    def report(number: str, trace: str) -> None:
        reported.append((number, trace))

    group = flags_group(
        flags, known, wall=lambda: here.now, report=report, ticks=time.monotonic, limits=limits or Limits()
    )
    with Server(Http([group], Connections(connections=2000)), None, "127.0.0.1", 0, stall_s) as server:
        here = Serving(server.port, flags, known, group, reported)
        try:
            yield here
        finally:
            for one in here.listening:
                one.close()


def conforms(answer: Answer, *, key: str | None = None) -> None:
    """Hold an answer against what OFREP 0.3 says of it: of one flag where there is a key, of all where not."""
    if answer.status == 304:
        assert answer.body == b""
        assert answer.headers["ETag"]
        return
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json
    if answer.status == 200 and key is None:
        assert set(body) <= {"flags", "metadata", "eventStreams"}
        assert answer.headers["ETag"].startswith('"')
        for one in body["flags"]:
            (_failure if "errorCode" in one else _success)(one)
        for stream in body["eventStreams"]:
            assert stream["type"] == "sse"
            assert ("url" in stream) != ("endpoint" in stream)
            assert stream["inactivityDelaySec"] >= 1
    elif answer.status == 200:
        assert body["key"] == key
        _success(body)
    elif answer.status in CODES:
        assert body["errorCode"] in CODES[answer.status]
        assert set(body) <= {"key", "errorCode", "errorDetails", "metadata"}
        assert ("key" in body) == (key is not None)
    else:
        assert answer.status in (401, 403, 408, 413, 429, 500, 503)
        assert set(body) == {"errorDetails"}
        assert answer.status not in (429, 503) or int(answer.headers["Retry-After"]) >= 1


def _success(body: Mapping[str, Any]) -> None:
    assert set(body) <= {"key", "reason", "value", "variant", "metadata"}
    assert body["reason"] in REASONS
    assert ("value" in body) == ("variant" in body)
    assert all(isinstance(value, bool | int | float | str) for value in body.get("metadata", {}).values())


def _failure(body: Mapping[str, Any]) -> None:
    assert set(body) <= {"key", "errorCode", "errorDetails", "metadata"}
    assert body["errorCode"] in (*CODES[400], *CODES[404])
