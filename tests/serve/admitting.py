"""An admission server over TLS on the loopback interface, and callers that know its authority."""

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.policy.asking import CONTROLLER, DAVY

from davy.adapters.certificate_files import BUNDLE, CERTIFICATE, ServerTls, renew
from davy.control.api_reviews import Reviewing
from davy.control.governance import Governance
from davy.control.rules_in_force import Rules
from davy.policy.admission_response import Edition
from davy.policy.engine import Point, Policy, Violation
from davy.policy.inventory import Inventory
from davy.policy.passage import Trusted
from davy.policy.review import Review
from davy.policy.waivers import Waiver
from davy.serve.admission import Admission, Limits
from davy.serve.server import Server

NAMES = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Judged:
    """A policy that asks a function what it has against a review."""

    said: Callable[[Review], str]
    name: str = "made-up"
    rule: str = "R1"

    def judge(self, review: Review, inventory: Inventory, point: Point) -> Sequence[Violation]:
        message = self.said(review)
        return [Violation(self.name, self.rule, message)] if message else []


def only_the_controller_writes_status(review: Review) -> str:
    """Judge as the pack's PD043 does, as far as these tests go."""
    if review.sub_resource == "status":
        return f"{review.user['username']} is not the controller"
    return "use a Rollout" if review.kind.kind == "Deployment" else ""


STRICT = Judged(only_the_controller_writes_status)


def rules(*policies: Policy, waivers: Sequence[Waiver] = (), generation: int = 1) -> Rules:
    governance = Governance(policies=policies, waivers=waivers, point=Point.ADMISSION)
    return Rules(governance, Edition(generation, "f00d"))


@dataclass
class Serving:
    """A server that runs, with what it reported."""

    server: Server
    admission: Admission
    tls: ServerTls
    directory: Path
    reported: list[tuple[str, str]] = field(default_factory=list)

    @property
    def context(self) -> ssl.SSLContext:
        """What a caller believes who has read the bundle just now."""
        return ssl.create_default_context(cafile=str(self.directory / BUNDLE))

    def connection(self, context: ssl.SSLContext | None = None) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "localhost", self.server.port, context=context or self.context, timeout=30
        )

    def dial(self) -> ssl.SSLSocket:
        """Connect, and leave what is sent to the caller."""
        plain = socket.create_connection(("127.0.0.1", self.server.port), timeout=30)
        return self.context.wrap_socket(plain, server_hostname="localhost")

    def post(
        self, body: bytes | Mapping[str, Any], connection: http.client.HTTPSConnection | None = None
    ) -> tuple[int, Any]:
        """Send a review, and return the status of HTTP with the response, or the text where there is none."""
        one = connection or self.connection()
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        one.request("POST", "/v1/admit", body=raw, headers={"Content-Type": "application/json"})
        answer = one.getresponse()
        text = answer.read().decode()
        if connection is None:
            one.close()
        return answer.status, json.loads(text)["response"] if answer.status == 200 else text

    def get(self, path: str) -> tuple[int, str]:
        one = self.connection()
        one.request("GET", path)
        answer = one.getresponse()
        text = answer.read().decode()
        one.close()
        return answer.status, text


@contextmanager
def serving(
    directory: Path,
    in_force: Rules | None,
    *,
    limits: Limits | None = None,
    callers: Path | None = None,
    certain: Callable[[], str] = str,
) -> Iterator[Serving]:
    if not (directory / CERTIFICATE).exists():
        renew(directory, NAMES, time.time())
    tls = ServerTls(directory, callers=callers)
    tls.load()
    reported: list[tuple[str, str]] = []
    reviewing = Reviewing(Trusted(frozenset({CONTROLLER}), DAVY), time.time, in_force)
    admission = Admission(
        reviewing,
        lambda number, text: reported.append((number, text)),
        limits=limits or Limits(),
        certain=certain,
        known_caller=callers is not None,
    )
    with Server(admission, tls.context, "127.0.0.1", 0) as server:
        yield Serving(server, admission, tls, directory, reported)


@contextmanager
def at_once(count: int, work: Callable[[int], None]) -> Iterator[None]:
    """Run something in many threads beside what is in the block; what one of them raises is raised here."""
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
