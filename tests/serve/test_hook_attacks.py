"""What somebody tries who wants to be believed, or to keep a server busy, named after the attempt."""

import gzip
import http.client
import json
import socket
from contextlib import closing
from typing import Any

import msgspec
import pytest
from tests.serve.hooking import SECRET, serving, signed
from tests.serve.test_hooks import FIRST

GITHUB, EVENTS = FIRST["github"], FIRST["cloudevents"]


def raw(port: int, *lines: str, body: bytes = b"") -> int:
    """Send a request as it is written, and return the status."""
    with socket.create_connection(("127.0.0.1", port), 30) as peer:
        peer.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        with closing(http.client.HTTPResponse(peer)) as answer:
            answer.begin()
            return answer.status


def head(**headers: str) -> list[str]:
    named = {**GITHUB.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return [
        f"POST {GITHUB.path} HTTP/1.1",
        "Host: x",
        "Connection: close",
        *(f"{name}: {value}" for name, value in named.items()),
    ]


def right() -> str:
    [value] = signed("github", SECRET, GITHUB.body).values()
    return value


@pytest.mark.parametrize(
    "claim",
    [
        "sha1={}",
        "sha512={}",
        "none={}",
        "=",
        "sha256=",
        "sha256=sha256={}",
        "sha256={},sha256={}",
        "\u00b2{}",
        "sha256={}\u00a0",
    ],
)
def test_another_algorithm_or_another_spelling_in_the_signature(claim: str) -> None:
    digits = right().partition("=")[2]
    with serving([GITHUB.source], GITHUB.secrets) as server:
        length = str(len(GITHUB.body))
        lines = head(X_Hub_Signature_256=claim.replace("{}", digits), Content_Length=length)
        assert raw(server.port, *lines, body=GITHUB.body) == 401
        assert server.entries == ()


@pytest.mark.parametrize("first", [True, False])
def test_a_right_signature_beside_a_wrong_one(first: bool) -> None:
    wrong = f"X-Hub-Signature-256: sha256={'0' * 64}"
    own = f"X-Hub-Signature-256: {right()}"
    both = [own, wrong] if first else [wrong, own]
    with serving([GITHUB.source], GITHUB.secrets) as server:
        lines = [*head(Content_Length=str(len(GITHUB.body))), *both]
        assert raw(server.port, *lines, body=GITHUB.body) == 401


def test_a_body_in_chunks_is_the_body_that_was_signed() -> None:
    chunks = b"".join(
        f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (GITHUB.body[:7], GITHUB.body[7:])
    )
    with serving([GITHUB.source], GITHUB.secrets) as server:
        lines = head(X_Hub_Signature_256=right(), Transfer_Encoding="chunked")
        assert raw(server.port, *lines, body=chunks + b"0\r\n\r\n") == 202


@pytest.mark.parametrize(
    "framing",
    [
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: -5"],
        ["Content-Length: 5", "Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: chunked, chunked"],
        ["Content-Length: 99999999999999999999"],
    ],
)
def test_a_length_that_lies(framing: list[str]) -> None:
    with serving([GITHUB.source], GITHUB.secrets) as server:
        assert raw(server.port, *head(X_Hub_Signature_256=right()), *framing, body=GITHUB.body) in (
            400,
            413,
            501,
        )
        assert server.entries == ()


def test_a_body_that_is_packed() -> None:
    packed = gzip.compress(GITHUB.body)
    with serving([GITHUB.source], GITHUB.secrets) as server:
        headers = GITHUB.headers | signed("github", SECRET, packed) | {"Content-Encoding": "gzip"}
        assert server.post(GITHUB.path, packed, headers)[0] == 400


def told(**changes: Any) -> tuple[int, int]:
    """Tell an event as a source that may speak as anybody; return the status and how many entries there are."""
    source = msgspec.structs.replace(EVENTS.source, sources=("*",), repos=("*",), services=("*",))
    event = json.loads(EVENTS.body)
    body = json.dumps({**event, **changes}).encode()
    with serving([source], EVENTS.secrets) as server:
        headers = EVENTS.headers | signed("cloudevents", SECRET, body)
        return server.post(EVENTS.path, body, headers)[0], len(server.entries)


def test_a_source_that_speaks_as_the_engine() -> None:
    assert told(source="ci")[0] == 202
    assert told(source="davy") == (400, 0)
    assert told(source="davy/hooks/acme") == (400, 0)


@pytest.mark.parametrize(
    "kind", ["change.contained", "change.blamed", "service.renamed", "drill.started", "engine.started"]
)
def test_a_hook_that_says_what_only_davy_finds_out(kind: str) -> None:
    assert told(type=f"dev.davy.{kind}") == (400, 0)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"number": ' + b"9" * 100_000 + b"}",
        b'{"repository": {"full_name": "acme/pay\\u001b[2J"}}',
        b"\xff\xfe",
        b'{"a":1,"a":2}',
    ],
)
@pytest.mark.parametrize("scheme", sorted(FIRST))
def test_a_body_that_is_deep_or_has_huge_numbers(scheme: str, body: bytes) -> None:
    case = FIRST[scheme]
    with serving([case.source], case.secrets) as server:
        secret = next(iter(case.secrets.values()))
        status, _ = server.post(case.path, body, case.headers | signed(scheme, secret, body))
        assert status in (200, 400)
        assert not any("\x1b" in str(entry) for entry in server.entries)
