"""`GET /v1/rollouts/NAME/verdict`: whether a canary may have more traffic, for whoever moves it.

The provider `web` of Argo Rollouts asks, every few seconds. Whatever cannot be answered is an error with a
reason, and no error says `advance`.
"""

import asyncio
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import msgspec
from starlette.requests import Request as Call
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from davy.control.court.asked import Answer, read
from davy.control.court.docket import Verdicts
from davy.errors import Conflict, DavyError, NotFound, Refused, UsageError
from davy.serve.admission import fault_id

RETRY_S = 5
"""After how many seconds to ask again where it cannot be answered now."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What callers may take of the server.

    Args:
        query: the longest query of a URL, in bytes.
        answer_s: real seconds until a question is answered.
        workers: how many are answered at once.
        waiting: how many more may wait for that.
    """

    query: int = 8192
    answer_s: float = 5.0
    workers: int = 4
    waiting: int = 200


@dataclass(slots=True)
class VerdictsGroup:
    """Answers questions about rollouts; a group of routes of `davy.serve.http`.

    Args:
        verdicts: knows the answers.
        report: is told of a fault of ours: its id and the traceback.
        troubles: says why answers may be worse than they should be, or nothing.
    """

    verdicts: Verdicts
    report: Callable[[str, str], None]
    troubles: Callable[[], str] = str
    limits: Limits = field(default_factory=Limits)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    _open: int = 0
    _pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        """Make the workers."""
        self._pool = ThreadPoolExecutor(self.limits.workers, thread_name_prefix="davy-verdict-http")

    def routes(self) -> Sequence[BaseRoute]:
        """Return the one route."""
        return [Route("/v1/rollouts/{name}/verdict", self.answer, methods=["GET"])]

    def doubt(self) -> str:
        """Say why answers may be worse than they should be, or nothing."""
        return self.troubles()

    def metrics(self) -> str:
        """Write what was counted."""
        lines = [
            "# HELP davy_verdicts_total Questions about rollouts, by what was answered and status of HTTP.",
            "# TYPE davy_verdicts_total counter",
        ]
        lines += [
            f'davy_verdicts_total{{verdict="{verdict}",status="{status}"}} {count}'
            for (verdict, status), count in sorted(self.answers.items())
        ]
        return "\n".join(lines) + "\n"

    def close(self) -> None:
        """Let go of the workers."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def answer(self, call: Call) -> Response:
        """Answer one question."""
        if self._open >= self.limits.workers + self.limits.waiting:
            response = _refusal(503, "busy", "too many questions at once", headers={"Retry-After": "1"})
        else:
            self._open += 1
            try:
                response = await self._answered(call)
            finally:
                self._open -= 1
        self.answers[response.headers.get("davy-verdict", ""), response.status_code] += 1
        return response

    async def _answered(self, call: Call) -> Response:
        """Find an answer; whatever happens, what is returned is one."""
        later = {"Retry-After": str(RETRY_S)}
        if len(call.scope["query_string"]) > self.limits.query:
            return _refusal(414, "usage", f"a question has at most {self.limits.query} bytes")
        try:
            asked = read(str(call.path_params["name"]), call.query_params.multi_items())
            future = asyncio.get_running_loop().run_in_executor(
                self._pool, lambda: self.verdicts.verdict(asked)
            )
            return _told(await asyncio.wait_for(asyncio.shield(future), self.limits.answer_s))
        except NotFound as error:
            return _refusal(404, error.code, error.message, error.hint)
        except UsageError as error:
            return _refusal(400, error.code, error.message, error.hint)
        except (Conflict, Refused) as error:
            return _refusal(409, error.code, error.message, error.hint)
        except DavyError as error:
            return _refusal(503, error.code, error.message, error.hint, headers=later)
        except TimeoutError:
            return _refusal(503, "busy", "it was not answered in time", headers=later)
        except Exception as error:  # noqa: BLE001 - a fault of ours is an answer like any other
            number = fault_id(error)
            self.report(number, "".join(traceback.format_exception(error)))
            return _refusal(500, "bug", f"a fault of Davy itself ({number})")


def _told(answer: Answer) -> Response:
    headers = {"Davy-Verdict": answer.verdict, "Cache-Control": "no-store"}
    return Response(msgspec.json.encode(answer), 200, headers, media_type="application/json")


def _refusal(
    status: int, code: str, message: str, hint: str = "", *, headers: Mapping[str, str] | None = None
) -> Response:
    """Make an answer that says why there is none; it has no `verdict`."""
    told = {"code": code, "message": message} | ({"hint": hint} if hint else {})
    found = {"Cache-Control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode({"error": told}), status, found, media_type="application/json")
