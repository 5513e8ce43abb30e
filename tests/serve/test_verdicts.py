"""Verdicts over real HTTP: every answer is JSON, errors have a reason, and no error says advance."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.analysis.judge import Judge, start, verdict
from davy.control.court.asked import Answer, Asked, answer_of
from davy.errors import DavyError, NotFound, Refused, Undecided, UsageError
from davy.serve.http import Http
from davy.serve.server import Server
from davy.serve.verdicts import Limits, VerdictsGroup

ASKED = "/v1/rollouts/pay/verdict?canary=a&stable=b&weight=5"


@dataclass
class Told:
    """Somebody who knows the answer, or raises what they are told to."""

    raises: Exception | None = None
    before: Callable[[], object] = str
    asked: list[Asked] = field(default_factory=list)

    def verdict(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        self.before()
        if self.raises is not None:
            raise self.raises
        return answer_of(verdict(start(Judge()), 0.0))


@contextmanager
def serving(told: Told, limits: Limits | None = None) -> Iterator[Callable[[str], tuple[int, Any]]]:
    reported: list[str] = []
    group = VerdictsGroup(told, lambda number, trace: reported.append(trace), limits=limits or Limits())
    with Server(Http([group]), None, "127.0.0.1", 0) as server:

        def get(path: str) -> tuple[int, Any]:
            one = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            one.request("GET", path)
            answer = one.getresponse()
            body = answer.read()
            one.close()
            plain = answer.headers["content-type"].startswith("text/plain")
            return answer.status, body.decode() if plain else json.loads(body)

        yield get


def test_a_question_is_read_and_answered() -> None:
    told = Told()
    with serving(told) as get:
        status, body = get(ASKED + "&step=1&zone=eu-1")
        assert (status, body["verdict"], body["action"]) == (200, "continue", "continue")
        assert {"weight", "next_weight", "reason", "evidence", "assurance", "metrics", "data"} <= body.keys()
        assert 'davy_verdicts_total{verdict="continue",status="200"} 1' in get("/metrics")[1]
    (asked,) = told.asked
    assert (asked.key.name, asked.weight, asked.step, asked.words) == ("pay", 0.05, "1", {"zone": "eu-1"})


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("no Judge"), 404),
        (UsageError("no sense"), 400),
        (Refused("too many"), 409),
        (Undecided("the store is away"), 503),
        (ValueError("a fault"), 500),
    ],
)
def test_an_error_has_a_reason_and_no_verdict(error: Exception, status: int) -> None:
    with serving(Told(raises=error)) as get:
        found, body = get(ASKED)
    assert found == status
    assert "verdict" not in body
    assert body["error"]["message"]
    if isinstance(error, DavyError):
        assert body["error"]["message"] == error.message


def test_who_asks_too_long_or_too_much_is_told_so() -> None:
    with serving(Told(), Limits(query=100)) as get:
        assert get(ASKED + "&x=" + "a" * 200)[0] == 414
    go_on = threading.Event()
    with serving(Told(before=go_on.wait), Limits(answer_s=0.05, workers=1)) as get:
        status, body = get(ASKED)
        go_on.set()
    assert (status, body["error"]["code"]) == (503, "busy")


@given(st.text(st.sampled_from("ab01.:/-_\"{}=~,|%& \\'é"), max_size=30))
def test_whatever_is_in_a_url_reaches_nobody_but_as_a_word(text: str) -> None:
    from urllib.parse import quote

    from davy.control.court.asked import read

    given_words = [("canary", text), ("stable", "b")]
    try:
        asked = read("pay", given_words)
    except UsageError:
        return
    assert asked.canary == text
    assert quote(text, safe=".:/-_") == text
