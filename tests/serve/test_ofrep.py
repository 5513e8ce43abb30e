"""OFREP over real HTTP: what is asked, what is answered, and what is kept from whom."""

import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serve.flagging import (
    ANYBODY,
    CLIENT,
    FLAGS,
    GOVERNANCE,
    NOW,
    OFREP,
    OVER,
    PART,
    SERVER,
    SHOP,
    Serving,
    conforms,
    document,
    flag,
    serving,
    shown,
)

import davy.flags
from davy.errors import Undecided
from davy.flags.token import Edge, Token, Tokens, hashed
from davy.serve.flag_door import Limits
from davy.testing.patience import until


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with serving() as here:
        yield here
        assert here.reported == []


# what is answered


@pytest.mark.parametrize("key", FLAGS)
@pytest.mark.parametrize(
    "context", [{"targetingKey": "u-1"}, {"targetingKey": "u-2", "email": "a@davy.dev"}, {}]
)
def test_one_flag_and_all_flags_answer_what_the_evaluator_does(
    server: Serving, key: str, context: dict[str, str]
) -> None:
    details = davy.flags.load(document()).evaluate(key, None, None, context)
    answer = server.evaluate(key, context)
    conforms(answer, key=key)
    body = answer.json
    [same] = [each for each in server.evaluate_all(context, SERVER).json["flags"] if each["key"] == key]
    assert same == body
    if details.error_code is None:
        assert answer.status == 200
        assert body.get("value") == details.value
        assert body.get("variant") == details.variant
    else:
        assert (answer.status, body["errorCode"]) == (400, details.error_code)


def test_what_the_caller_has_in_its_code_is_no_value(server: Serving) -> None:
    for key, reason in (("checkout.disabled", "DISABLED"), ("checkout.code-default", "UNKNOWN")):
        body = server.evaluate(key).json
        assert "value" not in body
        assert body["reason"] == reason


def test_a_flag_that_is_held_back_has_its_safe_value(server: Serving) -> None:
    body = server.evaluate("checkout.held").json
    assert (body["value"], body["reason"], body["metadata"]["gateReason"]) == (False, "DISABLED", "no canary")


def test_a_flag_that_cannot_be_evaluated_has_its_safe_value_and_its_caller_no_say() -> None:
    failing = {"if": [{"nobody's": []}, "on", "off"]}
    flags = {
        "a.safe": flag(targeting=failing, metadata={"safe": "off"}),
        "a.code": flag(targeting=failing, metadata={"safe": "off", "onError": "code"}),
        "a.broken": {**flag(metadata={"safe": "off", "exposure": "server"}), "state": "on"},
        "a.none": flag(targeting=failing),
    }
    with serving(text=json.dumps({"flags": flags}).encode()) as here:
        for key in ("a.safe", "a.broken"):
            answer = here.evaluate(key, who=SERVER)
            conforms(answer, key=key)
            assert (answer.status, answer.json["value"], answer.json["variant"]) == (200, False, "off")
            told = answer.json["metadata"]
            assert (answer.json["reason"], told["evaluationReason"]) == ("UNKNOWN", "ERROR")
            assert (told["failMode"], told["failure"]) == ("safe", "PARSE_ERROR")
        for key in ("a.code", "a.none"):
            assert here.evaluate(key, who=SERVER).json["errorCode"] == "PARSE_ERROR"


def test_a_reason_that_the_protocol_does_not_know_is_in_the_metadata_of_servers(server: Serving) -> None:
    body = server.evaluate("checkout.staff").json
    assert (body["reason"], body["metadata"]["evaluationReason"]) == ("UNKNOWN", "DEFAULT")
    assert "metadata" not in server.evaluate("checkout.staff", who=CLIENT).json


def test_a_key_may_be_anything_and_is_not_found_then(server: Serving) -> None:
    for key in ("nobody.knows", "a%2Fb", "%F0%9F%90%A4", "x" * 5000, "", "../../etc/passwd"):
        answer = server.evaluate(key)
        conforms(answer, key="")
        assert answer.status == 404
        assert len(answer.body) < 1000


def test_every_answer_says_by_which_version_it_is(server: Serving) -> None:
    for answer in (
        server.evaluate("checkout.discount"),
        server.evaluate_all(),
        server.evaluate("checkout.wrong"),
    ):
        assert answer.headers["Davy-Flags-Version"] == str(server.flags.document().version)


# ETags


def test_whoever_has_the_answers_is_told_so_and_gets_no_body(server: Serving) -> None:
    first = server.evaluate_all()
    conforms(first)
    tag = first.headers["ETag"]
    for shown_tag in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = server.evaluate_all(etag=shown_tag)
        assert again.status == 304
        conforms(again)
    assert server.evaluate_all(etag='"other"').status == 200


def test_a_tag_is_of_a_document_a_context_and_a_token() -> None:
    with serving() as server:
        tag = server.evaluate_all().headers["ETag"]
        assert server.evaluate_all({"targetingKey": "u-2"}, etag=tag).status == 200
        assert server.evaluate_all(who=SERVER, etag=tag).status == 200
        assert server.evaluate_all({"targetingKey": "u-1"}, etag=tag).status == 304
        server.flags.publish(document({"checkout.discount": flag("off")}))
        changed = server.evaluate_all(etag=tag)
        assert changed.status == 200
        assert changed.headers["ETag"] != tag


def test_a_rule_that_looks_at_the_clock_is_answered_anew() -> None:
    rule = {"if": [{">": [{"var": "$flagd.timestamp"}, 0]}, "on", "off"]}
    with serving(text=document({"checkout.timed": flag(targeting=rule)})) as server:
        body = server.evaluate_all().json
        assert [each["value"] for each in body["flags"] if each["key"] == "checkout.timed"] == [True]


def test_an_answer_changes_with_the_ticket_that_is_in_it() -> None:
    """Else somebody whose ticket is over would be told for ever that nothing changed."""
    with serving() as server:
        tag = server.evaluate_all().headers["ETag"]
        server.now = NOW + 599
        assert server.evaluate_all(etag=tag).status == 304
        server.now = NOW + 600
        assert server.evaluate_all(etag=tag).status == 200


def test_a_refetch_may_say_which_configuration_it_is_for(server: Serving) -> None:
    path = f"{OFREP}?flagConfigEtag=%22abc%22&flagConfigLastModified=1795669200"
    conforms(server.ask("POST", path, {"context": {"targetingKey": "u"}}, shown(CLIENT)))
    long = server.ask("POST", f"{OFREP}?flagConfigEtag={'x' * 600}", {"context": {}}, shown(CLIENT))
    assert (long.status, long.json["errorCode"]) == (400, "GENERAL")


# who may see what


def test_a_client_sees_what_is_made_for_clients_and_on_its_list_and_nothing_of_its_governance(
    server: Serving,
) -> None:
    answer = server.evaluate_all(who=CLIENT)
    assert {each["key"] for each in answer.json["flags"]} == {
        key for key in FLAGS if key.startswith("checkout.") and key != "checkout.secret"
    }
    told = [answer.body, *(server.evaluate(key, who=CLIENT).body for key in FLAGS)]
    for word in (*GOVERNANCE, *GOVERNANCE.values(), "exposure", "gate", "no canary", "production", "nobody"):
        assert all(word.encode() not in text for text in told), word
    assert answer.json["metadata"] == {"version": server.flags.document().version}


@pytest.mark.parametrize("key", ["checkout.secret", "search.ranking"])
def test_what_a_client_may_not_see_answers_like_what_is_not_there(server: Serving, key: str) -> None:
    hidden, absent = server.evaluate(key, who=CLIENT), server.evaluate("checkout.nothing", who=CLIENT)
    assert hidden.status == absent.status == 404
    assert hidden.body.replace(key.encode(), b"") == absent.body.replace(b"checkout.nothing", b"")
    assert {*hidden.headers} == {*absent.headers}


def test_a_server_sees_its_list_and_what_governs_it(server: Serving) -> None:
    body = server.evaluate_all(who=PART).json
    assert [each["key"] for each in body["flags"]] == ["search.ranking"]
    assert body["flags"][0]["metadata"].items() >= GOVERNANCE.items()
    assert body["metadata"] == {"flagSetId": "production", "version": server.flags.document().version}
    assert server.evaluate("checkout.discount", who=PART).status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer guess"},
        {"Authorization": "Basic c2VjcmV0"},
        {"Authorization": f"Bearer {SERVER.hash}"},
        {"X-API-Key": "checkout"},
        {"Authorization": f"Bearer secret-of-{OVER.name}"},
        {"Authorization": "Bearer \xff\xfe"},
    ],
)
@pytest.mark.parametrize("path", [OFREP, f"{OFREP}/checkout.discount", f"{OFREP}/nothing"])
def test_who_is_not_known_gets_one_answer(server: Serving, path: str, headers: dict[str, str]) -> None:
    answer = server.ask("POST", path, {"context": {}}, headers)
    conforms(answer, key="")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_is_shown_in_either_header(server: Serving) -> None:
    for headers in ({"X-API-Key": "secret-of-web"}, {"Authorization": "bearer secret-of-web"}):
        assert server.ask("POST", OFREP, {"context": {}}, headers).status == 200


def test_a_token_that_is_taken_back_is_nobodys_at_once() -> None:
    with serving() as server:
        assert server.evaluate("checkout.discount").status == 200
        server.known.tokens = Tokens([])
        assert server.evaluate("checkout.discount").status == 401


def test_more_than_a_token_may_ask_is_asked_to_come_later() -> None:
    with serving() as server:
        slow = Token("slow", hashed("secret-of-slow"), Edge.CLIENT, 0.0, keys=("*",), per_minute=2)
        server.known.tokens = Tokens([slow, SERVER])
        statuses = [server.evaluate("checkout.discount", who=slow).status for _ in range(3)]
        assert statuses == [200, 200, 429]
        refused = server.evaluate_all(who=slow)
        conforms(refused)
        assert int(refused.headers["Retry-After"]) <= 30
        assert server.evaluate("checkout.discount").status == 200


def test_only_a_program_of_ours_says_which_artifact_it_is() -> None:
    asked: list[str] = []
    with serving() as server:
        plain = server.flags.document

        def seen(artifact: str = "") -> Any:
            asked.append(artifact)
            return plain()

        server.flags.document = seen  # type: ignore[method-assign]
        server.evaluate("checkout.discount", who=SERVER, **{"Davy-Artifact": "abc"})
        server.evaluate("checkout.discount", who=CLIENT, **{"Davy-Artifact": "abc"})
        assert asked == ["abc", ""]


# browsers


def test_a_page_of_an_origin_that_is_listed_reads_its_answers(server: Serving) -> None:
    preflight = server.ask("OPTIONS", OFREP, None, {"Origin": SHOP, "Access-Control-Request-Method": "POST"})
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == SHOP
    allowed = preflight.headers["Access-Control-Allow-Headers"].lower()
    assert all(name in allowed for name in ("authorization", "if-none-match", "content-type", "x-api-key"))
    answer = server.ask("POST", OFREP, {"context": {}}, shown(CLIENT) | {"Origin": SHOP})
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answer.headers["Vary"]
    unknown = server.ask("POST", OFREP, {"context": {}}, {"Origin": SHOP})
    assert (unknown.status, unknown.headers["Access-Control-Allow-Origin"]) == (401, SHOP)


def test_a_page_of_another_origin_reads_nothing(server: Serving) -> None:
    for origin in ("https://evil.example", "null", "https://shop.example.evil.example", "https://SHOP.example"):
        assert (
            "Access-Control-Allow-Origin" not in server.ask("OPTIONS", OFREP, None, {"Origin": origin}).headers
        )
        for who in (CLIENT, SERVER):
            answer = server.ask("POST", OFREP, {"context": {}}, shown(who) | {"Origin": origin})
            conforms(answer)
            assert answer.status == 403
            assert "Access-Control-Allow-Origin" not in answer.headers


# hostile bodies

WRONG: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "PARSE_ERROR"),
    "no JSON": (b"{", "PARSE_ERROR"),
    "two documents": (b'{"context":{}}{}', "PARSE_ERROR"),
    "no UTF-8": (b'{"context":{"a":"\xff"}}', "PARSE_ERROR"),
    "half a surrogate": (b'{"context":{"targetingKey":"\\ud800"}}', "PARSE_ERROR"),
    "not a number": (b'{"context":{"a":NaN}}', "PARSE_ERROR"),
    "endless nesting": (b'{"context":' + b"[" * 30_000, "PARSE_ERROR"),
    "a list": (b"[]", "INVALID_CONTEXT"),
    "a text": (b'"context"', "INVALID_CONTEXT"),
    "a context that is null": (b'{"context":null}', "INVALID_CONTEXT"),
    "a context that is a list": (b'{"context":[]}', "INVALID_CONTEXT"),
    "a key that is a number": (b'{"context":{"targetingKey":7}}', "INVALID_CONTEXT"),
    "a key that is null": (b'{"context":{"targetingKey":null}}', "INVALID_CONTEXT"),
    "deep nesting": (b'{"context":{"a":' + b"[" * 40 + b"]" * 40 + b"}}", "INVALID_CONTEXT"),
    "a thousand and one values": (json.dumps({"context": {"a": [0] * 1001}}).encode(), "INVALID_CONTEXT"),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("key", ["checkout.staff", None])
def test_a_body_that_makes_no_sense_is_refused(server: Serving, what: str, key: str | None) -> None:
    body, code = WRONG[what]
    answer = server.ask("POST", OFREP if key is None else f"{OFREP}/{key}", body, shown(SERVER))
    conforms(answer, key=key)
    assert (answer.status, answer.json["errorCode"]) == (400, code)


def test_a_body_is_read_up_to_a_size(server: Serving) -> None:
    inside = json.dumps({"context": {"a": "x" * 65_000}}).encode()
    assert server.ask("POST", OFREP, inside, shown(SERVER)).status == 200
    for body in (inside + b" " * 1000, b"x" * 200_000):
        answer = server.ask("POST", OFREP, body, shown(SERVER))
        conforms(answer)
        assert answer.status == 413


def test_a_body_without_a_length_is_read_up_to_a_size(server: Serving) -> None:
    one = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    one.request("POST", OFREP, iter([b"x" * 30_000] * 3), shown(SERVER), encode_chunked=True)
    assert one.getresponse().status == 413
    one.close()


def test_a_body_that_does_not_come_is_waited_for_a_while() -> None:
    with serving(Limits(body_s=0.2)) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as one:
            head = f"POST {OFREP} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
            one.sendall(f"{head}Authorization: Bearer secret-of-web\r\n\r\n{{".encode())
            assert b"408" in one.recv(4096).split(b"\r\n")[0]
        assert server.evaluate("checkout.discount").status == 200


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.integers()
        | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=25,
    )
)
def test_whatever_a_context_is_the_answer_is_one_of_the_protocol(server: Serving, context: Any) -> None:
    answer = server.evaluate_all(context if context is not None else {}, who=SERVER)
    conforms(answer)
    assert answer.status in (200, 400)
    for key in ("checkout.staff", "checkout.half"):
        conforms(server.evaluate(key, context), key=key)


def test_other_methods_are_not_for_evaluating(server: Serving) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        assert server.ask(method, OFREP, None, shown(SERVER)).status == 405


# faults, counts, many at once


def test_a_fault_of_ours_has_a_number_and_tells_nothing_else() -> None:
    with serving() as server:

        def broken(artifact: str = "") -> Any:
            raise RuntimeError("the secret of it")

        server.flags.document = broken  # type: ignore[method-assign]
        for key in ("checkout.discount", None):
            answer = server.evaluate_all() if key is None else server.evaluate(key)
            conforms(answer, key=key)
            number, trace = server.reported.pop()
            assert (answer.status, answer.json) == (500, {"errorDetails": f"a fault of Davy itself ({number})"})
            assert "the secret of it" in trace


def test_what_cannot_be_told_just_now_is_asked_for_again() -> None:
    with serving() as server:

        def away(artifact: str = "") -> Any:
            raise Undecided("the store is away")

        server.flags.document = away  # type: ignore[method-assign]
        answer = server.evaluate("checkout.discount")
        conforms(answer, key="checkout.discount")
        assert (answer.status, server.reported) == (503, [])
        assert b"store" not in answer.body


def test_what_is_evaluated_is_counted_and_told(server: Serving) -> None:
    with serving() as own:
        for _ in range(3):
            own.evaluate("checkout.discount", who=SERVER)
        own.evaluate("checkout.disabled", who=ANYBODY)
        own.evaluate("checkout.nothing")
        own.evaluate_all(who=PART)
        text = own.metrics()
        version = own.flags.document().version
        reports = own.flags.reports
    line = (
        'davy_flags_evaluations_total{flag="checkout.discount",variant="on",reason="STATIC",asked="single"} 3'
    )
    assert line in text.splitlines()
    assert 'flag="search.ranking",variant="on",reason="STATIC",asked="bulk"} 1' in text
    assert 'davy_flags_requests_total{endpoint="ofrep",status="404"} 1' in text
    assert "nothing" not in text
    told = {(each.instance.service, *one_of(each.exposures)) for each in reports}
    assert told == {
        ("checkout", "checkout.discount", "on", "STATIC", version, 3),
        ("all-services", "checkout.disabled", "", "DISABLED", version, 1),
    }


def one_of(exposures: Any) -> tuple[Any, ...]:
    [one] = exposures
    return one.flag, one.variant, one.reason, one.version, one.count


def test_nobody_sees_half_of_a_change() -> None:
    """Two flags that always change together are seen together, however many ask while they do."""
    pair = {on: {"checkout.a": flag(on), "checkout.b": flag(on)} for on in ("on", "off")}
    with serving(text=document(pair["on"])) as server:

        def look(_: int) -> bool:
            flags = {each["key"]: each.get("value") for each in server.evaluate_all().json["flags"]}
            return bool(flags["checkout.a"] == flags["checkout.b"])

        with ThreadPoolExecutor(8) as pool:
            found = pool.map(look, range(200))
            for number in range(40):
                server.flags.publish(document(pair["off" if number % 2 else "on"]))
            assert all(found)


# streams


def test_a_page_is_told_to_ask_again() -> None:
    with serving() as server:
        bulk = server.evaluate_all()
        [stream] = bulk.json["eventStreams"]
        listening = server.listen(stream["endpoint"]["requestUri"], None, {"Origin": SHOP})
        assert listening.answer.status == 200
        assert listening.answer.getheader("Content-Type", "").startswith("text/event-stream")
        assert listening.answer.getheader("Access-Control-Allow-Origin") == SHOP
        listening.wait(1)
        server.flags.publish(document({"checkout.discount": flag("off")}))
        listening.wait(2)
        for event in listening.events:
            assert "event" not in event
            assert json.loads(event["data"])["type"] == "refetchEvaluation"
        assert server.evaluate_all(etag=bulk.headers["ETag"]).status == 200
        server.flags.publish(document({"checkout.discount": flag("off"), "search.ranking": flag("off")}))
        server.flags.publish(document({"search.ranking": flag("off")}))
        listening.wait(3)
        assert [event["id"] for event in listening.events] == ["1", "2", "4"]


def test_a_ticket_is_good_for_minutes_and_for_nothing_else() -> None:
    with serving() as server:
        path = server.evaluate_all().json["eventStreams"][0]["endpoint"]["requestUri"]
        ticket = path.partition("ticket=")[2]
        name, until_s, signature = ticket.rsplit(".", 2)
        forged = [
            f"checkout.{until_s}.{signature}",
            f"{name}.{int(until_s) + 600}.{signature}",
            f"{name}.{until_s}.{'0' * 64}",
            f"{name}.{until_s}.é",
            f"{name}.99999999999999999999.{signature}",
            f"{name}.²³.{signature}",
            "..",
            name,
        ]
        for one in forged:
            refused = server.ask("GET", f"/ofrep/v1/stream?ticket={quote(one)}")
            conforms(refused)
            assert refused.status == 401
        assert server.ask("POST", OFREP, {"context": {}}, {"Authorization": f"Bearer {ticket}"}).status == 401
        assert server.ask("HEAD", path).status == 200
        server.now = NOW + 1200
        assert server.ask("HEAD", path).status == 401


def test_a_ticket_ends_with_its_token() -> None:
    with serving(Limits(heartbeat_s=0.05)) as server:
        path = server.evaluate_all().json["eventStreams"][0]["endpoint"]["requestUri"]
        listening = server.listen(path, None)
        server.known.tokens = Tokens([SERVER])
        until(lambda: listening.ended)
        assert server.ask("HEAD", path).status == 401


def test_a_page_of_another_origin_may_not_listen() -> None:
    with serving() as server:
        path = server.evaluate_all().json["eventStreams"][0]["endpoint"]["requestUri"]
        assert server.ask("GET", path, None, {"Origin": "https://evil.example"}).status == 403
