"""`davy dora`: figures of a file of events, in every form, and what is refused."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "delivery" / "events.jsonl"


def dora(run: Any, *words: str) -> Any:
    return run("dora", "--events", str(EXAMPLE), *words)


def test_a_table_has_each_figure_with_what_it_rests_on(run: Any) -> None:
    ran = dora(run, "--by", "week")
    assert (ran.exit_code, ran.stderr) == (0, "")
    for line in (
        "Delivery metrics of production: 2026-03-02 to 2026-03-11 (9 days, provisional)",
        "  cfr_escaped        50.0 %   1 of 2; 95 % between 9.5 % and 90.5 %",
        "    exposed attempts that failed once promoted, or caused an incident / exposed attempts",
        "  impaired               15 min",
        "  pay  i2  since 2026-03-10T10:10:00Z  open for 0 s",
        "  2026-03-02  100.0 %",
        "  attempts that used a waiver, of 2: 1",
    ):
        assert line in ran.stdout


def test_json_is_the_same_bytes_whatever_the_order_of_lines(run: Any, tmp_path: Path) -> None:
    turned = tmp_path / "turned.jsonl"
    turned.write_text("\n".join(reversed(EXAMPLE.read_text().splitlines() * 2)))
    ran, other = dora(run, "-o", "json"), run("dora", "--events", str(turned), "-o", "json")
    assert ran.stdout == other.stdout
    found = json.loads(ran.stdout)
    assert (found["kind"], found["figures"]["cfr_seed"]["value"]) == ("DeliveryMetrics", 1.0)
    assert found["figures"]["dora_lead"]["p50"] == 90000


def test_csv_has_a_row_for_each_group_and_figure(run: Any) -> None:
    found = list(csv.DictReader(dora(run, "-o", "csv", "--by", "service").stdout.splitlines()))
    (lead,) = [row for row in found if (row["group"], row["figure"]) == ("pay", "lead_time")]
    assert (lead["n"], lead["p50"], lead["tooSmall"]) == ("2", "3600", "true")


def test_what_is_behind_a_figure_is_told_event_by_event(run: Any) -> None:
    ran = dora(run, "--explain", "mttr")
    assert [line.split() for line in ran.stdout.splitlines() if "#" in line] == [
        ["#3", "2026-03-02T10:00:00Z", "exposed", "acme/pay@a", "on", "pay"],
        ["#4", "2026-03-02T11:00:00Z", "promoted", "acme/pay@a", "on", "pay"],
        ["#5", "2026-03-02T11:30:00Z", "opened", "pay"],
        ["#6", "2026-03-02T11:45:00Z", "restored", "pay"],
    ]
    cases = json.loads(dora(run, "--explain", "lead_time", "-o", "json").stdout)["cases"]
    assert [case["seconds"] for case in cases] == [3600.0, 3600.0]


@pytest.mark.parametrize(
    ("words", "window"),
    [
        (["--since", "2026-03-03", "--until", "2026-03-04"], ("2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z")),
        (["--since", "1d"], ("2026-03-09T10:10:00Z", "2026-03-11T00:00:00Z")),
        (["--since", "2026-03-03T01:00:00+01:00"], ("2026-03-03T00:00:00Z", "2026-03-11T00:00:00Z")),
    ],
)
def test_a_window_is_what_was_asked_for(run: Any, words: list[str], window: tuple[str, str]) -> None:
    found = json.loads(dora(run, *words, "-o", "json").stdout)["window"]
    assert (found["since"], found["until"]) == window


def test_of_nothing_the_figures_are_null(run: Any, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    ran = run("dora", "--events", str(empty), "-o", "json")
    assert ran.exit_code == 0
    assert json.loads(ran.stdout)["figures"]["cfr_seed"] == {
        "unit": "ratio",
        "value": None,
        "numerator": 0,
        "denominator": 0,
        "n": 0,
        "low": None,
        "high": None,
        "tooSmall": True,
    }


def test_every_bad_line_is_told_and_nothing_is_computed(run: Any, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text(EXAMPLE.read_text() + "{}\n\n[]\n")
    ran = run("dora", "--events", str(bad))
    assert (ran.exit_code, ran.stdout) == (2, "")
    told = ran.stderr.splitlines()
    assert [line.partition(": ")[0] for line in told[:2]] == [f"{bad}:11", f"{bad}:13"]
    assert told[2] == f"error[usage]: {bad}: 2 lines are no events, so nothing was computed"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["--service", "card"],
            "error[not-found]: no event is of service 'card'\n  hint: the services are: pay",
        ),
        (["--since", "yesterday"], "error[usage]: --since yesterday: an instant is written as"),
        (["--until", "30d"], "error[usage]: --until 30d: "),
        (["--since", "2026-03-04", "--until", "2026-03-03"], "error[usage]: the window ends before it begins"),
        (["--explain", "cfr"], "error[not-found]: there is no figure 'cfr'"),
        (["--explain", "cfr_seed", "--by", "week"], "error[usage]: --explain is of the figure of everything"),
        (["--teams", "nowhere.yaml"], "error[usage]: nowhere.yaml cannot be read"),
        (
            ["--events", "nowhere.jsonl"],
            "error[usage]: nowhere.jsonl cannot be read: No such file or directory",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(run: Any, words: list[str], told: str) -> None:
    ran = dora(run, *words)
    assert ran.exit_code == 2
    assert ran.stderr.startswith(told)


def test_a_file_of_teams_says_whose_a_service_is(run: Any, tmp_path: Path) -> None:
    teams = tmp_path / "teams.yaml"
    teams.write_text("pay: checkout\n")
    found = json.loads(dora(run, "--by", "team", "--teams", str(teams), "-o", "json").stdout)
    assert [group["name"] for group in found["groups"]] == ["checkout"]
    teams.write_text("[pay]\n")
    assert "is no map of services to teams" in dora(run, "--by", "team", "--teams", str(teams)).stderr
