"""Webhooks over real HTTP: what is sent, what is answered, and what is in the ledger then."""

import json
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serve.hooking import (
    EVERY,
    NOW,
    SCHEMES,
    SECRET,
    SIGNING,
    Case,
    Headers,
    cases,
    serving,
    signed,
    standard,
)

from davy.adapters.memory_store import MemoryStore
from davy.analysis.secret import Secret
from davy.control.hooks import github
from davy.control.hooks.delivery import LONGEST, Delivery
from davy.control.hooks.signatures import standard as standard_webhook
from davy.ledger.entry import Draft, Entry
from davy.ledger.log import Receipt
from davy.ledger.store import StoreUnavailable
from davy.model.instant import written
from davy.serve.hooks_app import UNKNOWN, Limits
from davy.testing.patience import until

NAMED = [pytest.param(case, id=f"{case.scheme}: {case.name}") for case in EVERY]
WRITTEN = [pytest.param(case, id=f"{case.scheme}: {case.name}") for case in EVERY if case.status == 202]
FIRST = {
    scheme: next(case for case in cases(scheme) if case.status == 202 and not case.after) for scheme in SCHEMES
}
"""Of each scheme, a delivery that is written down."""

PATIENT = [msgspec.structs.replace(case.source, per_minute=10**6) for case in FIRST.values()]
ALL_SECRETS = {key: secret for case in FIRST.values() for key, secret in case.secrets.items()}


def told(entry: Entry, wanted: dict[str, object]) -> dict[str, object]:
    """Return of an entry what a case says something about."""
    found = msgspec.to_builtins(entry)
    found["at"] = written(entry.at) if entry.at == round(entry.at, 3) else stamp(entry.at)
    return {name: found[name] for name in wanted}


def stamp(seconds: float) -> str:
    whole, part = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{written(float(whole))[:-1]}.{part:06}Z"


@pytest.mark.parametrize("case", NAMED)
def test_a_delivery_becomes_what_its_case_says(case: Case) -> None:
    with serving([case.source], case.secrets) as server:
        for each in (case.after, case):
            if each is not None:
                headers = each.headers | signed(case.scheme, SECRET, each.body)
                status, answer = server.post(case.path, each.body, headers)
        assert status == case.status, answer
        assert [
            told(entry, event) for entry, event in zip(server.entries, case.events, strict=False)
        ] == case.events
        assert len(server.entries) == len(case.events)
        if case.outcomes:
            assert [event["outcome"] for event in answer["events"]] == case.outcomes
        assert server.reported == []


@pytest.mark.parametrize("case", NAMED)
def test_a_delivery_that_comes_again_changes_nothing(case: Case) -> None:
    with serving([case.source], case.secrets) as server:
        headers = case.headers | signed(case.scheme, SECRET, case.body)
        first, _ = server.post(case.path, case.body, headers)
        root = server.log.head()
        again, answer = server.post(case.path, case.body, headers)
        assert server.log.head() == root
        assert again == {202: 200}.get(first, first)
        if again == 200 and first == 202:
            assert {event["outcome"] for event in answer["events"]} <= {"known"}


@pytest.mark.parametrize("case", WRITTEN)
def test_what_is_written_says_how_it_is_known_and_of_which_body(case: Case) -> None:
    from hashlib import sha256

    with serving([case.source], case.secrets) as server:
        server.post(case.path, case.body, case.headers | signed(case.scheme, SECRET, case.body))
        for entry in server.entries:
            assert f"({case.scheme}), body sha256:{sha256(case.body).hexdigest()}" in entry.authenticated
            assert entry.received == NOW
            assert entry.source
            assert entry.id


# forgeries

SIGNED = ("github", "pagerduty", "sentry", "circleci", "launchdarkly")
"""Schemes whose signature is over the body, whatever the secret is."""


FORGERIES: dict[str, Callable[[str, bytes], tuple[Headers, bytes]]] = {
    "unsigned": lambda scheme, body: ({}, body),
    "signed with another secret": lambda scheme, body: (signed(scheme, "guess", body), body),
    "signed with an empty secret": lambda scheme, body: (signed(scheme, "", body), body),
    "the signature is cut": lambda scheme, body: (cut(signed(scheme, SECRET, body)), body),
    "the signature is not ASCII": lambda scheme, body: (dict.fromkeys(signed(scheme, SECRET, body), "é"), body),
}
ON_BODIES: dict[str, Callable[[str, bytes], tuple[Headers, bytes]]] = {
    "the body is truncated": lambda scheme, body: (signed(scheme, SECRET, body), body[:-1]),
    "the body is spelt anew": lambda scheme, body: (
        signed(scheme, SECRET, body),
        json.dumps(json.loads(body), indent=1).encode(),
    ),
    "the body has another value": lambda scheme, body: (
        signed(scheme, SECRET, body),
        body.replace(b"payments", b"paiments"),
    ),
    "the body is of another delivery": lambda scheme, body: (signed(scheme, SECRET, b"{}"), body),
}


def cut(headers: Headers) -> Headers:
    return {name: value[:-1] for name, value in headers.items()}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("forgery", FORGERIES)
def test_who_cannot_show_who_it_is_gets_one_answer_and_writes_nothing(scheme: str, forgery: str) -> None:
    case = FIRST[scheme]
    with serving([case.source], case.secrets) as server:
        headers, body = FORGERIES[forgery](scheme, case.body)
        assert server.post(case.path, body, case.headers | headers) == (
            401,
            {"error": {"code": "unknown", "message": UNKNOWN}},
        )
        assert server.entries == ()


@pytest.mark.parametrize("scheme", SIGNED)
@pytest.mark.parametrize("forgery", ON_BODIES)
def test_a_signature_is_of_the_bytes_as_they_came(scheme: str, forgery: str) -> None:
    case = FIRST[scheme]
    with serving([case.source], case.secrets) as server:
        headers, body = ON_BODIES[forgery](scheme, case.body)
        assert server.post(case.path, body, case.headers | headers)[0] == 401
        assert server.entries == ()


@pytest.mark.parametrize("scheme", ["gitlab", "cloudevents"])
@pytest.mark.parametrize(
    ("late_s", "status"), [(0, 202), (299, 202), (-299, 202), (301, 401), (-301, 401), (600, 401)]
)
def test_a_signing_token_is_of_its_time_and_its_body(scheme: str, late_s: int, status: int) -> None:
    case = FIRST[scheme]
    secrets = dict.fromkeys(case.secrets, SIGNING)
    with serving([case.source], secrets) as server:
        right = case.headers | standard(SIGNING, case.body, NOW - late_s)
        assert server.post(case.path, case.body, right)[0] == status
        moved = right | {"webhook-timestamp": str(int(NOW))}
        assert server.post(case.path, case.body, moved)[0] == (200 if late_s == 0 else 401)
        assert server.post(case.path, case.body + b" ", right)[0] == 401
        assert server.post(case.path, case.body, right | {"webhook-id": "msg_2"})[0] == 401
        for plain in ({"X-Gitlab-Token": SIGNING}, {"Authorization": f"Bearer {SIGNING}"}):
            assert server.post(case.path, case.body, case.headers | plain)[0] == 401
        assert len(server.entries) == (len(case.events) if status == 202 else 0)


def test_the_attributes_of_binary_mode_are_not_signed_and_so_not_believed() -> None:
    case = next(each for each in cases("cloudevents") if "binary" in each.name)
    with serving([case.source], dict.fromkeys(case.secrets, SIGNING)) as server:
        assert server.post(case.path, case.body, case.headers | standard(SIGNING, case.body, NOW))[0] == 401


@pytest.mark.parametrize("scheme", SCHEMES)
def test_while_a_secret_is_changed_the_old_and_the_new_one_count(scheme: str) -> None:
    case = FIRST[scheme]
    key = case.source.secrets[0]
    both = msgspec.structs.replace(case.source, secrets=(key, msgspec.structs.replace(key, key="next")))
    secrets = {(key.name, key.key): SECRET, (key.name, "next"): "n3w:secret"}
    for secret, status in ((SECRET, 202), ("n3w:secret", 202), ("other", 401)):
        with serving([both], secrets) as server:
            headers = case.headers | signed(scheme, secret, case.body)
            assert server.post(case.path, case.body, headers)[0] == status


@pytest.mark.parametrize("way", ["Bearer", "bearer", "Basic", "header"])
@pytest.mark.parametrize("scheme", ["alertmanager", "argocd", "cloudevents"])
def test_who_cannot_sign_carries_the_secret_in_any_of_three_ways(scheme: str, way: str) -> None:
    from base64 import b64encode

    case = FIRST[scheme]
    headers = {
        "Bearer": {"Authorization": f"Bearer {SECRET}"},
        "bearer": {"Authorization": f"bearer {SECRET}"},
        "Basic": {"Authorization": f"Basic {b64encode(SECRET.encode()).decode()}"},
        "header": {"X-Davy-Token": SECRET},
    }[way]
    with serving([case.source], case.secrets) as server:
        assert server.post(case.path, case.body, case.headers | headers)[0] == 202


def test_of_two_sources_the_one_speaks_whose_secret_it_is() -> None:
    case = FIRST["pagerduty"]
    key = case.source.secrets[0]
    other = msgspec.structs.replace(
        case.source, name="other", services=("search",), secrets=(msgspec.structs.replace(key, key="other"),)
    )
    secrets = case.secrets | {(key.name, "other"): "another"}
    with serving([other, case.source], secrets) as server:
        assert server.post(case.path, case.body, signed("pagerduty", SECRET, case.body))[0] == 202
        status, answer = server.post(case.path, case.body, signed("pagerduty", "another", case.body))
        assert status == 403
        assert answer["source"] == "other"
        assert answer["events"][0]["why"] == "other does not speak for the service payments"
        refused = server.entries[-1]
        assert refused.kind == "event_refused"
        assert refused.detail["why"] == answer["events"][0]["why"]


def test_a_header_that_names_a_delivery_anew_does_not_make_it_another() -> None:
    case = FIRST["github"]
    with serving([case.source], case.secrets) as server:
        headers = case.headers | signed("github", SECRET, case.body)
        for number in range(3):
            server.post(case.path, case.body, headers | {"X-GitHub-Delivery": f"delivery-{number}"})
        assert len(server.entries) == 1
        assert server.entries[0].authenticated.endswith(", delivery delivery-0")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_comes_many_times_at_once_has_one_effect(scheme: str) -> None:
    case = FIRST[scheme]
    with serving([case.source], case.secrets) as server:
        headers = case.headers | signed(scheme, SECRET, case.body)
        answers: list[tuple[int, object]] = []
        threads = [
            threading.Thread(target=lambda: answers.append(server.post(case.path, case.body, headers)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = sorted(status for status, _ in answers)
        assert statuses == [200] * 7 + [202]
        assert len(server.entries) == len(case.events)


# what nobody can do to the server


def test_a_body_that_is_too_long_is_not_read() -> None:
    case = FIRST["github"]
    body = b" " * (LONGEST + 1)
    with serving([case.source], case.secrets) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
            plain.sendall(b"POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
            assert plain.recv(100).startswith(b"HTTP/1.1 413")
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
            plain.sendall(b"POST /hooks/github HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            plain.sendall(f"{len(body):x}\r\n".encode() + body)
            assert plain.recv(100).startswith(b"HTTP/1.1 413")
        longest = b'{"zen": "' + b"x" * (LONGEST - 11) + b'"}'
        assert len(longest) == LONGEST
        assert server.post(case.path, longest, signed("github", SECRET, longest))[0] == 200
        assert server.entries == ()


def test_who_sends_a_byte_now_and_then_is_let_go_of_and_others_are_answered() -> None:
    case = FIRST["github"]
    with serving([case.source], case.secrets, limits=Limits(body_s=0.3)) as server:
        slow = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(40)]
        for each in slow:
            each.sendall(b"POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert server.post(case.path, case.body, case.headers | signed("github", SECRET, case.body))[0] == 202
        for each in slow:
            assert each.recv(100).startswith(b"HTTP/1.1 408")
            each.close()


def test_more_deliveries_at_once_than_there_is_room_for_are_asked_to_come_again() -> None:
    case = FIRST["github"]
    with serving([case.source], case.secrets, limits=Limits(workers=1, waiting=1)) as server:
        slow = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(2)]
        for each in slow:
            each.sendall(b"POST /hooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
        while "davy_hooks_open 2" not in server.get("/metrics")[1]:
            pass
        status, answer = server.post(case.path, case.body, signed("github", SECRET, case.body))
        assert (status, answer["error"]["code"]) == (503, "busy")
        for each in slow:
            each.sendall(b"{")
            assert each.recv(100).startswith(b"HTTP/1.1 401")
            each.close()
        assert server.post(case.path, case.body, signed("github", SECRET, case.body))[0] == 202


def test_a_source_that_says_too_much_is_asked_to_wait() -> None:
    case = FIRST["github"]
    source = msgspec.structs.replace(case.source, name="loud", per_minute=3)
    with serving([source], case.secrets) as server:
        headers = signed("github", SECRET, case.body)
        assert [server.post(case.path, case.body, headers)[0] for _ in range(4)] == [202, 200, 200, 429]
        assert server.post(case.path, case.body, {})[0] == 401


def test_while_nothing_can_be_written_down_the_sender_is_asked_to_come_again() -> None:
    case = FIRST["github"]
    log = MemoryStore()
    log.full = StoreUnavailable("the disk is full")
    with serving([case.source], case.secrets, log=log) as server:
        headers = signed("github", SECRET, case.body)
        status, answer = server.post(case.path, case.body, headers)
        assert (status, answer["error"]["code"]) == (503, "store")
        log.full = None
        assert server.post(case.path, case.body, headers)[0] == 202


class Slow(MemoryStore):
    """Begins to write once it may, and keeps how many asked for each write."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.writes = threading.Event(), list[int]()

    def append_each(self, calls: Sequence[Sequence[Draft]]) -> list[tuple[Receipt, ...] | Exception]:
        self.writes.append(len(calls))
        assert self.gate.wait(60)
        return super().append_each(calls)


def test_deliveries_that_wait_for_the_disk_keep_no_worker_from_others_and_are_written_together() -> None:
    case, log = FIRST["github"], Slow()
    headers = signed("github", SECRET, case.body)
    with (
        serving([case.source], case.secrets, log=log, limits=Limits(workers=1)) as server,
        ThreadPoolExecutor(6) as pool,
    ):
        posted = [pool.submit(server.post, case.path, case.body, headers) for _ in range(6)]
        until(lambda: sum(log.writes) + len(server.hooks._appending._waiting) == 6)
        assert not any(each.done() for each in posted)
        log.gate.set()
        assert sorted(each.result()[0] for each in posted) == [200] * 5 + [202]
    assert len(log.writes) <= 2


def test_a_delivery_that_is_not_written_down_in_time_is_not_answered_as_if_it_were() -> None:
    case, log = FIRST["github"], Slow()
    headers = signed("github", SECRET, case.body)
    with serving([case.source], case.secrets, log=log, limits=Limits(answer_s=0.2)) as server:
        status, answer = server.post(case.path, case.body, headers)
        assert (status, answer["error"]["code"]) == (503, "busy")
        log.gate.set()
        assert server.post(case.path, case.body, headers)[0] == 200  # it was written down after all
    assert len(log.ledger) == 1


def test_a_fault_of_ours_is_reported_and_not_shown() -> None:
    case = FIRST["github"]
    log = MemoryStore()
    log.full = RuntimeError("made up")
    with serving([case.source], case.secrets, log=log) as server:
        status, answer = server.post(case.path, case.body, signed("github", SECRET, case.body))
        assert status == 500
        assert "made up" not in json.dumps(answer)
        assert "made up" in server.reported[0][1]


def test_where_a_secret_cannot_be_read_nobody_is_told_that_they_are_unknown() -> None:
    case = FIRST["github"]
    with serving([case.source], dict.fromkeys(case.secrets, "unreadable")) as server:
        status, answer = server.post(case.path, case.body, signed("github", SECRET, case.body))
        assert (status, answer["error"]["code"]) == (503, "secret")
        assert server.get("/readyz") == (503, "it may be read by others\n")


def test_health_readiness_and_metrics_are_told() -> None:
    case = FIRST["github"]
    with serving([case.source], case.secrets, limits=Limits()) as server:
        server.post(case.path, case.body, signed("github", SECRET, case.body))
        assert server.get("/healthz") == (200, "ok\n")
        assert server.get("/readyz") == (200, "ok\n")
        status, text = server.get("/metrics")
        assert status == 200
        assert 'davy_hooks_deliveries_total{scheme="github",status="202"} 1' in text
        assert 'davy_hooks_events_total{source="acme-github",outcome="written"} 1' in text
        assert server.post("/hooks/nobody", b"", {})[0] == 404
        assert server.get("/hooks/github")[0] == 405


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("2026-03-02T08:00:00Z"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["repository", "pull_request", "action", "object_kind", "alerts", "event", "data", "type"]
                ),
                inner,
                max_size=3,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
    st.sampled_from(SCHEMES),
)
def test_whatever_a_known_sender_sends_is_answered_without_a_fault(body: bytes, scheme: str) -> None:
    with serving(PATIENT, ALL_SECRETS) as server:
        status, _ = server.post(
            f"/hooks/{scheme}",
            body,
            signed(scheme, SECRET, body) | {"Content-Type": "application/cloudevents+json"},
        )
        assert status in (200, 400, 403)
        assert server.reported == []


def test_the_example_of_githubs_documentation_is_right() -> None:
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    delivery = Delivery({"x-hub-signature-256": signature}, b"Hello, World!", NOW)
    assert github.authentic(delivery, Secret("It's a Secret to Everybody"))
    assert not github.authentic(delivery, Secret("It's a secret to Everybody"))


def test_the_example_of_standard_webhooks_is_right() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    assert standard_webhook(Delivery(headers, body, 1614265330.0), secret)
    assert not standard_webhook(Delivery(headers, body, 1614265330.0 + 301), secret)
    assert not standard_webhook(Delivery(headers, body + b" ", 1614265330.0), secret)
