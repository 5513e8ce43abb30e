"""What every request for flags passes: who asks, from which page, how often, and how much of it is read."""

import asyncio
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect
from starlette.requests import Request as Call
from starlette.responses import Response

from davy.errors import DavyError
from davy.flags.token import Edge, Token, Tokens
from davy.serve.admission import fault_id
from davy.serve.rates import Rates

RETRY_S = 2
"""After how many seconds a caller is asked to try again what could not be done."""

_ALLOWED = "Authorization, Content-Type, If-None-Match, X-API-Key"
_EXPOSED = "Davy-Flags-Version, ETag, Retry-After"
_CLOSE = {"Connection": "close"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What callers may take of a server of flags.

    Args:
        body_s: real seconds for the whole of a body.
        context_bytes: of a request for an evaluation.
        report_bytes: of what an instance tells.
        depth: how deep a context may be nested.
        members: how many values it may have.
        streams: how many may be open; one more is asked to come again.
        heartbeat_s: real seconds of silence on a stream until it is shown that it lives.
        stream_s: real seconds until a stream ends, so that its holder shows again who it is.
        evaluating: requests that may be evaluated or compiled at once.
    """

    body_s: float = 5.0
    context_bytes: int = 64 * 1024
    report_bytes: int = 1024 * 1024
    depth: int = 16
    members: int = 1000
    streams: int = 1000
    heartbeat_s: float = 15.0
    stream_s: float = 3600.0
    evaluating: int = 4


class Refusal(Exception):
    """Why a request is not answered as it wanted to be: status, code, a sentence, headers."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}


Work = Callable[[Call], Awaitable[Response]]
Rendering = Callable[[Call, Refusal], Response]


@dataclass(slots=True)
class Door:
    """Lets requests in.

    Args:
        tokens: returns those that are known now.
        wall: seconds since the epoch, which expiry is held to.
        ticks: seconds of a clock that never goes back, for rates.
        report: is told of a fault of ours: its id and the traceback.
        limits: what callers may take.
    """

    tokens: Callable[[], Tokens]
    wall: Callable[[], float]
    ticks: Callable[[], float]
    report: Callable[[str, str], None]
    limits: Limits
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    _rates: Rates = field(default_factory=Rates)

    def open(self, name: str, work: Work, refused: Rendering) -> Work:
        """Return an endpoint: whatever happens within `work`, what it returns is an answer.

        Args:
            name: what the endpoint is called in the metrics.
            work: answers, or raises `Refusal`.
            refused: makes an answer of a refusal.
        """

        async def answer(call: Call) -> Response:
            response = (
                self._preflight(call) if call.method == "OPTIONS" else await self._safe(work, refused, call)
            )
            self._share(call, response)
            self.answers[name, response.status_code] += 1
            return response

        return answer

    def holder(self, call: Call) -> Token:
        """Return the token that a request shows.

        Raises:
            Refusal: it is none that is known here, or may not be used so or so often.
        """
        token = self.tokens().holder(_secret(call), self.wall())
        if token is None:
            challenge = {"WWW-Authenticate": 'Bearer realm="davy flags"'}
            message = "a token that is known here is missing: Authorization: Bearer, or X-API-Key"
            raise Refusal(401, "unknown", message, challenge)
        self.admit(call, token)
        return token

    def server(self, call: Call) -> Token:
        """Return the token of a program of ours.

        Raises:
            Refusal: it is none, or somebody else's.
        """
        token = self.holder(call)
        if token.edge is not Edge.SERVER:
            raise Refusal(403, "edge", "this is for tokens of the server edge")
        return token

    def admit(self, call: Call, token: Token) -> None:
        """Make sure that a token may be used from this page, and this often.

        Raises:
            Refusal: it may not.
        """
        origin = call.headers.get("origin", "")
        if origin and origin not in token.origins:
            raise Refusal(403, "origin", "this token is not for pages of that origin")
        if wait_s := self._rates.wait_s(token.name, token.per_minute, self.ticks()):
            message = f"more than {token.per_minute} requests a minute"
            raise Refusal(429, "rate", message, {"Retry-After": str(wait_s)})

    async def body(self, call: Call, longest: int) -> bytes:
        """Collect a body.

        Raises:
            Refusal: it is too long, or does not come in time.
        """
        length = call.headers.get("content-length", "")
        if length.isdigit() and (len(length) > 9 or int(length) > longest):
            raise Refusal(413, "too-long", f"a body has at most {longest} bytes", _CLOSE)
        try:
            return await asyncio.wait_for(_collected(call, longest), self.limits.body_s)
        except TimeoutError:
            message = f"the body had not come after {self.limits.body_s:g} s"
            raise Refusal(408, "slow", message, _CLOSE) from None
        except ClientDisconnect:
            raise Refusal(400, "gone", "the body ended early", _CLOSE) from None

    async def _safe(self, work: Work, refused: Rendering, call: Call) -> Response:
        try:
            return await work(call)
        except Refusal as refusal:
            return refused(call, refusal)
        except DavyError as error:
            message = "it cannot be told just now"
            return refused(call, Refusal(503, error.code, message, {"Retry-After": str(RETRY_S)}))
        except Exception as error:  # noqa: BLE001 - a fault of ours is an answer like any other
            number = fault_id(error)
            self.report(number, "".join(traceback.format_exception(error)))
            return refused(call, Refusal(500, "bug", f"a fault of Davy itself ({number})"))

    def _preflight(self, call: Call) -> Response:
        """Say to a browser what its pages may ask; it does not say yet with which token."""
        return Response(
            status_code=204,
            headers={
                "Access-Control-Allow-Methods": "GET, HEAD, POST",
                "Access-Control-Allow-Headers": _ALLOWED,
                "Access-Control-Max-Age": "600",
            },
        )

    def _share(self, call: Call, response: Response) -> None:
        """Let the page that asked read the answer, where some token is for pages of its origin."""
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.add_vary_header("Origin")
        origin = call.headers.get("origin", "")
        if origin and self.tokens().allows_origin(origin, self.wall()):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED


def _secret(call: Call) -> str:
    scheme, _, secret = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return secret.strip()
    return call.headers.get("x-api-key", "").strip()


async def _collected(call: Call, longest: int) -> bytes:
    found = bytearray()
    async for chunk in call.stream():
        found += chunk
        if len(found) > longest:
            raise Refusal(413, "too-long", f"a body has at most {longest} bytes", _CLOSE)
    return bytes(found)
