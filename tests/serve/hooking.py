"""Senders of webhooks that sign as each scheme does, and a server on the loopback interface for them."""

import hashlib
import hmac
import http.client
import json
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from davy.adapters.memory_store import MemoryStore
from davy.analysis.provider import ProviderError
from davy.analysis.secret import Secret
from davy.control.hooks.delivery import Delivery
from davy.control.hooks.desk import Desk, Taken
from davy.control.hooks.source import Source
from davy.control.hooks.sources_file import read_sources
from davy.ledger.entry import Entry
from davy.serve.hooks_app import Hooks, Limits
from davy.serve.http import Http
from davy.serve.server import Server

CASES = Path(__file__).parents[1] / "cases" / "hooks"
SCHEMES = (
    "github",
    "gitlab",
    "argocd",
    "alertmanager",
    "pagerduty",
    "sentry",
    "circleci",
    "cloudevents",
    "launchdarkly",
)
SECRET = "c4nary-of-hooks/+=:x"
SIGNING = "whsec_" + b64encode(b"c4nary-of-signed-hooks").decode()
NOW = 1772446000.0
"""2026-03-02T10:06:40Z, by the clock of the server."""

Headers = dict[str, str]


def hexadecimal(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def standard(secret: str, body: bytes, now: float, name: str = "msg_1") -> Headers:
    key = b64decode(secret.removeprefix("whsec_"))
    signed = f"{name}.{int(now)}.".encode() + body
    signature = b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": f"v1a,b2xk v1,{signature}",
    }


def signed(scheme: str, secret: str, body: bytes, now: float = NOW) -> Headers:
    """Return the headers by which a sender shows who it is."""
    if secret.startswith("whsec_"):
        return standard(secret, body, now)
    match scheme:
        case "github":
            return {"X-Hub-Signature-256": f"sha256={hexadecimal(secret, body)}"}
        case "gitlab":
            return {"X-Gitlab-Token": secret}
        case "pagerduty":
            return {"X-PagerDuty-Signature": f"v1={'0' * 64},v1={hexadecimal(secret, body)}"}
        case "sentry":
            return {"Sentry-Hook-Signature": hexadecimal(secret, body)}
        case "circleci":
            return {"circleci-signature": f"v2=abc,v1={hexadecimal(secret, body)}"}
        case "launchdarkly":
            return {"X-LD-Signature": hexadecimal(secret, body)}
        case "alertmanager":
            return {"Authorization": f"Bearer {secret}"}
        case "argocd":
            return {"X-Davy-Token": secret}
        case _:
            return {"Authorization": "Basic " + b64encode(secret.encode()).decode()}


@dataclass
class Secrets:
    """Secrets in memory, by name and key."""

    found: dict[tuple[str, str], str]

    def find(self, namespace: str, name: str, key: str) -> Secret | None:
        text = self.found.get((name, key))
        if text == "unreadable":
            raise ProviderError("it may be read by others")
        return None if text is None else Secret(text)

    def place(self, namespace: str, name: str, key: str) -> str:
        return "put it there"


@dataclass
class Serving:
    """A server that runs, with where it writes and what it reported."""

    port: int
    log: MemoryStore
    hooks: Hooks
    reported: list[tuple[str, str]]

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
        one = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        one.request("POST", path, body=body, headers={"Content-Type": "application/json"} | dict(headers))
        answer = one.getresponse()
        text = answer.read()
        one.close()
        return answer.status, json.loads(text) if text else None

    def get(self, path: str) -> tuple[int, str]:
        one = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        one.request("GET", path)
        answer = one.getresponse()
        text = answer.read().decode()
        one.close()
        return answer.status, text

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self.log.entries()


def taken(desk: Desk, sender: tuple[Source, str], delivery: Delivery) -> Taken:
    """Take a delivery in, as the server does."""
    reading = desk.read(*sender, delivery)
    return reading.taken(desk.log.append(reading.drafts))


def made(desk: Desk, reported: list[tuple[str, str]], limits: Limits) -> Hooks:
    def report(number: str, text: str) -> None:
        reported.append((number, text))

    return Hooks(desk, lambda: NOW, time.monotonic, report, limits)


class Shared:
    """One server for all tests that need none of their own: to start and end one takes its time."""

    def __init__(self) -> None:
        self.reported: list[tuple[str, str]] = []
        self.hooks = made(Desk((), Secrets({}), MemoryStore(), lambda: NOW), self.reported, Limits())
        self.server: Server | None = None

    def port(self) -> int:
        if self.server is None:
            self.server = Server(Http([self.hooks]), None, "127.0.0.1", 0)
            self.server.start()
        return self.server.port

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()


SHARED = Shared()


@contextmanager
def serving(
    sources: Sequence[Source],
    secrets: Mapping[tuple[str, str], str],
    *,
    log: MemoryStore | None = None,
    limits: Limits | None = None,
) -> Iterator[Serving]:
    store = log or MemoryStore()
    desk = Desk(tuple(sources), Secrets(dict(secrets)), store, lambda: NOW)
    if limits is None:
        SHARED.hooks.desk = desk
        SHARED.reported.clear()
        yield Serving(SHARED.port(), store, SHARED.hooks, SHARED.reported)
        return
    reported: list[tuple[str, str]] = []
    hooks = made(desk, reported, limits)
    with Server(Http([hooks]), None, "127.0.0.1", 0) as server:
        yield Serving(server.port, store, hooks, reported)


@dataclass(frozen=True)
class Case:
    """One delivery, and what comes of it."""

    scheme: str
    name: str
    source: Source
    body: bytes
    headers: Headers
    status: int
    events: list[dict[str, Any]]
    outcomes: list[str] = field(default_factory=list)
    after: "Case | None" = None

    @property
    def secrets(self) -> dict[tuple[str, str], str]:
        return {(key.name, key.key): SECRET for key in self.source.secrets}

    @property
    def path(self) -> str:
        return f"/hooks/{self.scheme}"


def cases(scheme: str) -> list[Case]:
    """Read the cases of a scheme."""
    document = yaml.safe_load((CASES / f"{scheme}.yaml").read_text())
    found: dict[str, Case] = {}
    for each in document["cases"]:
        spec = deepcopy(document["source"]) | each.get("set", {})
        text = json.dumps({"sources": [spec]}).encode()
        found[each["name"]] = Case(
            scheme,
            each["name"],
            read_sources(text, "hooks.yaml")[0],
            each["raw"].encode() if "raw" in each else json.dumps(each["payload"]).encode(),
            each.get("headers", {}),
            each["status"],
            each["events"],
            each.get("outcomes", []),
            found[each["after"]] if "after" in each else None,
        )
    return list(found.values())


EVERY = [case for scheme in SCHEMES for case in cases(scheme)]
