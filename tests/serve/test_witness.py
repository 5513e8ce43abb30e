"""A witness over HTTP: what comes in is bounded, and what goes wrong is an answer."""

import http.client
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.control.test_cosigning import request
from tests.serve.witnessing import KNOWN, WITNESS, served

from davy.adapters.seen_checkpoints import FILE, SeenCheckpoints
from davy.control.cosigning import Cosigning
from davy.ledger.store import StoreUnavailable
from davy.serve.http import Http
from davy.serve.server import Server
from davy.serve.witness import LONGEST, WitnessGroup
from davy.testing.witness import KEY, Words


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with served(tmp_path) as (number, faults):
        yield number
    assert faults == []


def asked(port: int, body: bytes, method: str = "POST", path: str = "/add-checkpoint") -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("content-type", ""), answer.read().decode()
    finally:
        connection.close()


def test_checkpoints_are_cosigned_and_conflicts_answered_with_a_size(port: int) -> None:
    status, _, text = asked(port, request(0, "abc"))
    assert status == 200
    assert text.startswith(f"— {WITNESS.name} ")
    assert asked(port, request(0, "abcd"))[0:3:2] == (409, "3\n")
    assert asked(port, request(0, "abcd"))[1].startswith("text/x.tlog.size")
    assert asked(port, request(3, "abXd"))[0] == 422
    assert asked(port, request(3, "abcd"))[0] == 200


def test_other_ways_lead_nowhere(port: int) -> None:
    assert asked(port, b"", "GET")[0] == 405
    assert asked(port, b"", "POST", "/")[0] == 404
    assert asked(port, b"", "GET", "/healthz")[0] == 200


def test_it_counts(port: int) -> None:
    asked(port, request(0, "abc"))
    asked(port, b"x")
    text = asked(port, b"", "GET", "/metrics")[2]
    assert 'davy_witness_requests_total{code="200"} 1\n' in text
    assert 'davy_witness_requests_total{code="400"} 1\n' in text
    assert f'davy_witness_size{{origin="{KEY.name}"}} 3\n' in text


@pytest.mark.parametrize(("size", "status"), [(LONGEST, 400), (LONGEST + 1, 413), (20 * LONGEST, 413)])
def test_a_body_is_bounded(size: int, status: int, port: int) -> None:
    try:
        assert asked(port, b"x" * size)[0] == status
    except (BrokenPipeError, ConnectionResetError):  # it hung up before all of it was sent
        assert size > LONGEST


def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    with served(tmp_path, body_s=0.05) as (port, _):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nold")
            assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")
        assert asked(port, request(0, "a"))[0] == 200


def test_of_many_who_give_two_histories_at_once_one_history_is_cosigned(port: int) -> None:
    words = ["abc", "abd", "abe", "abf"] * 8
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda each: asked(port, request(0, each))[0], words))
    assert statuses.count(200) == 1
    assert set(statuses) == {200, 409}


def test_what_cannot_be_remembered_is_not_cosigned(tmp_path: Path) -> None:
    class Full(SeenCheckpoints):
        def advance(self, origin: str, old: int, size: int, root: bytes) -> bool:
            raise StoreUnavailable("the disk is full")

    seen = Full(tmp_path / FILE)
    cosigning = Cosigning(lambda: KNOWN, seen, WITNESS, lambda: 0.0)
    group = WitnessGroup(cosigning.add, seen.sizes, lambda number, trace: None)
    with Server(Http([group]), None, "127.0.0.1", 0) as server:
        assert asked(server.port, request(0, "a"))[0:3:2] == (503, "the disk is full\n")
    seen.close()


def test_a_fault_of_ours_is_told_here_and_not_there(tmp_path: Path) -> None:
    def fail(body: bytes) -> None:
        raise RuntimeError("canary")

    told: list[str] = []
    group = WitnessGroup(fail, dict, lambda number, trace: told.append(trace))  # type: ignore[arg-type]
    with Server(Http([group]), None, "127.0.0.1", 0) as server:
        status, _, text = asked(server.port, b"x")
    assert status == 500
    assert "canary" not in text
    assert "canary" in told[0]


def test_what_was_cosigned_is_remembered_by_whoever_opens_the_file(tmp_path: Path) -> None:
    with served(tmp_path) as (port, _):
        asked(port, request(0, "abc"))
    one, two = SeenCheckpoints(tmp_path / FILE), SeenCheckpoints(tmp_path / FILE)
    assert one.last(KEY.name) == two.last(KEY.name) == (3, Words("abc").head().root)
    assert one.advance(KEY.name, 3, 4, b"1" * 32)
    assert not two.advance(KEY.name, 3, 5, b"2" * 32)
    assert not two.advance(KEY.name, 0, 5, b"2" * 32)
    assert two.last(KEY.name) == (4, b"1" * 32)
    assert two.advance("another", 0, 5, b"2" * 32)
    assert not one.advance("another", 0, 6, b"3" * 32)
    assert not one.advance("a third", 2, 6, b"3" * 32)
    assert one.sizes() == {KEY.name: 4, "another": 5}
    one.close()
    two.close()


def test_a_file_of_a_witness_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("no database at all, and long enough not to be taken for an empty one" * 99)
    with pytest.raises(StoreUnavailable, match=r"witness\.db cannot be used"):
        SeenCheckpoints(tmp_path / FILE)
