"""Documents and news for instances of ours over real HTTP, and what instances tell."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serve.flagging import (
    ANYBODY,
    CLIENT,
    OVER,
    PART,
    SERVER,
    SHOP,
    Serving,
    document,
    flag,
    serving,
    shown,
)

from davy.adapters.memory_flags import MemoryFlags
from davy.flags.remote import Acknowledgement, Changed, Exposure, ExposureReport, Instance
from davy.flags.serving import Document
from davy.flags.token import Tokens
from davy.serve.flag_counts import OTHER, SERIES, Counts
from davy.serve.flag_door import Limits
from davy.serve.http import Http
from davy.testing.patience import until

DOCUMENT, STREAM = "/flags/v1/document", "/flags/v1/stream"
TOLD = {"acknowledgements": "/flags/v1/acknowledgements", "exposures": "/flags/v1/exposures"}
INSTANCE = Instance("i-1", "checkout", "a1")
ACKNOWLEDGED = Acknowledgement(INSTANCE, 1, "sha256:abc")
REPORT = ExposureReport(INSTANCE, 1.0, 2.0, (Exposure("checkout.discount", "on", "STATIC", 1, 3, 2, 1),), 4)


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with serving() as here:
        yield here
        assert here.reported == []


def tell(server: Serving, what: str, body: object, who: Any = SERVER) -> tuple[int, Any]:
    text = body if isinstance(body, bytes) else msgspec.json.encode(body)
    answer = server.ask("POST", TOLD[what], text, shown(who))
    return answer.status, answer.json if answer.body else None


def test_a_document_is_handed_out_with_its_version_and_digest(server: Serving) -> None:
    answer = server.ask("GET", DOCUMENT, None, shown(SERVER))
    held = server.flags.document()
    assert (answer.status, answer.body) == (200, held.text)
    assert answer.headers["ETag"] == f'"{held.digest}"'
    assert answer.headers["Davy-Flags-Version"] == str(held.version)
    assert answer.headers["Content-Type"] == "application/json"
    head = server.ask("HEAD", DOCUMENT, None, shown(SERVER))
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", answer.headers["ETag"])


def test_whoever_has_the_document_gets_no_body(server: Serving) -> None:
    tag = f'"{server.flags.document().digest}"'
    for given_tag in (tag, f"W/{tag}", f'"a", {tag}'):
        answer = server.ask("GET", DOCUMENT, None, shown(SERVER) | {"If-None-Match": given_tag})
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
    assert server.ask("GET", DOCUMENT, None, shown(SERVER) | {"If-None-Match": '"a"'}).status == 200


@pytest.mark.parametrize("path", [DOCUMENT, STREAM, *TOLD.values()])
def test_only_a_program_of_ours_that_sees_every_flag_takes_part(server: Serving, path: str) -> None:
    method = "GET" if path in (DOCUMENT, STREAM) else "POST"
    for who, status, code in ((CLIENT, 403, "edge"), (PART, 403, "keys"), (OVER, 401, "unknown")):
        answer = server.ask(method, path, b"{}" if method == "POST" else None, shown(who))
        assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert server.ask(method, path, None, shown(SERVER) | {"Origin": SHOP}).status == 403


def test_each_artifact_has_its_document(monkeypatch: pytest.MonkeyPatch) -> None:
    def own(self: MemoryFlags, artifact: str = "") -> Document:
        return Document(b'{"flags":{}}', 7, f"sha256:{artifact}")

    with serving() as server:
        monkeypatch.setattr(MemoryFlags, "document", own)
        answer = server.ask("GET", f"{DOCUMENT}?artifact=a1", None, shown(SERVER))
        assert answer.headers["ETag"] == '"sha256:a1"'
        listening = server.listen(f"{STREAM}?artifact=a2&instance=i-1")
        listening.wait(1)
        assert listening.told == [{"version": 7, "digest": "sha256:a2", "flags": []}]
        assert server.ask("GET", f"{DOCUMENT}?artifact={'a' * 300}", None, shown(SERVER)).status == 400


# streams


def test_who_listens_is_told_how_things_stand_and_of_every_change() -> None:
    with serving() as server:
        listening = server.listen(f"{STREAM}?instance=i-1")
        listening.wait(1)
        server.flags.publish(document({"checkout.discount": flag("off")}))
        listening.wait(2)
        held = server.flags.document()
        assert [(event["id"], event["event"]) for event in listening.events] == [
            ("1", "changed"),
            ("2", "changed"),
        ]
        assert listening.told[1] == {
            "version": held.version,
            "digest": held.digest,
            "flags": ["checkout.discount"],
        }


def test_who_comes_back_is_told_only_what_it_has_not_seen() -> None:
    with serving(Limits(heartbeat_s=0.05)) as server:
        seen = server.listen(STREAM, headers={"Last-Event-ID": "1"})
        until(lambda: seen.comments >= 2)
        assert seen.events == []
        for last in ("0", "999", "nonsense"):
            missed = server.listen(STREAM, headers={"Last-Event-ID": last})
            missed.wait(1)
            assert missed.told[0]["version"] == 1


def test_an_instance_that_goes_is_told_of_once_its_last_stream_is_over() -> None:
    with serving() as server:
        two = [server.listen(f"{STREAM}?instance=i-1") for _ in range(2)]
        for one in two:
            one.wait(1)
        assert tell(server, "acknowledgements", ACKNOWLEDGED) == (204, None)
        assert server.flags.acknowledged["i-1"] == ACKNOWLEDGED
        assert 'davy_flags_acknowledged_instances{version="1"} 1' in server.metrics()
        two[0].close()
        until(lambda: 'davy_flags_streams_open{kind="instance"} 1' in server.metrics())
        assert "i-1" in server.flags.acknowledged
        two[1].close()
        until(lambda: "i-1" not in server.flags.acknowledged)
        assert 'davy_flags_acknowledged_instances{version="1"}' not in server.metrics()


def test_a_hundred_streams_are_told_of_changes_that_come_faster_than_they_are_read() -> None:
    with serving() as server:
        streams = [server.listen(f"{STREAM}?instance=i-{number}") for number in range(100)]
        for stream in streams:
            stream.wait(1)
        for number in range(50):
            server.flags.publish(document({"checkout.discount": flag("on" if number % 2 else "off")}))
        last = server.flags.document().version
        until(lambda: all(stream.told[-1]["version"] == last for stream in streams))
        for stream in streams:
            versions = [told["version"] for told in stream.told]
            assert versions == sorted(versions)
            assert all("checkout.discount" in told["flags"] for told in stream.told[1:])
        assert 'davy_flags_streams_open{kind="instance"} 100' in server.metrics()


def test_more_streams_than_there_is_room_for_are_asked_to_come_later() -> None:
    with serving(Limits(streams=2)) as server:
        first, _ = [server.listen(STREAM) for _ in range(2)]
        refused = server.ask("GET", STREAM, None, shown(SERVER))
        assert (refused.status, refused.json["error"]["code"]) == (503, "busy")
        assert int(refused.headers["Retry-After"]) >= 1
        assert server.ask("GET", DOCUMENT, None, shown(SERVER)).status == 200
        first.close()
        until(lambda: 'davy_flags_streams_open{kind="instance"} 1' in server.metrics())
        server.listen(STREAM).wait(1)


def test_who_may_listen_no_more_is_cut_off() -> None:
    with serving(Limits(heartbeat_s=0.05)) as server:
        gone, stays = server.listen(STREAM), server.listen(STREAM, ANYBODY)
        server.known.tokens = Tokens([ANYBODY])
        until(lambda: gone.ended)
        assert not stays.ended


def test_a_stream_ends_after_its_time_and_with_the_server() -> None:
    with serving(Limits(stream_s=0.1)) as server:
        listening = server.listen(STREAM)
        until(lambda: listening.ended)
    with serving() as server:
        lasting = [server.listen(STREAM) for _ in range(20)]
        for stream in lasting:
            stream.wait(1)
        Http([server.group]).end()
        until(lambda: all(stream.ended for stream in lasting))
        assert server.ask("GET", STREAM, None, shown(SERVER)).status == 503


def test_who_reads_nothing_is_hung_up_on_and_keeps_nobody_waiting() -> None:
    many = tuple(f"checkout.flag-{number:05}" for number in range(4000))
    with serving(stall_s=0.2) as server:
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            slow.connect(("127.0.0.1", server.port))
            slow.sendall(
                f"GET {STREAM} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret-of-checkout\r\n\r\n".encode()
            )
            slow.recv(10)
            quick = server.listen(STREAM)
            quick.wait(1)
            [tell] = server.flags.subscribers
            for number in range(60):
                tell(Changed(1, "sha256:", many))
                quick.wait(2 + number)
            until(lambda: 'davy_flags_streams_open{kind="instance"} 1' in server.metrics())
        assert len(quick.told[-1]["flags"]) == len(many)


# what is told


def test_what_instances_tell_is_taken_in(server: Serving) -> None:
    assert tell(server, "exposures", REPORT) == (204, None)
    assert server.flags.reports[-1] == REPORT
    assert tell(server, "acknowledgements", ACKNOWLEDGED) == (204, None)
    assert 'davy_flags_told_total{what="exposures"} 1' in server.metrics()


@pytest.mark.parametrize("what", TOLD)
def test_a_token_speaks_for_its_services(server: Serving, what: str) -> None:
    told = msgspec.structs.replace(
        ACKNOWLEDGED if what == "acknowledgements" else REPORT, instance=Instance("i-2", "payments")
    )
    status, body = tell(server, what, told)
    assert (status, body["error"]["code"]) == (403, "service")
    assert tell(server, what, told, ANYBODY) == (204, None)


def changed(told: Any, path: str, value: Any) -> bytes:
    body = msgspec.to_builtins(told)
    inner = body
    *way, last = path.split(".")
    for name in way:
        inner = inner[int(name) if name.isdigit() else name]
    inner[last] = value
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 100_000,
        b"\xff",
        *(
            changed(ACKNOWLEDGED, path, value)
            for path, value in [
                ("version", -1),
                ("version", "1"),
                ("version", 1.5),
                ("digest", "x" * 300),
                ("instance.id", ""),
                ("instance.id", "x" * 300),
                ("instance", None),
            ]
        ),
    ],
)
def test_an_acknowledgement_that_cannot_be_is_refused(server: Serving, body: bytes) -> None:
    assert tell(server, "acknowledgements", body)[0] == 400


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("since", 3.0),
        ("since", -1.0),
        ("until", 1e300),
        ("dropped", -1),
        ("exposures.0.count", -1),
        ("exposures.0.failed", 3),
        ("exposures.0.failed", -1),
        ("exposures.0.version", -1),
        ("exposures.0.flag", "x" * 300),
        ("exposures.0.reason", None),
        ("exposures", {}),
    ],
)
def test_a_report_that_cannot_be_is_refused(server: Serving, path: str, value: Any) -> None:
    before = len(server.flags.reports)
    assert tell(server, "exposures", changed(REPORT, path, value))[0] == 400
    assert len(server.flags.reports) == before


def test_a_report_is_read_up_to_a_size(server: Serving) -> None:
    status, body = tell(server, "exposures", b" " * (1024 * 1024 + 1))
    assert (status, body["error"]["code"]) == (413, "too-long")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(sorted(TOLD)))
def test_whatever_is_told_is_answered(server: Serving, body: bytes, what: str) -> None:
    assert tell(server, what, body)[0] == 400


# counts


def test_there_are_so_many_lines_of_evaluations_and_the_rest_is_added_up() -> None:
    from davy.flags.details import Details

    counts = Counts(lambda _: None, time.time)
    counts.handed_out((f"flag-{number}", Details(True, "on")) for number in range(SERIES + 10))
    assert len(counts.evaluations) == SERIES + 1
    assert counts.evaluations["bulk", OTHER, OTHER, OTHER] == 10


def test_names_cannot_break_the_page_of_metrics() -> None:
    from davy.flags.details import Details

    counts = Counts(lambda _: None, time.time)
    counts.handed_out([('a"b\n', Details(True, "x\\"))])
    assert 'flag="a\\"b\\n",variant="x\\\\"' in "\n".join(counts.lines())
