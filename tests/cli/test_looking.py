"""`get`, `status`, `why`, `record`: what is looked at, in every form, once and again and again."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML

from davy.cli.entries import entry_line, instant, sentence
from davy.cli.paint import plain
from davy.control import requests, views
from davy.ledger.entry import Entry
from davy.testing.scripted import Scripted

GOLDEN = Path(__file__).parent / "golden"


def change(shelf: Any, **changes: Any) -> None:
    shelf.rollouts["payments"] = msgspec.structs.replace(shelf.rollouts["payments"], **changes)


def interrupt(_waits: int) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "words",
    [["rollout", "payments"], ["ro", "payments"], ["rollout/payments"], ["rollouts.argoproj.io/payments"]],
)
def test_a_rollout_is_drawn_whatever_its_kind_is_called(run: Any, engine: Scripted, words: list[str]) -> None:
    ran = run("get", *words)
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert ran.stdout == (GOLDEN / "payments.tree.txt").read_text()


@pytest.mark.parametrize(("form", "golden"), [("wide", "payments.wide.txt"), ("tree", "payments.tree.txt")])
def test_a_rollout_is_drawn_in_the_form_that_was_asked_for(
    run: Any, engine: Scripted, form: str, golden: str
) -> None:
    assert run("get", "rollout", "payments", "-o", form).stdout == (GOLDEN / golden).read_text()


def test_words_instead_of_symbols(run: Any, engine: Scripted) -> None:
    assert run("get", "rollout", "payments", "--ascii").stdout == (GOLDEN / "payments.ascii.txt").read_text()


def test_data_is_the_view_as_it_came(run: Any, engine: Scripted, shelf: Any) -> None:
    as_json = json.loads(run("get", "rollout", "payments", "-o", "json").stdout)
    as_yaml = YAML(typ="safe").load(StringIO(run("get", "rollout", "payments", "-o", "yaml").stdout))
    assert as_json == as_yaml
    assert list(as_json)[:2] == ["apiVersion", "kind"]
    assert (as_json["apiVersion"], as_json["kind"]) == ("davy.dev/v1alpha1", "RolloutView")
    assert msgspec.convert(as_json, views.RolloutView) == shelf.rollouts["payments"]


def test_names_are_ready_for_the_next_command(run: Any, engine: Scripted) -> None:
    assert run("get", "rollouts", "-o", "name").stdout == "rollout/payments\n"
    assert run("get", "rollout", "payments", "-o", "name").stdout == "rollout/payments\n"


def test_the_manifest_is_yaml(run: Any, engine: Scripted) -> None:
    assert run("get", "ro", "payments", "-o", "manifest").stdout == "kind: Rollout\nspec:\n  replicas: 3\n"


def test_a_list_is_a_table_and_data(run: Any, engine: Scripted) -> None:
    lines = run("get", "rollouts").stdout.splitlines()
    assert lines[0].startswith("NAME      STRATEGY  STATUS  STEP")
    assert lines[1].startswith("payments  Canary    Paused  2/4 ")
    assert run("get", "rollouts", "-A", "-o", "wide").stdout.splitlines()[1].startswith("default    payments")
    listed = json.loads(run("get", "rollouts", "-o", "json").stdout)
    assert (listed["kind"], [item["name"] for item in listed["items"]]) == ("RolloutList", ["payments"])


def test_an_empty_list_is_said_to_the_person_and_no_data(run: Any, engine: Scripted, shelf: Any) -> None:
    shelf.rollouts.clear()
    ran = run("get", "rollouts")
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert ran.stderr == 'there are no rollouts in namespace "default"; davy apply -f FILE makes one\n'
    assert "in any namespace" in run("get", "rollouts", "-A").stderr


def test_a_watch_that_is_no_terminal_prints_a_line_a_change(
    run: Any, engine: Scripted, shelf: Any, waiting: Any
) -> None:
    def then(waits: int) -> None:
        if waits == 2:
            change(shelf, age_s=999.0, paused_for_s=20.0)
        if waits == 3:
            change(shelf, status="Progressing", message="", step=3, actual_weight=50)
        if waits == 5:
            raise KeyboardInterrupt

    waiting.then = then
    ran = run("get", "rollout", "payments", "--watch")
    assert ran.exit_code == 130
    assert ran.stdout == (
        "payments  Paused  step 2/4  weight 5  65fb5ffc84-3-1 Failed  CanaryPauseStep\n"
        "payments  Progressing  step 3/4  weight 50  65fb5ffc84-3-1 Failed\n"
    )
    assert ran.stderr == '\nno longer watching; rollout "payments" goes on\n'


@pytest.mark.parametrize("words", [("get", "rollout", "payments", "-w"), ("status", "payments", "-w")])
def test_a_second_less_to_wait_is_no_change(
    run: Any, engine: Scripted, shelf: Any, waiting: Any, words: tuple[str, ...]
) -> None:
    def later(waits: int) -> None:
        if waits == 4:
            raise KeyboardInterrupt
        change(shelf, message="baked" if waits == 3 else f"baking for another {90 - waits} s")

    change(shelf, message="baking for another 90 s")
    waiting.then = later
    told = run(*words).stdout.splitlines()
    assert ["90 s" in line for line in told] == [True, False]
    assert told[1].endswith("baked")


def test_a_watch_as_json_is_a_document_a_line(run: Any, engine: Scripted, shelf: Any, waiting: Any) -> None:
    def then(waits: int) -> None:
        change(shelf, step=3)
        if waits == 2:
            raise KeyboardInterrupt

    waiting.then = then
    ran = run("get", "rollout", "payments", "-w", "-o", "json")
    assert [json.loads(line)["step"] for line in ran.stdout.splitlines()] == [2, 3]


def test_a_list_can_be_watched(run: Any, engine: Scripted, waiting: Any) -> None:
    waiting.then = interrupt
    ran = run("get", "rollouts", "-w")
    assert (ran.exit_code, len(ran.stdout.splitlines())) == (130, 1)


def test_a_watch_ends_when_the_engine_does(run: Any, engine: Scripted, shelf: Any, waiting: Any) -> None:
    waiting.then = lambda _waits: shelf.rollouts.clear()
    ran = run("get", "rollout", "payments", "-w")
    assert ran.exit_code == 2
    assert "not found" in ran.stderr


@pytest.mark.parametrize(
    ("status", "message", "code", "out", "err"),
    [
        ("Healthy", "", 0, "Healthy\n", ""),
        ("Paused", "CanaryPauseStep", 8, "Paused - CanaryPauseStep\n", "error[pending]: "),
        ("Progressing", "more replicas need to be updated", 8, "Progressing - more", "error[pending]: "),
        (
            "Degraded", "RolloutAborted: bad", 1, "Degraded - RolloutAborted: bad\n",
            "error[refused]: The rollout is in a degraded state with message: RolloutAborted: bad\n",
        ),
    ],
)  # fmt: skip
def test_status_is_an_exit_code(
    run: Any, engine: Scripted, shelf: Any, status: str, message: str, code: int, out: str, err: str
) -> None:
    change(shelf, status=status, message=message)
    ran = run("status", "payments")
    assert ran.exit_code == code
    assert ran.stdout.startswith(out)
    assert ran.stderr.startswith(err)


def test_status_as_data_has_the_same_exit_code(run: Any, engine: Scripted) -> None:
    ran = run("status", "payments", "-o", "json")
    assert (ran.exit_code, json.loads(ran.stdout)["status"]) == (8, "Paused")


@pytest.mark.parametrize(("end", "code"), [("Healthy", 0), ("Degraded", 1)])
def test_status_waits_until_it_is_done(
    run: Any, engine: Scripted, shelf: Any, waiting: Any, end: str, code: int
) -> None:
    def then(waits: int) -> None:
        if waits == 2:
            change(shelf, status="Progressing", message="")
        if waits == 3:
            change(shelf, status=end)

    waiting.then = then
    ran = run("status", "rollout/payments", "-w", "--timeout", "10m")
    assert (ran.exit_code, waiting.waits) == (code, 3)
    assert ran.stdout == f"Paused - CanaryPauseStep\nProgressing\n{end}\n"


def test_status_waits_no_longer_than_it_may(run: Any, engine: Scripted, waiting: Any) -> None:
    ran = run("status", "payments", "--watch", "--timeout", "1m0.25s")
    assert (ran.exit_code, waiting.seconds) == (9, 60.25)
    assert ran.stdout == "Paused - CanaryPauseStep\n"
    assert ran.stderr.startswith("error[timed-out]: not finished within 60.25 s\n")


def test_leaving_a_status_changes_nothing(run: Any, engine: Scripted, waiting: Any) -> None:
    waiting.then = interrupt
    ran = run("status", "payments", "--watch")
    assert ran.exit_code == 130
    assert 'rollout "payments" goes on' in ran.stderr
    assert {type(request) for request, _ in engine.asked} == {requests.Get}


ENTRIES = [
    Entry(1, 0.0, "engine_started", "Engine davy", "davy", "", {"version": "0.1.0", "rollouts": 0}),
    Entry(
        2, 1.5, "human_action", "Rollout default/payments", "ada (uid 1000)", "it smells", {"action": "abort"}
    ),
]


def test_why_is_a_sentence_and_what_it_rests_on(run: Any, engine: Scripted, shelf: Any) -> None:
    shelf.entries = ENTRIES
    assert run("why", "payments").stdout == (
        "payments waits for a person\n"
        "\nevidence\n  error-ratio: 0.01\n"
        "\nrecord\n"
        "  #1  1970-01-01T00:00:00.000Z  engine_started  Engine davy  davy 0.1.0 is up with 0 rollouts\n"
        "  #2  1970-01-01T00:00:01.500Z  human_action  Rollout default/payments  abort  "
        "by ada (uid 1000): it smells\n"
    )
    assert json.loads(run("why", "payments", "-o", "json").stdout)["kind"] == "WhyView"


def test_the_record_is_read_page_by_page(run: Any, engine: Scripted, shelf: Any) -> None:
    shelf.entries = [msgspec.structs.replace(ENTRIES[1], seq=number) for number in range(1, 2502)]
    assert len(run("record").stdout.splitlines()) == 2501
    assert len(run("record", "payments", "--after", "2400").stdout.splitlines()) == 101
    assert len(json.loads(run("record", "payments", "-o", "json").stdout)["entries"]) == 2501
    pages = {request for request, _ in engine.asked if isinstance(request, requests.Record)}
    assert requests.Record("", "", 2000, 1000) in pages
    assert requests.Record("default", "payments", 2400, 1000) in pages


def test_an_empty_record_is_said_to_the_person(run: Any, engine: Scripted) -> None:
    ran = run("record")
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "", "there are no entries\n")
    assert run("record", "paymants", "--after", "7").stderr == (
        'there are no entries about rollout "paymants" in namespace "default" after #7\n'
    )


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_record_can_be_followed(run: Any, engine: Scripted, shelf: Any, waiting: Any, form: str) -> None:
    shelf.entries = ENTRIES[:1]

    def then(waits: int) -> None:
        if waits == 2:
            shelf.entries = ENTRIES
        if waits == 4:
            raise KeyboardInterrupt

    waiting.then = then
    ran = run("record", "-f", "-o", form)
    assert (ran.exit_code, len(ran.stdout.splitlines())) == (130, 2)
    if form == "json":
        assert [json.loads(line)["seq"] for line in ran.stdout.splitlines()] == [1, 2]
    assert "the record goes on" in ran.stderr


@pytest.mark.parametrize(
    ("kind", "detail", "says"),
    [
        ("update_started", {"revision": 2, "images": ["a", "b"], "attempt": 1}, "revision 2 (a, b) begins"),
        ("update_started", {"revision": 2, "images": ["a"], "attempt": 3}, "revision 2 (a) begins, attempt 3"),
        ("paused", {"seconds": 120.0, "step": 1}, "waits for 120 s"),
        ("paused", {"seconds": None, "step": 1}, "waits for a person"),
        ("paused", {"reason": "no data", "step": 1}, "waits for a person: no data"),
        (
            "change_rolled_back", {"revision": 2, "weight": 5, "cause": "", "step": 1},
            "revision 2 is taken back from weight 5: a person asked for it",
        ),
        ("step_completed", {"revision": 2, "step": 0, "of": 4, "what": "setWeight: 5"},
         "revision 2 is done with step 1/4 (setWeight: 5)"),
        ("human_action", {"action": "set image", "images": {"app": "a:2"}}, 'set image images={"app": "a:2"}'),
        ("analysis_started", {"run": "r-1", "metrics": [{"name": "a"}, {"name": "b"}, 7]}, "r-1 measures a, b"),
        ("analysis_started", {"run": "r-1"}, "r-1 measures nothing"),
        (
            "analysis_finished", {"run": "r-1", "phase": "Failed", "sentence": "a is over 1", "metrics": []},
            "r-1 is Failed: a is over 1",
        ),
        ("object_applied", {}, ""),
        ("weight_set", {"unforeseen": [1]}, "unforeseen=[1]"),
        ("made_up", {"x": "y"}, "x=y"),
    ],
)  # fmt: skip
def test_entries_are_sentences(kind: str, detail: dict[str, object], says: str) -> None:
    assert sentence(kind, detail) == says
    entry = Entry(1, 0.0, kind, "Rollout default/payments", "davy", "", detail)
    assert plain(entry_line(entry)).endswith(f"Rollout default/payments  {says}" if says else "payments")


def test_times_that_no_calendar_has_are_shown_all_the_same() -> None:
    assert instant(1e30) == "@1e+30"


def test_the_version_is_told_with_and_without_an_engine(run: Any, home: Path) -> None:
    ran = run("version")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert "engine  none: no engine listens at" in ran.stdout
    without = json.loads(run("version", "-o", "json").stdout)
    assert (without["kind"], without["engine"]) == ("VersionView", None)


def test_the_engine_says_its_version(run: Any, engine: Scripted) -> None:
    assert "engine  9.9  pid 7  speed 1  rollouts 1\n" in run("version").stdout
