"""The way in for ledgers that want a witness: `POST /add-checkpoint` (C2SP tlog-witness v1).

What comes in is read within limits of size and time, and judged one after the other: a ledger comes once in a
minute, and what is signed has to be on a disk first.
"""

import asyncio
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect
from starlette.requests import Request as Call
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from davy.control.cosigning import Answer
from davy.errors import DavyError
from davy.serve.admission import fault_id

LONGEST = 64 * 1024
"""Bytes of a request: a proof has at most 63 lines, and a checkpoint few."""

WAITING = 64
"""How many may wait to be judged."""


@dataclass(slots=True)
class WitnessGroup:
    """Answers whoever wants a checkpoint cosigned.

    Args:
        add: answers one request; called in a thread, one call after the other.
        sizes: how many entries were signed for of each ledger.
        report: is told of a fault of ours: its id and the traceback.
        certain: says why nothing can be signed, or nothing.
        body_s: real seconds for the whole of a body.
    """

    add: Callable[[bytes], Answer]
    sizes: Callable[[], Mapping[str, int]]
    report: Callable[[str, str], None]
    certain: Callable[[], str] = str
    body_s: float = 5.0
    _counts: Counter[int] = field(default_factory=Counter)
    _waiting: int = 0
    _pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        """Make the thread."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="davy-witness")

    def routes(self) -> Sequence[BaseRoute]:
        """Return the one route."""
        return [Route("/add-checkpoint", self.asked, methods=["POST"])]

    def doubt(self) -> str:
        """Say why nothing can be signed, or nothing."""
        return self.certain()

    def metrics(self) -> str:
        """Write how often was answered with what, and how large the ledgers are."""
        lines = ["# TYPE davy_witness_requests_total counter"]
        lines += [
            f'davy_witness_requests_total{{code="{code}"}} {n}' for code, n in sorted(self._counts.items())
        ]
        lines += ["# TYPE davy_witness_size gauge"]
        sizes = sorted(self.sizes().items())
        lines += [f'davy_witness_size{{origin="{_label(origin)}"}} {size}' for origin, size in sizes]
        return "\n".join(lines) + "\n"

    def close(self) -> None:
        """Let go of the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def asked(self, call: Call) -> Response:
        """Answer one request."""
        response = await self._response(call)
        self._counts[response.status_code] += 1
        return response

    async def _response(self, call: Call) -> Response:
        try:
            body = await asyncio.wait_for(_body(call), self.body_s)
        except TimeoutError:
            return PlainTextResponse(f"the body had not come after {self.body_s:g} s\n", 408, _CLOSE)
        except ClientDisconnect:
            return PlainTextResponse("", 400, _CLOSE)
        if len(body) > LONGEST:
            return PlainTextResponse(f"a request has at most {LONGEST} bytes\n", 413, _CLOSE)
        if self._waiting >= WAITING:
            return PlainTextResponse("too many are waiting: try again in a moment\n", 503)
        self._waiting += 1
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._pool, self.add, body)
        except DavyError as error:
            return PlainTextResponse(f"{error.message}\n", 503)
        except Exception as error:  # noqa: BLE001 - a fault of ours is told without what it is
            number = fault_id(error)
            self.report(number, "".join(traceback.format_exception(error)))
            return PlainTextResponse(f"a fault of Davy itself ({number})\n", 500)
        finally:
            self._waiting -= 1
        return Response(answer.text, answer.status, media_type=answer.media_type)


_CLOSE = {"Connection": "close"}


async def _body(call: Call) -> bytes:
    """Collect a body, one byte more than the limit at most."""
    found = bytearray()
    async for chunk in call.stream():
        found += chunk
        if len(found) > LONGEST:
            return bytes(found[: LONGEST + 1])
    return bytes(found)


def _label(text: str) -> str:
    """Write a text as the value of a label."""
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
