"""While a review is judged nothing is executed, written, looked up or connected to, whatever is in it."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.control.test_rules_in_force import constraint, template
from tests.policy.asking import asked, body, deployment, patched, person, rollout
from tests.policy.test_passage import ABORT

from davy.control.api_reviews import Reviewing
from davy.control.rules_in_force import in_force
from davy.policy.passage import Trusted
from davy.serve.admission import Admission, Limits

FORBIDDEN = (
    "compile",
    "ctypes",
    "exec",
    "ftplib",
    "glob",
    "http",
    "import",
    "os.",
    "pty",
    "shutil",
    "smtplib",
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.sendto",
    "sqlite3",
    "subprocess",
    "tempfile",
    "urllib",
    "webbrowser",
)
WRITES = 0o1103  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC

_events: list[str] | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _events is None:
        return
    if event.startswith(FORBIDDEN) or (event == "open" and (arguments[2] or 0) & WRITES):
        _events.append(f"{event} {arguments!r}"[:200])


sys.addaudithook(_hook)  # it stays for the life of the process, and sleeps but for the tests below


@contextmanager
def watched() -> Iterator[list[str]]:
    global _events
    found: list[str] = []
    _events = found
    try:
        yield found
    finally:
        _events = None


NASTY = [
    "{{ 7 * 7 }}${7*7}#{7*7}<%= 7 %>",
    "__import__('os').system('id')",
    "$(id) `id` ; rm -rf / | cat /etc/passwd",
    "../../../../etc/passwd",
    "http://169.254.169.254/latest/meta-data/",
    "%s%s%s%n{0.__class__.__mro__}",
    "\x1b]0;x\x07\u202e",
]


def reviews() -> list[bytes]:
    old = rollout()
    nasty = [
        patched(rollout(), {"metadata": {"annotations": {text: text}, "labels": {"x": text}}}) for text in NASTY
    ]
    templates = [patched(template(text), {"metadata": {"name": "x"}}) for text in NASTY]
    raw = [
        body(asked(deployment())),
        body(asked(rollout())),
        body(asked(None, old=old)),
        body(asked(patched(old, json.loads(ABORT)), old=old, sub_resource="status")),
        *(body(asked(each, user=person(text))) for each, text in zip(nasty, NASTY, strict=True)),
    ]
    for each in templates:
        review = asked(deployment())
        kind = {"group": "templates.gatekeeper.sh", "version": "v1", "kind": "ConstraintTemplate"}
        review["request"] |= {"kind": kind, "object": each, "namespace": ""}
        raw.append(body(review))
    return [*raw, b"{", b"\xff" * 100, b"[" * 10_000, raw[0].replace(b'"payments"', b"1" * 5000)]


@pytest.fixture
def admission() -> Iterator[Admission]:
    reviewing = Reviewing(Trusted(), time.time, in_force(None, (template(), constraint())))
    found = Admission(reviewing, lambda number, text: pytest.fail(text), limits=Limits(review_s=30))
    yield found
    found.close()


def answers(admission: Admission, raw: list[bytes]) -> list[bool]:
    async def ask() -> list[bool]:
        return [bool((await admission._answered(each)).body["response"]["allowed"]) for each in raw]

    return asyncio.run(ask())


def test_reviews_touch_nothing(admission: Admission) -> None:
    raw = reviews()
    expected = answers(admission, raw)  # what is imported when it is first needed has been by now
    with watched() as events:
        assert answers(admission, raw) == expected
    assert events == []
    assert expected[:4] == [False, True, True, True]


def test_the_hook_would_notice(tmp_path: Any) -> None:
    with watched() as events:
        (tmp_path / "x").write_text("x")
        exec(compile("1", "x", "eval"))
    assert [event.split()[0] for event in events][:1] == ["open"]
    assert any(event.startswith("exec") for event in events)
