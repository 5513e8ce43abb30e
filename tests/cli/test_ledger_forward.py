"""`davy ledger forward`: the entries of a real store, sent to a server that answers as it is told."""

from pathlib import Path

import pytest
from tests.adapters.listening import Listening, Reply, listening
from tests.cli.conftest import Run

from davy.adapters.sqlite import SqliteStore
from davy.ledger.entry import Draft

SECRET = "s3cret-that-nobody-is-shown"


@pytest.fixture
def store(home: Path) -> None:
    told = {"change": {"repo": "r", "commit": "c" * 40}, "service": "pay"}
    made = SqliteStore(home / "davy.db")
    made.append(
        [
            Draft(10.0, "change_exposed", "Service pay", told, source="ci", id="1"),
            Draft(20.0, "change_promoted", "Service pay", told, source="ci", id="2"),
        ]
    )
    made.close()


def paths(server: Listening) -> list[str]:
    return [asked.path for asked in server.asked]


@pytest.mark.usefixtures("store")
def test_opentelemetry_is_found_by_its_own_variables(run: Run) -> None:
    with listening(lambda asked: Reply()) as server:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": server.address,
            "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={SECRET},x=a%20b",
        }
        sent = run("ledger", "forward", "otlp", "--once", env=environment)
        again = run("ledger", "forward", "otlp", "--once", env=environment)
        anew = run("ledger", "forward", "otlp", "--once", "--after", "1", env=environment)
    assert (sent.exit_code, again.exit_code, anew.exit_code) == (0, 0, 0), sent.stderr
    assert "2 entries are there" in sent.stderr
    assert paths(server) == ["/v1/logs", "/v1/logs"]
    assert (server.asked[0].headers["api-key"], server.asked[0].headers["x"]) == (SECRET, "a b")
    records = [len(asked.json["resourceLogs"][0]["scopeLogs"][0]["logRecords"]) for asked in server.asked]
    assert records == [2, 1]


@pytest.mark.usefixtures("store")
def test_datadog_is_told_of_the_deployment(run: Run) -> None:
    with listening(lambda asked: Reply(202)) as server:
        done = run("ledger", "forward", "datadog", server.address, "--once", env={"DD_API_KEY": SECRET})
    assert done.exit_code == 0, done.stderr
    [asked] = server.asked
    assert (asked.path, asked.headers["DD-API-KEY"]) == ("/api/v2/dora/deployment", SECRET)
    told = asked.json["data"]["attributes"]
    assert (told["started_at"], told["finished_at"]) == (10_000_000_000, 20_000_000_000)


@pytest.mark.usefixtures("store")
def test_what_is_refused_is_told_without_the_key(run: Run) -> None:
    with listening(lambda asked: Reply(403)) as server:
        done = run(
            "ledger",
            "forward",
            "cloudevents",
            f"{server.address}/in",
            "--once",
            env={"DAVY_FORWARD_TOKEN": SECRET},
        )
    assert done.exit_code == 3
    assert "answered with 403" in done.stderr
    assert SECRET not in done.output + done.stderr
    assert server.asked[0].headers["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["otlp"], "nobody says where"),
        (["cdevents"], "nobody says where"),
        (["cloudevents", "ftp://x"], "is no address"),
        (["datadog"], "no key for Datadog"),
    ],
)
@pytest.mark.usefixtures("store")
def test_who_says_too_little_is_told_what_is_missing(run: Run, words: list[str], told: str) -> None:
    done = run("ledger", "forward", *words, "--once")
    assert done.exit_code == 2
    assert told in done.stderr


def test_a_ledger_that_is_not_there_is_not_made(run: Run, home: Path) -> None:
    done = run("ledger", "forward", "otlp", "http://127.0.0.1:9", "--once")
    assert done.exit_code == 2
    assert not (home / "davy.db").exists()
