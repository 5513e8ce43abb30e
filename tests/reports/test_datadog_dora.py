"""What Datadog is told of changes and incidents."""

from davy.reports.datadog_dora import DEPLOYMENT, INCIDENT, DatadogDora, Json
from davy.reports.event import ChangeEvent, EventType

SHA = "0123456789" * 4


def event(type_: EventType, time: int, **more: object) -> ChangeEvent:
    told = {"repo": "github.com/acme/payments", "commit": SHA, "service": "payments", **more}
    return ChangeEvent(source="s", id=f"{type_}{time}", type=type_, time=time, **told)  # type: ignore[arg-type]


def sent(*events: ChangeEvent) -> list[tuple[str, Json]]:
    return [(path, body["data"]["attributes"]) for path, body in DatadogDora().requests(events)]


def test_a_promotion_is_a_deployment_that_began_with_the_first_user() -> None:
    [(path, told)] = sent(event("exposed", 5), event("exposed", 7), event("promoted", 9, team="pay"))
    assert path == DEPLOYMENT
    assert (told["started_at"], told["finished_at"]) == (5000, 9000)
    assert told["git"] == {"commit_sha": SHA, "repository_url": "https://github.com/acme/payments"}
    assert (told["service"], told["env"], told["team"]) == ("payments", "production", "pay")


def test_a_rollback_is_a_deployment_and_an_incident() -> None:
    one, other = sent(event("exposed", 5), event("rolled_back", 9, cause="error-rate"))
    assert (one[0], other[0]) == (DEPLOYMENT, INCIDENT)
    assert other[1]["services"] == ["payments"]
    assert (other[1]["started_at"], other[1]["finished_at"]) == (5000, 9000)
    assert other[1]["name"] == "error-rate"


def test_an_incident_is_one_when_it_is_sent_again_with_its_end() -> None:
    alarm = {"repo": "", "commit": "", "incident": "INC-1"}
    (_, first), (_, second) = sent(event("opened", 5, **alarm), event("restored", 9, **alarm))
    assert first["id"] == second["id"]
    assert "finished_at" not in first
    assert second["finished_at"] == 9000
    assert "git" not in second


def test_what_no_user_met_and_what_is_no_commit_is_not_made_up() -> None:
    told = sent(
        event("exposed", 1, audience="internal"), event("created", 2), event("promoted", 9, commit="v1")
    )
    assert told[0][1]["started_at"] == 9000
    assert "git" not in told[0][1]
