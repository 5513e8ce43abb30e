"""The way in for an API server: reviews over TLS, answered within a deadline.

Whatever comes in is read within limits of size and time, and nothing of it is executed, rendered or written
anywhere. Whatever goes wrong is a denial with a sentence: an answer that is an error of HTTP lets a webhook
with `failurePolicy: Ignore` allow what it is about.
"""

import asyncio
import hashlib
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as Call
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from davy.control.api_reviews import Reply, Reviewing, refusal
from davy.policy.admission_request import LONGEST, BadReview, Request, read
from davy.policy.admission_response import encoded
from davy.serve.counters import Counters

PATH = "/v1/admit"

_SMALL = 64 * 1024
"""Bytes up to which a body is read where it arrives: a thread would cost more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What callers may take of the server.

    Args:
        head_s: real seconds for the head of a request.
        body_s: real seconds for the whole of its body.
        review_s: real seconds until a review is answered, waiting included; a webhook waits for 5.
        workers: how many reviews are judged at once.
        waiting: how many more may wait for a worker.
        connections: how many may be open.
        grace_s: real seconds for what is under way when the server ends.
    """

    head_s: float = 5.0
    body_s: float = 3.0
    review_s: float = 3.0
    workers: int = 4
    waiting: int = 256
    connections: int = 512
    grace_s: float = 10.0


@dataclass(slots=True)
class Admission:
    """Answers what an API server sends.

    Args:
        reviewing: what answers a review.
        report: is told of a fault of ours: its id and the traceback.
        certain: says why the server is not ready, or nothing; it is asked beside whether there are rules.
        gauges: what else is on the page of metrics.
        known_caller: whether reviews are answered only to callers whose certificate was verified.
    """

    reviewing: Reviewing
    report: Callable[[str, str], None]
    limits: Limits = field(default_factory=Limits)
    certain: Callable[[], str] = str
    gauges: Callable[[], Mapping[str, tuple[str, float]]] = dict
    known_caller: bool = False
    counters: Counters = field(default_factory=Counters)
    ending: bool = False
    _open: int = 0
    _pool: ThreadPoolExecutor = field(init=False)
    _readers: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        """Make the workers."""
        self._pool = ThreadPoolExecutor(self.limits.workers, thread_name_prefix="davy-review")
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="davy-read")

    def app(self) -> Starlette:
        """Return the ASGI app."""
        return Starlette(
            routes=[
                Route(PATH, self.admit, methods=["POST"]),
                Route("/healthz", self.alive),
                Route("/readyz", self.ready),
                Route("/metrics", self.metrics),
            ]
        )

    def end(self) -> None:
        """Be ready no more; reviews are answered all the same."""
        self.ending = True

    def close(self) -> None:
        """Let go of the workers; what they are at has been answered by now."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._readers.shutdown(wait=False, cancel_futures=True)

    async def admit(self, call: Call) -> Response:
        """Answer one review."""
        if self.known_caller and not getattr(call.state, "verified", False):
            return PlainTextResponse(
                "reviews are answered to callers with a certificate of the API server\n", 403
            )
        try:
            body = await asyncio.wait_for(_body(call), self.limits.body_s)
        except TimeoutError:
            self.counters.add("slow", self.limits.body_s)
            return PlainTextResponse(f"the body had not come after {self.limits.body_s:g} s\n", 408, _CLOSE)
        except ClientDisconnect:
            return PlainTextResponse("", 400, _CLOSE)
        began = perf_counter()
        reply = await self._answered(body)
        self.counters.add(reply.outcome, perf_counter() - began)
        if not reply.body["response"]["uid"]:
            return PlainTextResponse(f"{reply.body['response']['status']['message']}\n", 400, _CLOSE)
        headers = _CLOSE if len(body) > LONGEST else None
        return Response(encoded(reply.body), media_type="application/json", headers=headers)

    async def alive(self, call: Call) -> Response:
        """Say that the process answers."""
        return PlainTextResponse("ok\n")

    async def ready(self, call: Call) -> Response:
        """Say whether reviews can be answered, and why not."""
        rules = self.reviewing.rules
        reasons = [
            "the server is ending" if self.ending else "",
            "no rules have been read" if rules is None else rules.problem,
            self.certain(),
        ]
        told = [reason for reason in reasons if reason]
        return PlainTextResponse("\n".join(told or ["ok"]) + "\n", 503 if told else 200)

    async def metrics(self, call: Call) -> Response:
        """Write the counters for a Prometheus."""
        rules = self.reviewing.rules
        edition = self.reviewing.edition
        own = {
            "davy_admission_open": ("Reviews that are being judged or wait for it.", float(self._open)),
            "davy_admission_ruleset_generation": ("Which set of rules is in force.", float(edition.generation)),
            "davy_admission_ruleset_stale": (
                "1 while a newer set of rules cannot be read.",
                float(rules is None or bool(rules.problem)),
            ),
        }
        text = self.counters.text({**own, **self.gauges()})
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def _answered(self, body: bytes) -> Reply:
        """Read and judge a body; whatever happens, what is returned is an answer."""
        try:
            request = await self._read(body)
        except BadReview as error:
            return refusal(error.uid, error.sentence, "unreadable")
        except Exception as error:  # noqa: BLE001 - a fault of ours is a denial like any other
            return self._fault("", error)
        try:
            return self.reviewing.let_through(request) or await self._judged(request)
        except Exception as error:  # noqa: BLE001 - a fault of ours is a denial like any other
            return self._fault(request.uid, error)

    async def _read(self, body: bytes) -> Request:
        if len(body) <= _SMALL:
            return read(body)
        return await asyncio.get_running_loop().run_in_executor(self._readers, read, body)

    async def _judged(self, request: Request) -> Reply:
        if self._open >= self.limits.workers + self.limits.waiting:
            return refusal(request.uid, "too many reviews are waiting: try again in a moment", "busy")
        judged = asyncio.get_running_loop().run_in_executor(self._pool, self.reviewing.judge, request)
        self._open += 1
        judged.add_done_callback(self._closed)
        try:
            return await asyncio.wait_for(asyncio.shield(judged), self.limits.review_s)
        except TimeoutError:
            judged.cancel()
            sentence = (
                f"the policies had not decided after {self.limits.review_s:g} s, and so nothing is allowed"
            )
            return refusal(request.uid, sentence, "late")

    def _closed(self, judged: "asyncio.Future[Reply]") -> None:
        self._open -= 1
        if not judged.cancelled():
            judged.exception()  # one that came too late was told of already

    def _fault(self, uid: str, error: Exception) -> Reply:
        number = fault_id(error)
        self.report(number, "".join(traceback.format_exception(error)))
        return refusal(uid, f"a fault of Davy itself ({number}), and what is not judged is not allowed", "bug")


def fault_id(error: BaseException) -> str:
    """Name a fault by where it is, so that the one that happens a thousand times has one name."""
    frames = traceback.extract_tb(error.__traceback__)
    places = "\n".join(f"{frame.filename}:{frame.lineno}:{frame.name}" for frame in frames)
    return hashlib.sha256(f"{type(error).__name__}\n{places}".encode()).hexdigest()[:12]


_CLOSE = {"Connection": "close"}


async def _body(call: Call) -> bytes:
    """Collect a body, one byte more than the limit at most."""
    found = bytearray()
    async for chunk in call.stream():
        found += chunk
        if len(found) > LONGEST:
            return bytes(found[: LONGEST + 1])
    return bytes(found)
