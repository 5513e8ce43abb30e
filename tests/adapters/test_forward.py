"""Entries that are sent on: in order, at least once, and none of them lost by a refusal."""

from pathlib import Path

import pytest
from tests.adapters.listening import Asked, Reply, listening

from davy.adapters.forward import BATCH, Form, Forwarder, NotForwarded, Target, address
from davy.adapters.memory_store import MemoryStore
from davy.errors import UsageError
from davy.ledger.entry import Draft
from davy.reports.event import ChangeEvent

SECRET = "s3cret-that-nobody-is-shown"


def store(count: int) -> MemoryStore:
    made = MemoryStore()
    drafts = [
        Draft(float(n), "incident_opened", "Service pay", {"service": "pay", "n": n}) for n in range(count)
    ]
    made.commit({}, drafts)
    return made


def project(body: bytes, seq: int) -> list[ChangeEvent]:
    return [ChangeEvent(source="s", id=str(seq), type="opened", time=0, service="pay", incident=str(seq))]


def forwarder(made: MemoryStore, url: str, directory: Path, form: Form = "otlp") -> Forwarder:
    target = Target(form, url, {"api-key": SECRET})
    return Forwarder(made.bodies, "o", target, directory / "cursor", project)


def test_everything_arrives_once_and_in_order(tmp_path: Path) -> None:
    made = store(BATCH + 3)
    with listening(lambda asked: Reply()) as server:
        first = forwarder(made, server.address, tmp_path)
        assert [first.step(), first.step(), first.step()] == [BATCH, 3, 0]
        made.commit({}, [Draft(9.0, "paused", "s")])
        again = forwarder(made, server.address, tmp_path)
        assert [again.step(), again.step()] == [1, 0]
    assert [asked.path for asked in server.asked] == ["/v1/logs"] * 3
    assert {asked.headers["api-key"] for asked in server.asked} == {SECRET}


def test_what_was_refused_is_sent_again_and_nobody_sees_the_key(tmp_path: Path) -> None:
    made, answers = store(2), iter([503, 401, 200])

    def answer(asked: Asked) -> Reply:
        return Reply(next(answers))

    with listening(answer) as server:
        sending = forwarder(made, f"{server.address}/hook?token={SECRET}", tmp_path, "cloudevents")
        for status in ("503", "401"):
            with pytest.raises(NotForwarded, match=status) as caught:
                sending.step()
            assert SECRET not in caught.value.message + caught.value.hint
        assert sending.step() == 2
    assert [[event["davyseq"] for event in asked.json] for asked in server.asked] == [[1, 2]] * 3
    with pytest.raises(NotForwarded):
        forwarder(made, server.address, tmp_path / "other-that-is-not-there").step()


def test_each_form_goes_where_it_belongs(tmp_path: Path) -> None:
    made = store(2)
    with listening(lambda asked: Reply(202)) as server:
        for form in ("cdevents", "datadog"):
            directory = tmp_path / form
            directory.mkdir()
            forwarder(made, server.address, directory, form).step()
    cdevents, *datadog = server.asked
    assert cdevents.headers["Content-Type"] == "application/cloudevents-batch+json"
    assert {event["type"] for event in cdevents.json} == {"dev.cdevents.incident.detected.0.3.0"}
    assert [asked.path for asked in datadog] == ["/api/v2/dora/incident"] * 2


def test_what_datadog_refused_is_told_again_with_what_came_meanwhile(tmp_path: Path) -> None:
    made, answers = store(1), iter([202, 202, 503, 202, 202, 202])
    with listening(lambda asked: Reply(next(answers))) as server:
        assert forwarder(made, server.address, tmp_path, "datadog").step() == 1
        made.commit({}, [Draft(9.0, "incident_opened", "s"), Draft(9.0, "incident_opened", "s")])
        again = forwarder(made, server.address, tmp_path, "datadog")
        with pytest.raises(NotForwarded, match="503"):
            again.step()
        made.commit({}, [Draft(9.0, "incident_opened", "s")])
        assert again.step() == 3
    names = [asked.json["data"]["attributes"]["name"] for asked in server.asked]
    assert names == ["1", "2", "3", "2", "3", "4"]


def test_a_cursor_that_makes_no_sense_is_not_taken_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "cursor").write_text("{}")
    with pytest.raises(UsageError, match="how far entries were sent"):
        forwarder(store(1), "http://127.0.0.1:1", tmp_path)


@pytest.mark.parametrize(
    ("url", "path", "wanted"),
    [
        ("http://c:4318", "/v1/logs", "http://c:4318/v1/logs"),
        ("http://c:4318/", "/v1/logs", "http://c:4318/v1/logs"),
        ("http://c/otlp/v1/logs", "/v1/logs", "http://c/otlp/v1/logs"),
        ("http://c/hook?x=1", "", "http://c/hook?x=1"),
    ],
)
def test_an_address_keeps_what_it_has(url: str, path: str, wanted: str) -> None:
    assert address(url, path) == wanted
