"""`davy drill`: a world told to a person, the same bytes every time, and exit 1 when something is broken."""

import json
from typing import Any

import pytest
from tests.sim.mutations import unknown_counts_as_passed


def test_a_world_is_told_and_told_the_same_again(run: Any) -> None:
    told = run("drill", "--seed", "24")
    assert told.exit_code == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0].startswith("world 24: ")
    assert lines[1].startswith("faults: ")
    assert lines[3].startswith("  00:00:00.0  ")
    assert any(" is released" in line or "somebody releases" in line for line in lines)
    assert lines[-1].startswith("every invariant held: ")
    assert run("drill", "--seed", "24").stdout == told.stdout
    assert run("drill", "--seed", "25").stdout != told.stdout


def test_with_verbose_every_call_is_told(run: Any) -> None:
    assert "call     platform.steer" in run("drill", "--verbose").stdout
    assert "call     platform.steer" not in run("drill").stdout


def test_faults_can_be_left_out(run: Any) -> None:
    assert run("drill", "--seed", "24", "--faults", "none").stdout.splitlines()[1] == "faults: none"
    assert run("drill", "--seed", "24", "--faults", "store,stall").exit_code == 0


def test_a_report_is_data(run: Any) -> None:
    report = json.loads(run("drill", "--seed", "3", "-o", "json").stdout)
    assert (report["kind"], report["seed"], report["broken"]) == ("DrillReport", 3, None)
    assert report["apiVersion"] == "davy.dev/v1alpha1"
    assert report["endings"]
    assert report["story"][0]["tone"] == "entry"


def test_many_worlds_are_counted(run: Any) -> None:
    played = run("drill", "--worlds", "3", "--from", "7")
    assert played.exit_code == 0
    assert played.stdout.startswith("3 worlds from seed 7: ")
    assert played.stdout.endswith("broken: none\n")
    counted = json.loads(run("drill", "--worlds", "2", "-o", "json").stdout)
    assert (counted["kind"], counted["apiVersion"]) == ("DrillCampaign", "davy.dev/v1alpha1")
    assert (counted["worlds"], counted["broken"]) == (2, [])


def test_a_broken_invariant_is_explained_and_exits_1(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown_counts_as_passed(monkeypatch)
    told = run("drill", "--seed", "2")
    assert told.exit_code == 1
    lines = told.stdout.splitlines()
    assert lines[-3].startswith("broken at 00:")
    assert lines[-3].endswith(": traffic grows only on passed evidence")
    assert lines[-2].startswith("  promised: The share of a new version grows only")
    assert lines[-1].startswith("  instead:  ")
    assert "error[refused]: world 2 breaks an invariant" in told.stderr

    played = run("drill", "--worlds", "2")
    assert played.exit_code == 1
    assert "world 2: traffic grows only on passed evidence: " in played.stderr
    assert played.stderr.endswith("hint: davy drill --seed 2\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--seed", "1", "--worlds", "2"], "--seed tells one world"),
        (["--from", "2"], "--from is where --worlds begins"),
        (["--faults", "rain"], "there is no fault 'rain'"),
        (["--worlds", "0"], "0 is not in the range"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Any, arguments: list[str], says: str) -> None:
    ran = run("drill", *arguments)
    assert ran.exit_code == 2
    assert says in ran.stderr
