"""Admission over TLS: what is allowed, what is denied, and what nobody can do to the server."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.policy.asking import (
    CONTROLLER,
    DAVY,
    account,
    asked,
    body,
    deployment,
    impersonated,
    patched,
    person,
    rollout,
)
from tests.policy.test_passage import ABORT, STATUS_PATCHES
from tests.serve.admitting import STRICT, Judged, Serving, at_once, rules, serving

from davy.control.api_reviews import Reviewing
from davy.errors import UsageError
from davy.policy.admission_request import LONGEST
from davy.policy.digest import digest_of
from davy.policy.passage import Trusted
from davy.policy.review import Review
from davy.policy.waivers import Waiver, text_digest
from davy.serve.admission import Admission, Limits
from davy.serve.server import Server

UID = "705ab4f5-6393-11e8-b7cc-42010a800002"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("tls"), rules(STRICT)) as server:
        yield server
        assert server.reported == []


def status_review(patch: str, user: dict[str, Any], **more: Any) -> dict[str, Any]:
    old = rollout()
    return asked(patched(old, json.loads(patch)), old=old, user=user, sub_resource="status", **more)


@pytest.mark.parametrize("patch", STATUS_PATCHES)
@pytest.mark.parametrize(
    ("user", "passes"),
    [
        (person(), False),
        (account(CONTROLLER), True),
        (account(DAVY), True),
        (impersonated(CONTROLLER), False),
        (account("system:serviceaccount:prod:deployer"), False),
    ],
)
def test_the_status_of_a_rollout_is_the_controllers_and_an_abort_is_everybodys(
    strict: Serving, patch: str, user: dict[str, Any], passes: bool
) -> None:
    status, response = strict.post(status_review(STATUS_PATCHES[patch], user))
    assert (status, response["uid"]) == (200, UID)
    assert response["allowed"] is (passes or patch == "abort")
    if not response["allowed"]:
        found = response["status"]
        assert (found["reason"], found["code"]) == ("Forbidden", 403)
        assert found["message"].startswith(f"[made-up] {user['username']}")
        assert found["message"].endswith(" is not the controller")


def test_what_nobody_has_anything_against_is_allowed(strict: Serving) -> None:
    status, response = strict.post(asked(rollout()))
    assert (status, response["allowed"], response["status"]) == (200, True, {"code": 200})
    assert response["auditAnnotations"] == {"generation": "1", "digest": "f00d"}


@pytest.mark.parametrize("path", ["/", "/v1/admit", "/v1/admitlabel", "/openapi.json", "/../etc/passwd"])
def test_nothing_else_is_there(strict: Serving, path: str) -> None:
    assert strict.get(path)[0] in (404, 405)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"null", b"[" * 100_000, b"{}", b"\xff\xfe", b'{"kind": NaN}', b"1" * 10_000, b'"' * LONGEST],
)
def test_what_is_no_review_is_an_error_of_who_asks(strict: Serving, raw: bytes) -> None:
    status, text = strict.post(raw)
    assert status == 400
    assert text.startswith("[davy] ")


@pytest.mark.parametrize(
    ("old", "new"),
    [('"alice"', "NaN"), ('"payments"', "9" * 5000), ('"payments"', "[" * 2000 + "]" * 2000), ('"v1"', '"v0"')],
)
def test_a_bad_review_with_a_uid_is_denied(strict: Serving, old: str, new: str) -> None:
    status, response = strict.post(body(asked(deployment())).replace(old.encode(), new.encode()))
    assert (status, response["uid"], response["allowed"]) == (200, UID, False)
    assert response["status"]["message"].startswith("[davy] ")


def test_a_review_as_long_as_may_be_is_judged_and_a_longer_one_denied(strict: Serving) -> None:
    room = LONGEST - len(body(asked(deployment("", ""))))
    whole = body(asked(deployment("x" * (room // 10), "")))
    assert len(whole) < LONGEST
    assert (
        strict.post(whole + b" " * (LONGEST - len(whole)))[1]["status"]["message"] == "[made-up] use a Rollout"
    )
    status, response = strict.post(whole + b" " * (LONGEST - len(whole) + 1))
    assert (status, response["uid"]) == (200, UID)
    assert response["status"]["message"] == f"[davy] the review is longer than {LONGEST} bytes"


def test_a_body_without_an_end_is_cut_at_the_limit(strict: Serving) -> None:
    with strict.dial() as secured:
        secured.sendall(b"POST /v1/admit HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        for _ in range(4):
            secured.sendall(chunk)
        assert secured.recv(12) == b"HTTP/1.1 400"


def test_a_fault_of_ours_is_a_denial_with_its_number(tmp_path: Path) -> None:
    def broken(review: Review) -> str:
        raise RuntimeError("cannot happen")

    with serving(tmp_path, rules(Judged(broken))) as server:
        response = [server.post(asked(rollout()))[1] for _ in range(2)][1]
        assert server.post(status_review(ABORT, person()))[1]["allowed"]
    (number, trace), again = server.reported
    assert again == (number, trace)
    assert "RuntimeError: cannot happen" in trace
    assert not response["allowed"]
    assert response["status"]["message"] == (
        f"[davy] a fault of Davy itself ({number}), and what is not judged is not allowed"
    )


def test_without_rules_nothing_is_allowed_but_an_abort(tmp_path: Path) -> None:
    with serving(tmp_path, None) as server:
        assert server.get("/readyz") == (503, "no rules have been read\n")
        assert server.get("/healthz") == (200, "ok\n")
        assert not server.post(asked(rollout()))[1]["allowed"]
        assert server.post(status_review(ABORT, person()))[1]["allowed"]
        server.admission.reviewing.rules = rules(STRICT)
        assert server.get("/readyz") == (200, "ok\n")
        server.admission.reviewing.rules = replace(rules(STRICT), stale="templates.yaml cannot be read")
        assert server.get("/readyz") == (503, "templates.yaml cannot be read\n")
        assert server.post(asked(rollout()))[1]["allowed"]


def test_readiness_says_what_is_wrong_with_the_certificate(tmp_path: Path) -> None:
    with serving(tmp_path, rules(), certain=lambda: "the certificate has ended") as server:
        assert server.get("/readyz") == (503, "the certificate has ended\n")


def test_the_page_of_metrics_counts_what_came_of_reviews(tmp_path: Path) -> None:
    with serving(tmp_path, rules(STRICT, generation=4)) as server:
        server.post(asked(rollout()))
        server.post(asked(deployment()))
        server.post(asked(deployment()))
        server.post(status_review(ABORT, person()))
        server.post(b"{")
        status, text = server.get("/metrics")
    assert status == 200
    lines = text.splitlines()
    for outcome, count in {"allowed": 1, "denied": 2, "passed": 1, "unreadable": 1}.items():
        assert f'davy_admission_reviews_total{{outcome="{outcome}"}} {count}' in lines
    assert 'davy_admission_review_seconds_bucket{le="+Inf"} 5' in lines
    assert "davy_admission_review_seconds_count 5" in lines
    assert "davy_admission_ruleset_generation 4" in lines
    assert "davy_admission_ruleset_stale 0" in lines


LIMITED = Limits(workers=2, waiting=1, review_s=0.2, head_s=0.2, body_s=0.2)


def test_while_policies_take_their_time_the_rest_is_denied_and_an_abort_is_answered(tmp_path: Path) -> None:
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def slow(review: Review) -> str:
        begun.release()
        go_on.wait()
        return ""

    messages: list[str] = []
    with serving(tmp_path, rules(Judged(slow)), limits=LIMITED) as server:

        def ask(number: int) -> None:
            response = server.post(asked(rollout()))[1]
            messages.append(response["status"]["message"])

        with at_once(2, ask):
            begun.acquire()
            begun.acquire()
        assert set(messages) == {"[davy] the policies had not decided after 0.2 s, and so nothing is allowed"}
        with at_once(2, ask):
            pass
        assert server.post(status_review(ABORT, person()))[1]["allowed"]
        go_on.set()
        assert {message[:40] for message in messages[2:]} <= {
            "[davy] the policies had not decided afte",
            "[davy] too many reviews are waiting: try",
        }
    assert server.reported == []


def test_whoever_sends_a_byte_now_and_then_is_hung_up_on(tmp_path: Path) -> None:
    with serving(tmp_path, rules(), limits=LIMITED) as server:
        for beginning in (b"", b"P", b"POST /v1/admit HTTP/1.1\r\nHost: x\r\nX-Slow: "):
            with server.dial() as secured, suppress(ConnectionResetError):
                secured.sendall(beginning)
                assert secured.recv(1) == b""
        assert server.get("/healthz")[0] == 200


def test_a_body_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    with serving(tmp_path, rules(), limits=LIMITED) as server:
        one = server.connection()
        one.putrequest("POST", "/v1/admit")
        one.putheader("Content-Length", "1000")
        one.endheaders(b"{")
        answer = one.getresponse()
        assert (answer.status, answer.read()) == (408, b"the body had not come after 0.2 s\n")
        one.close()


def test_what_is_under_way_is_answered_before_the_server_ends(tmp_path: Path) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def slow(review: Review) -> str:
        begun.set()
        go_on.wait()
        return "no"

    answers: list[Any] = []
    with serving(tmp_path, rules(Judged(slow))) as server:
        late = server.connection()

        def ask(number: int) -> None:
            answers.append(server.post(asked(rollout())))

        with at_once(1, ask):
            begun.wait()
            ender = threading.Thread(target=server.server.stop)
            ender.start()
            go_on.set()
            ender.join()
    assert [response["allowed"] for _, response in answers] == [False]
    with pytest.raises(ConnectionError):
        server.post(asked(rollout()), late)


def test_many_callers_at_once_get_their_own_answers(strict: Serving) -> None:
    def ask(number: int) -> None:
        connection = strict.connection()
        for turn in range(20):
            uid = f"{number}-{turn}"
            found = deployment() if turn % 2 else rollout()
            _, response = strict.post(asked(found, uid=uid), connection)
            assert (response["uid"], response["allowed"]) == (uid, not turn % 2)
        connection.close()

    with at_once(8, ask):
        pass


def test_a_port_that_is_taken_is_told(strict: Serving) -> None:
    again = Server(strict.admission, strict.tls.context, "127.0.0.1", strict.server.port)
    with pytest.raises(UsageError, match=f"cannot listen at 127.0.0.1:{strict.server.port}"):
        again.start()


def granted(uses: int) -> Waiver:
    asked_for = Waiver(
        id="w-7f3a21",
        rule="R1",
        kind="Deployment",
        namespace="prod",
        name="payments",
        digest=digest_of(deployment()),
        reason="a fix",
        ticket="OPS-1",
        requester="alice",
        requested_at=NOW - 60,
        expires_at=NOW + 3600,
        uses=uses,
        approver="bob",
        approved_at=NOW - 30,
    )
    return msgspec.structs.replace(asked_for, approval=text_digest(asked_for))


NOW = 1_772_366_400.0


def used_admission(uses: int) -> Admission:
    reviewing = Reviewing(Trusted(), lambda: NOW, rules(STRICT, waivers=[granted(uses)]))
    return Admission(reviewing, lambda number, text: pytest.fail(text))


def answers(admission: Admission, *reviews: dict[str, Any]) -> list[bool]:
    async def ask() -> list[bool]:
        replies = [await admission._answered(body(review)) for review in reviews]
        return [reply.body["response"]["allowed"] for reply in replies]

    return asyncio.run(ask())


def test_a_waiver_for_two_uses_lets_two_pass_whatever_is_only_tried() -> None:
    admission = used_admission(2)
    dry = [asked(deployment(), uid=f"dry-{number}", dry_run=True) for number in range(5)]
    real = [asked(deployment(), uid=f"u-{number}") for number in range(3)]
    assert answers(admission, *dry) == [True] * 5
    assert answers(admission, real[0], real[0], real[1]) == [True, True, True]
    assert answers(admission, real[2], dry[0], real[1]) == [False, False, True]
    admission.close()


def test_a_waiver_without_a_number_is_not_counted() -> None:
    admission = used_admission(0)
    assert answers(admission, *(asked(deployment(), uid=f"u-{number}") for number in range(4))) == [True] * 4
    admission.close()


WHOLE = body(status_review(ABORT, person()))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(WHOLE)), st.binary(max_size=8)), max_size=4))
def test_whatever_happens_to_a_review_on_its_way_it_is_answered(
    strict: Serving, damages: list[tuple[int, bytes]]
) -> None:
    raw = WHOLE
    for place, damage in damages:
        raw = raw[:place] + damage + raw[place + len(damage) :]

    async def ask() -> dict[str, Any]:
        return (await strict.admission._answered(raw)).body

    response = asyncio.run(ask())["response"]
    assert isinstance(response["allowed"], bool)
    assert not strict.reported
