"""What leaves the ledger: CloudEvents, CDEvents and OTLP, each held to what its readers accept."""

import json
import re
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from davy.ledger.cdevents import STANDARD, cd_event
from davy.ledger.cloudevent import cloud_event, type_of
from davy.ledger.entry import FROM_OUTSIDE, KINDS, Draft, Entry, place
from davy.ledger.otlp import WARN, export_request

CHANGE = {"repo": "github.com/acme/payments", "commit": "c0ffee" * 6 + "c0ff"}
DETAIL: dict[str, Any] = {"change": CHANGE, "service": "payments", "weight": 5, "ratio": 0.25, "none": None}

DETAILS = st.dictionaries(
    st.sampled_from(["service", "change", "incident", "environment", "cause", "flag", "x"]),
    st.text(max_size=5)
    | st.integers(-5, 5)
    | st.booleans()
    | st.lists(st.none() | st.floats(0, 1), max_size=2),
    max_size=4,
)


def entry(kind: str, detail: dict[str, Any] | None = None, **more: Any) -> Entry:
    return place(Draft(1_700_000_000.25, kind, "Rollout prod/payments", detail or dict(DETAIL), **more), 7)


def test_an_entry_of_the_engine_is_an_event_of_the_ledger() -> None:
    assert cloud_event(entry("change_rolled_back"), "davy.example/7f") == {
        "specversion": "1.0",
        "id": "7",
        "source": "//davy.example/7f",
        "type": "dev.davy.change.rolled_back",
        "subject": "Rollout prod/payments",
        "time": "2023-11-14T22:13:20.250000Z",
        "datacontenttype": "application/json",
        "data": DETAIL,
        "davyledger": "davy.example/7f",
        "davyseq": 7,
        "davyactor": "davy",
    }


def test_an_entry_from_outside_keeps_its_name_and_says_how_it_came() -> None:
    found = cloud_event(
        entry(
            "change_merged",
            actor="ada",
            reason="because",
            source="//github.com/acme/payments",
            id="d-1",
            authenticated="hmac-sha256 (github)",
            received=1_700_000_001.0,
        ),
        "davy.example/7f",
    )
    assert (found["source"], found["id"]) == ("//github.com/acme/payments", "d-1")
    assert (found["davyactor"], found["davyreason"]) == ("ada", "because")
    assert found["davyauthenticated"] == "hmac-sha256 (github)"
    assert found["davyreceived"] == "2023-11-14T22:13:21.000000Z"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_a_type_of_its_own(kind: str) -> None:
    assert re.fullmatch(r"dev\.davy\.[a-z]+\.[a-z_]+", type_of(kind))
    assert len({type_of(each) for each in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_a_cdevent_standard_or_custom(kind: str) -> None:
    event = cd_event(entry(kind), "davy.example/7f")
    data = event["data"]
    assert event["type"] == data["context"]["type"]
    assert event["subject"] == data["subject"]["id"]
    assert event["time"] == data["context"]["timestamp"]
    standard = r"dev\.cdevents\.(change|service|incident)\.[a-z]+\.\d+\.\d+\.\d+"
    custom = r"dev\.cdeventsx\.davy-[a-z]+\.[a-z]+\.\d+\.\d+\.\d+"
    assert re.fullmatch(standard if kind in STANDARD else custom, event["type"])
    assert data["customData"]["detail"] == DETAIL


def test_cdevents_name_what_they_are_about() -> None:
    incident = {"service": "payments", "incident": "INC-7", "environment": "prod-eu", "cause": "5xx"}
    merged, opened, back = (
        cd_event(entry(*each, reason="why"), "o")["data"]["subject"]
        for each in (("change_merged", None), ("incident_opened", incident), ("change_rolled_back", None))
    )
    assert merged["id"] == f"github.com/acme/payments@{CHANGE['commit']}"
    assert merged["content"] == {"repository": {"id": "github.com/acme/payments"}}
    assert opened["id"] == "INC-7"
    assert opened["content"] == {
        "environment": {"id": "prod-eu"},
        "service": {"id": "payments"},
        "description": "5xx",
    }
    assert back["id"] == "payments"
    assert back["content"]["artifactId"] == f"pkg:generic/github.com/acme/payments@{CHANGE['commit']}"


def test_an_incident_that_says_little_is_still_one() -> None:
    unknown = cd_event(entry("change_rolled_back", {"x": 1}), "o")["data"]["subject"]
    assert unknown["content"]["artifactId"] == "pkg:generic/Rollout%20prod/payments@unknown"
    found = cd_event(entry("incident_restored", {"x": 1}), "o")["data"]["subject"]
    assert found["content"] == {"environment": {"id": "production"}}
    assert found["id"] == "Rollout prod/payments"


@given(st.lists(st.tuples(st.sampled_from(sorted(KINDS)), DETAILS), min_size=1, max_size=5))
def test_otlp_is_read_back_by_the_protocol_itself(told: list[tuple[str, dict[str, Any]]]) -> None:
    entries = [place(Draft(5.5, kind, "s", detail), seq) for seq, (kind, detail) in enumerate(told, 1)]
    written = json.dumps(export_request(entries, "o", "0.1.0"))
    read = json_format.Parse(written, ExportLogsServiceRequest())
    records = [
        record
        for resource in read.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]
    assert sorted(record.event_name for record in records) == sorted(type_of(each.kind) for each in entries)
    assert {record.time_unix_nano for record in records} == {5_500_000_000}


def test_otlp_finds_a_service_its_change_and_its_flag() -> None:
    detail = {**DETAIL, "environment": "prod-eu"}
    flag = {"flag": "payments.new-ledger", "service": "payments"}
    told = [
        entry("change_rolled_back", detail, reason="5xx", authenticated="engine", received=1_700_000_002.0),
        entry("flag_changed", flag),
        entry("engine_started", {"version": "1"}),
    ]
    request = export_request(told, "o", "0.1.0")
    davy, payments = request["resourceLogs"]
    assert davy["resource"]["attributes"][0] == {"key": "service.name", "value": {"stringValue": "davy"}}
    assert payments["resource"]["attributes"][2]["value"] == {"stringValue": "prod-eu"}
    back, toggled = payments["scopeLogs"][0]["logRecords"]
    assert back["severityNumber"] == WARN
    assert back["observedTimeUnixNano"] == "1700000002000000000"
    named = {each["key"]: each["value"] for each in back["attributes"] + toggled["attributes"]}
    assert named["vcs.ref.head.revision"] == {"stringValue": CHANGE["commit"]}
    assert named["davy.reason"] == {"stringValue": "5xx"}
    assert named["feature_flag.key"] == {"stringValue": "payments.new-ledger"}
    assert named["davy.ledger.seq"] == {"intValue": "7"}
    body = {each["key"]: each["value"] for each in back["body"]["kvlistValue"]["values"]}
    assert body["ratio"] == {"doubleValue": 0.25}
    assert body["none"] == {}


def test_what_others_say_is_told_from_what_an_engine_does() -> None:
    assert "change_exposed" not in FROM_OUTSIDE
    assert "incident_opened" in FROM_OUTSIDE
