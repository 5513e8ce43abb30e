"""What the Unix socket promises: everyone gets an answer, nobody gets a traceback, and it goes on."""

import os
import pwd
import socket
import stat
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from davy.control import requests, views
from davy.errors import Bug, Conflict, DavyError, IntegrityError, NotFound, NotPermitted, Refused, UsageError
from davy.serve.client import Client, NoEngine, revived
from davy.serve.lines import LONGEST, Lines
from davy.serve.socket import Limits, Peer, SocketServer
from davy.testing.scripted import Scripted

HEALTH = requests.Health()


def raw(path: Path, data: bytes, *, close: bool = True) -> list[views.AnyView]:
    """Send bytes as they are and return what comes back until the server hangs up."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        try:
            connection.sendall(data)
            if close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        received = bytearray()
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionResetError:
            pass
    return [msgspec.json.decode(line, type=views.AnyView) for line in bytes(received).splitlines()]


def serving(engine: Scripted, home: Path, **more: Any) -> SocketServer:
    return SocketServer(home / "s", engine, reports=home / "reports", **more)


def error_of(answers: list[views.AnyView]) -> views.ErrorView:
    [answer] = answers
    assert isinstance(answer, views.ErrorView)
    return answer


def test_a_request_is_answered_and_the_kernel_names_who_asked(engine: Scripted, home: Path) -> None:
    with serving(engine, home):
        view = Client(home / "s").ask(requests.Abort("default", "payments", "it smells"))
    me = f"{pwd.getpwuid(os.getuid()).pw_name} (uid {os.getuid()})"
    assert view == views.ActionView(namespace="default", name="Abort", message=me)
    assert engine.asked == [(requests.Abort("default", "payments", "it smells"), me)]


def test_somebody_without_a_name_is_named_by_number() -> None:
    assert str(Peer(4_000_000_000)) == "uid 4000000000"


def test_several_requests_on_one_connection_are_answered_in_order(engine: Scripted, home: Path) -> None:
    line = msgspec.json.encode(HEALTH) + b"\n"
    with serving(engine, home):
        assert len(raw(home / "s", line * 3)) == 3


def test_only_its_owner_may_open_the_socket(engine: Scripted, home: Path) -> None:
    with serving(engine, home):
        assert stat.S_IMODE((home / "s").stat().st_mode) == 0o600


def test_other_users_are_refused(engine: Scripted, home: Path) -> None:
    with (
        serving(engine, home, allowed=frozenset({4_000_000_000})),
        pytest.raises(NotPermitted, match="does not answer") as caught,
    ):
        Client(home / "s").ask(HEALTH)
    assert (caught.value.exit_code, engine.asked) == (5, [])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"\n", "not a request"),
        (b"what?\n", "not a request"),
        (b"{}\n", "request"),
        (b'{"request":"Destroy"}\n', "Destroy"),
        (b'{"request":"Get","namespace":"default"}\n', "name"),
        (b'{"request":"Get","namespace":"default","name":7}\n', "int"),
        (b'{"request":"Health","force":true}\n', "force"),
        (b'{"request":"Query","query":"\xff"}\n', "not a request"),
        (b"[" * 100_000 + b"\n", "not a request"),
        (b'{"request":"Health"', "no end"),
    ],
)
def test_a_line_that_is_no_request_gets_a_reason(engine: Scripted, home: Path, line: bytes, says: str) -> None:
    with serving(engine, home):
        error = error_of(raw(home / "s", line))
    assert (error.code, error.exit_code) == ("bad-line", 2)
    assert says in error.message
    assert engine.asked == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300))
def test_every_byte_string_gets_an_answer_and_none_ends_the_server(
    engine: Scripted, home: Path, data: bytes
) -> None:
    with serving(engine, home):
        answers = raw(home / "s", data)
        assert len(answers) == len(data.split(b"\n")) - data.endswith(b"\n") - (data == b"")
        assert isinstance(Client(home / "s").ask(HEALTH), views.ActionView)
    assert not (home / "reports").exists()


def test_a_line_that_is_too_long_is_refused_while_it_comes(engine: Scripted, home: Path) -> None:
    with serving(engine, home, limits=Limits(longest=100_000)):
        for end in (b"", b"\n"):
            error = error_of(raw(home / "s", b"x" * 500_000 + end))
            assert (error.code, error.message) == ("bad-line", "the line is longer than 100000 bytes")


def test_half_a_line_does_not_hang_the_server(engine: Scripted, home: Path) -> None:
    with serving(engine, home, limits=Limits(idle_s=0.05)):
        error = error_of(raw(home / "s", b'{"request":', close=False))
        assert error.message == "the line has no end: it did not come within 0.05 s"
        assert raw(home / "s", b"", close=False) == []


class Dripping:
    """A peer that sends a byte a second, for as long as somebody listens."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def settimeout(self, value: float | None) -> None:
        assert value is not None
        assert value > 0

    def recv(self, _size: int) -> bytes:
        self.seconds += 1
        return b"x"


def test_a_peer_that_drips_gets_no_more_time_than_a_silent_one() -> None:
    peer = Dripping()
    lines = Lines(peer, longest=None, seconds=30, now=lambda: peer.seconds)
    with pytest.raises(TimeoutError):
        lines.read()
    assert (peer.seconds, lines.half) == (30, True)


def test_a_silent_crowd_holds_places_only_for_the_idle_time(engine: Scripted, home: Path) -> None:
    limits = Limits(idle_s=0.05, connections=2)
    with serving(engine, home, limits=limits):
        crowd = [socket.socket(socket.AF_UNIX) for _ in range(6)]
        for silent in crowd:
            silent.connect(str(home / "s"))
        assert isinstance(Client(home / "s").ask(HEALTH), views.ActionView)
        for silent in crowd:
            silent.close()


def test_no_more_are_answered_at_once_than_the_limit_says(engine: Scripted, home: Path) -> None:
    entered, most, inside = threading.Semaphore(0), [0], [0]
    leave, guard = threading.Event(), threading.Lock()

    def slow(_request: requests.AnyRequest, _actor: str) -> views.AnyView:
        with guard:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        entered.release()
        assert leave.wait(20)
        with guard:
            inside[0] -= 1
        return views.ActionView(namespace="", name="", message="")

    engine.answer = slow
    with serving(engine, home, limits=Limits(connections=3)):
        callers = [threading.Thread(target=Client(home / "s").ask, args=(HEALTH,)) for _ in range(8)]
        for caller in callers:
            caller.start()
        for _ in range(3):
            assert entered.acquire(timeout=20)
        leave.set()
        for caller in callers:
            caller.join()
    assert (most, len(engine.asked)) == ([3], 8)


def test_a_refusal_arrives_as_the_error_it_was(engine: Scripted, home: Path) -> None:
    def refuse(_request: requests.AnyRequest, _actor: str) -> views.AnyView:
        raise NotFound('rollout "x" not found', hint="known there: payments")

    engine.answer = refuse
    with serving(engine, home), pytest.raises(NotFound, match='rollout "x" not found') as caught:
        Client(home / "s").ask(HEALTH)
    assert caught.value.hint == "known there: payments"


@pytest.mark.parametrize("kind", [Refused, UsageError, IntegrityError, Conflict, Bug])
def test_every_error_survives_the_way(kind: type[DavyError]) -> None:
    again = revived(views.ErrorView(code=kind.code, exit_code=kind.exit_code, message="m", hint="h"))
    assert (type(again), again.message, again.hint) == (kind, "m", "h")


@pytest.mark.parametrize(("exit_code", "base"), [(2, UsageError), (3, DavyError), (4, DavyError)])
def test_an_error_with_a_code_of_its_own_keeps_it(exit_code: int, base: type[DavyError]) -> None:
    again = revived(views.ErrorView(code="query", exit_code=exit_code, message="m"))
    assert isinstance(again, base)
    assert (again.code, again.exit_code) == ("query", exit_code)


def test_our_own_fault_is_one_line_and_a_report(engine: Scripted, home: Path) -> None:
    def fault(_request: requests.AnyRequest, _actor: str) -> views.AnyView:
        raise ZeroDivisionError("by\nzero")

    working, engine.answer = engine.answer, fault
    with serving(engine, home):
        for _ in range(3):
            with pytest.raises(Bug, match="ZeroDivisionError: by zero") as caught:
                Client(home / "s").ask(HEALTH)
        engine.answer = working
        assert isinstance(Client(home / "s").ask(HEALTH), views.ActionView)
    [report] = (home / "reports").iterdir()
    assert str(report) in caught.value.hint
    assert "Traceback" in report.read_text()
    assert "Traceback" not in caught.value.message + caught.value.hint


def test_a_view_that_cannot_be_sent_is_our_fault_too(engine: Scripted, home: Path) -> None:
    engine.answer = lambda _request, _actor: views.ManifestView(manifest={"x": object()})
    with serving(engine, home), pytest.raises(Bug):
        Client(home / "s").ask(HEALTH)


def test_a_fault_is_told_even_when_no_report_can_be_written(engine: Scripted, home: Path) -> None:
    (home / "reports").write_text("a file where the directory should be")

    def fault(_request: requests.AnyRequest, _actor: str) -> views.AnyView:
        raise KeyError("x")

    engine.answer = fault
    with serving(engine, home), pytest.raises(Bug) as caught:
        Client(home / "s").ask(HEALTH)
    assert caught.value.hint.startswith("no report could be written")


def test_the_socket_of_a_dead_engine_makes_way(engine: Scripted, home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(home / "s"))
    with serving(engine, home):
        assert isinstance(Client(home / "s").ask(HEALTH), views.ActionView)
    assert not (home / "s").exists()


def test_whoever_comes_last_has_the_socket_and_the_one_before_leaves_it_alone(
    engine: Scripted, home: Path
) -> None:
    last = Scripted(lambda request, actor: views.ActionView(namespace="", name="last", message=""))
    first = serving(engine, home)
    first.start()
    with serving(last, home):
        first.stop()
        assert Client(home / "s").ask(HEALTH) == views.ActionView(namespace="", name="last", message="")
    assert not (home / "s").exists()


def test_one_whose_directory_was_taken_away_changes_nothing(engine: Scripted, home: Path) -> None:
    (home / "ours").mkdir()
    server = SocketServer(home / "s", engine, reports=home / "reports", beside=home / "ours")
    server.start()
    (home / "ours").rename(home / "gone")
    server.stop()
    assert (home / "s").exists()
    with pytest.raises(UsageError, match="cannot listen"):
        server.start()


def test_a_file_that_is_no_socket_is_left_alone(engine: Scripted, home: Path) -> None:
    (home / "s").write_text("precious")
    for _ in range(2):
        with pytest.raises(Conflict, match="is not a socket"):
            serving(engine, home).start()
    assert (home / "s").read_text() == "precious"


def test_a_path_longer_than_the_kernel_takes_works(engine: Scripted, home: Path) -> None:
    path = home / ("d" * 120) / ("e" * 120) / "davy.sock"
    with SocketServer(path, engine, reports=home / "reports"):
        assert isinstance(Client(path).ask(HEALTH), views.ActionView)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


def test_a_name_that_no_address_can_hold_is_refused(engine: Scripted, home: Path) -> None:
    path = home / ("d" * 200)
    with pytest.raises(UsageError, match="cannot listen at"):
        SocketServer(path, engine, reports=home / "reports").start()
    with pytest.raises(NoEngine):
        Client(path).ask(HEALTH)


def test_a_directory_that_is_a_file_is_refused(engine: Scripted, home: Path) -> None:
    (home / "f").write_text("")
    with pytest.raises(UsageError, match="cannot listen at"):
        SocketServer(home / "f" / "s", engine, reports=home / "reports").start()


def test_without_an_engine_the_way_out_is_named(home: Path) -> None:
    with pytest.raises(NoEngine, match="no engine listens at") as caught:
        Client(home / "s").ask(HEALTH)
    assert (caught.value.exit_code, caught.value.hint) == (3, "davy up starts one")


def test_a_request_that_is_too_long_is_not_even_sent(home: Path) -> None:
    with pytest.raises(UsageError, match="too much for one request"):
        Client(home / "s").ask(requests.Query("x" * LONGEST))


def pretend(path: Path, reply: bytes | None) -> threading.Thread:
    """Be an engine for one connection: say something and hang up, or (None) say nothing until they do."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        connection, _ = listener.accept()
        with listener, connection:
            connection.settimeout(20)
            connection.recv(65536)
            if reply is None:
                connection.recv(1)
            else:
                connection.sendall(reply)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (b"", "ended before it answered"),
        (b'{"kind":', "ended before it answered"),
        (b"hello\n", "cannot be read"),
        (b'{"kind":"Miracle"}\n', "cannot be read"),
        (None, "did not answer within 0.05 s"),
    ],
)
def test_an_engine_that_does_not_answer_properly_leaves_it_undecided(
    home: Path, reply: bytes | None, says: str
) -> None:
    engine = pretend(home / "s", reply)
    with pytest.raises(NoEngine, match=says):
        Client(home / "s", timeout_s=0.05 if reply is None else 20).ask(HEALTH)
    engine.join()


def test_a_request_under_way_is_answered_when_the_server_stops(engine: Scripted, home: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(_request: requests.AnyRequest, _actor: str) -> views.AnyView:
        entered.set()
        assert leave.wait(20)
        return views.ActionView(namespace="", name="", message="done")

    engine.answer = slow
    answers: list[views.AnyView] = []
    server = serving(engine, home)
    server.start()
    caller = threading.Thread(target=lambda: answers.append(Client(home / "s").ask(HEALTH)))
    caller.start()
    assert entered.wait(20)
    with socket.socket(socket.AF_UNIX) as idle:
        idle.settimeout(20)
        idle.connect(str(home / "s"))
        idle.sendall(b"\n")
        assert idle.recv(65536), "it is the last of those that are served"
        stopper = threading.Thread(target=server.stop, kwargs={"grace_s": 20})
        stopper.start()
        assert idle.recv(1) == b"", "everyone is told that there will be no more answers"
    leave.set()
    stopper.join()
    caller.join()
    assert answers == [views.ActionView(namespace="", name="", message="done")]


def test_an_engine_with_too_many_callers_says_so(home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(home / "s"))
        busy.listen(0)
        first.connect(str(home / "s"))
        with pytest.raises(NoEngine, match="more callers than it takes"):
            Client(home / "s").ask(HEALTH)
