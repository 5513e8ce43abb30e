"""The way in for other systems: `POST /hooks/SCHEME`, what they tell of changes and incidents.

A body is read within limits of size and time and nothing is done with it before its sender is known. Who cannot
show who it is gets one answer, whatever is wrong. What is answered with 202 is in the ledger, on disk.
"""

import asyncio
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect
from starlette.requests import Request as Call
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from davy.control.hooks.delivery import LONGEST, BadPayload, Delivery
from davy.control.hooks.desk import CannotTell, Desk, Taken, outcomes
from davy.control.hooks.schemes import SCHEMES
from davy.control.hooks.source import Source
from davy.errors import DavyError
from davy.ledger.entry import Draft
from davy.ledger.log import Receipt
from davy.serve.admission import fault_id
from davy.serve.appending import Appending
from davy.serve.rates import Rates

RETRY_S = 5
"""After how many seconds a sender is asked to try again what could not be written down."""

UNKNOWN = "this is not signed by anybody who is known here, or not in time"
"""The one answer to whoever cannot show who it is."""

_CLOSE = {"Connection": "close"}

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Limits:
    """What senders may take of the server.

    Args:
        body_s: real seconds for the whole of a body.
        answer_s: real seconds until a delivery is answered, once it has been read.
        workers: how many are looked at and read at once.
        waiting: how many more may come in, wait for that, or for the disk.
    """

    body_s: float = 5.0
    answer_s: float = 10.0
    workers: int = 8
    waiting: int = 120


class TooLong(Exception):
    """A body is longer than any that is read."""


@dataclass(slots=True)
class Hooks:
    """Answers what other systems deliver; a group of routes of `davy.serve.http`.

    Args:
        desk: takes deliveries in.
        wall: the time, in seconds since the epoch: what the times of signatures are held to.
        ticks: seconds of a clock that never goes back, for rates.
        report: is told of a fault of ours: its id and the traceback.
    """

    desk: Desk
    wall: Callable[[], float]
    ticks: Callable[[], float]
    report: Callable[[str, str], None]
    limits: Limits = field(default_factory=Limits)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    _rates: Rates = field(default_factory=Rates)
    _open: int = 0
    _pool: ThreadPoolExecutor = field(init=False)
    _appending: Appending = field(init=False)

    def __post_init__(self) -> None:
        """Make the workers, and the one thread that writes."""
        self._pool = ThreadPoolExecutor(self.limits.workers, thread_name_prefix="davy-hook")
        self._appending = Appending(lambda calls: self.desk.log.append_each(calls))

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes: one path, whose last part is the scheme."""
        return [Route("/hooks/{scheme}", self.receive, methods=["POST"])]

    def doubt(self) -> str:
        """Say whether there is a source whose secrets cannot be read."""
        try:
            self.desk.check_secrets()
        except DavyError as error:
            return error.message
        return ""

    def close(self) -> None:
        """Let go of the workers; what they are at has been answered by now."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._appending.close()

    def metrics(self) -> str:
        """Write what was counted."""
        lines = [
            "# HELP davy_hooks_deliveries_total Deliveries that were answered, by scheme and status of HTTP.",
            "# TYPE davy_hooks_deliveries_total counter",
        ]
        lines += [
            f'davy_hooks_deliveries_total{{scheme="{scheme}",status="{status}"}} {count}'
            for (scheme, status), count in sorted(self.answers.items())
        ]
        lines += [
            "# HELP davy_hooks_events_total Events that were told, by source and what became of them.",
            "# TYPE davy_hooks_events_total counter",
        ]
        lines += [
            f'davy_hooks_events_total{{source="{source}",outcome="{outcome}"}} {count}'
            for (source, outcome), count in sorted(self.events.items())
        ]
        lines += [
            "# HELP davy_hooks_open Deliveries that are being read or taken in.",
            "# TYPE davy_hooks_open gauge",
            f"davy_hooks_open {self._open}",
        ]
        return "\n".join(lines) + "\n"

    async def receive(self, call: Call) -> Response:
        """Answer one delivery."""
        scheme = str(call.path_params["scheme"])
        if scheme not in SCHEMES:
            return _refusal(404, "not-found", f"known here: {', '.join(SCHEMES)}")
        if self._open >= self.limits.workers + self.limits.waiting:
            answer = _refusal(503, "busy", "too many deliveries at once", Retry_After="1", Connection="close")
        else:
            self._open += 1
            try:
                answer = await self._answered(scheme, call)
            finally:
                self._open -= 1
        self.answers[scheme, answer.status_code] += 1
        return answer

    async def _answered(self, scheme: str, call: Call) -> Response:
        """Read a delivery and take it in; whatever happens, what is returned is an answer."""
        try:
            body = await asyncio.wait_for(_body(call), self.limits.body_s)
        except TooLong:
            return _refusal(413, "too-long", f"a body has at most {LONGEST} bytes", **_CLOSE)
        except TimeoutError:
            return _refusal(408, "slow", f"the body had not come after {self.limits.body_s:g} s", **_CLOSE)
        except ClientDisconnect:
            return Response(status_code=400, headers=_CLOSE)
        try:
            return await self._taken(scheme, Delivery(_headers(call), body, self.wall()))
        except BadPayload as error:
            return _refusal(400, "payload", str(error))
        except CannotTell:
            return _refusal(503, "secret", "nobody can be told from another just now", Retry_After=str(RETRY_S))
        except TimeoutError:
            return _refusal(503, "busy", "it was not written down in time", Retry_After=str(RETRY_S))
        except DavyError as error:
            return _refusal(503, error.code, "it cannot be written down just now", Retry_After=str(RETRY_S))
        except Exception as error:  # noqa: BLE001 - a fault of ours is an answer like any other
            number = fault_id(error)
            self.report(number, "".join(traceback.format_exception(error)))
            return _refusal(500, "bug", f"a fault of Davy itself ({number})")

    async def _taken(self, scheme: str, delivery: Delivery) -> Response:
        sender = await self._aside(lambda: self.desk.sender(scheme, delivery))
        if sender is None:
            return _refusal(401, "unknown", UNKNOWN)
        source, how = sender
        if wait_s := self._rates.wait_s(source.name, source.per_minute, self.ticks()):
            return _refusal(429, "rate", f"more than {source.per_minute} a minute", Retry_After=str(wait_s))
        reading = await self._aside(lambda: self.desk.read(source, how, delivery))
        return self._told(source, reading.taken(await self._written(reading.drafts)))

    async def _written(self, drafts: Sequence[Draft]) -> tuple[Receipt, ...]:
        """Have it written down, and wait no longer than is allowed; no worker waits for the disk meanwhile."""
        if not drafts:
            return ()
        return await asyncio.wait_for(self._appending.append(drafts), self.limits.answer_s)

    def _told(self, source: Source, taken: Taken) -> Response:
        for each in taken.events:
            self.events[source.name, each.outcome] += 1
        found = outcomes(taken.events)
        status = (
            403 if "outside" in found else 409 if "refused" in found else 202 if "written" in found else 200
        )
        return Response(msgspec.json.encode(taken), status, media_type="application/json")

    async def _aside(self, work: Callable[[], Result]) -> Result:
        """Do something in a worker, and wait for it no longer than is allowed; it is done all the same."""
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        return await asyncio.wait_for(asyncio.shield(future), self.limits.answer_s)


def _refusal(status: int, code: str, message: str, **headers: str) -> Response:
    """Make an answer that says why not."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body: dict[str, Any] = {"error": {"code": code, "message": message}}
    return Response(msgspec.json.encode(body), status, named, media_type="application/json")


def _headers(call: Call) -> dict[str, str]:
    """Return the headers, names in small letters; those that are there twice are joined (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for name, value in call.headers.items():
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


async def _body(call: Call) -> bytes:
    """Collect a body.

    Raises:
        TooLong: it is longer than the limit, or says that it will be.
    """
    length = call.headers.get("content-length", "")
    if length.isdigit() and (len(length) > 9 or int(length) > LONGEST):
        raise TooLong
    found = bytearray()
    async for chunk in call.stream():
        found += chunk
        if len(found) > LONGEST:
            raise TooLong
    return bytes(found)
