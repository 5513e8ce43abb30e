"""The edge: every way to end is an exit code and a line, never a traceback."""

from pathlib import Path
from typing import Any

import click
import pytest

from davy.cli import program as edge
from davy.cli.program import COMMANDS, program
from davy.cli.setting import Setting, default_home
from davy.errors import UsageError
from davy.testing.scripted import Scripted

NAMED = [
    ["get", "rollout"],
    ["status"],
    ["why"],
    ["promote", "--reason", "x"],
    ["pause"],
    ["resume"],
    ["abort", "--reason", "x"],
    ["retry"],
    ["retry", "rollout"],
]


@pytest.mark.parametrize("verb", [*NAMED, ["set", "image"]], ids=" ".join)
def test_every_verb_on_a_missing_name_says_so_once(run: Any, engine: Scripted, verb: list[str]) -> None:
    ran = run(*verb, "nope", *(["app=app:2"] if verb[0] == "set" else []))
    assert ran.exit_code == 2
    assert ran.stdout == ""
    assert ran.stderr == (
        'error[not-found]: rollout "nope" not found in namespace "default"\n  hint: known there: payments\n'
    )


@pytest.mark.parametrize("verb", [*NAMED, ["set", "image"]], ids=" ".join)
def test_every_verb_without_an_engine_could_not_decide(run: Any, verb: list[str], home: Path) -> None:
    ran = run(*verb, "payments", *(["app=app:2"] if verb[0] == "set" else []))
    assert ran.exit_code == 3
    assert ran.stderr == (
        f"error[no-engine]: no engine listens at {home}/davy.sock\n  hint: davy up starts one\n"
    )


@pytest.mark.parametrize("verb", [["get", "rollouts"], ["record"]])
def test_lists_without_an_engine_could_not_decide(run: Any, verb: list[str]) -> None:
    assert run(*verb).exit_code == 3


@pytest.mark.parametrize("verb", NAMED, ids=" ".join)
@pytest.mark.parametrize("name", ["pod/x", "rollout/", ""])
def test_a_name_that_is_none_is_refused(run: Any, engine: Scripted, verb: list[str], name: str) -> None:
    ran = run(*verb, name)
    assert ran.exit_code == 2
    assert ran.stderr.startswith("error[usage]: ")
    assert engine.asked == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["statsu"], "there is no command 'statsu'; did you mean status"),
        (["zzzzz"], "there is no command 'zzzzz'\n"),
        (["lint", "-f", "x"], "there is no command 'lint'; there is davy check\n"),
        (["terminate", "analysisrun", "x"], "there is davy abort, which ends an update with all its runs"),
        (["rollback", "x"], "there is davy undo"),
        (["get"], "Missing argument"),
        (["get", "pods"], "there is nothing called 'pods' to get"),
        (["get", "rollout", "a", "b"], "one name at a time"),
        (["get", "rollout/a", "b"], "one name at a time"),
        (["get", "rollout", "a", "-A"], "--all-namespaces"),
        (["get", "rollout", "a", "-o", "xml"], "xml"),
        (["retry", "a", "b"], "one name at a time"),
        (["--frobnicate"], "--frobnicate"),
        (["abort", "x", "--force"], "--force"),
        (["set", "image", "x", "y"], "'y' is not CONTAINER=IMAGE"),
        (["set", "image", "x", "=y"], "'=y' is not CONTAINER=IMAGE"),
        (["set", "image", "x", "a=b", "a=c"], "container 'a' is named twice"),
        (["status", "x", "--timeout", "10m"], "--timeout is for waiting"),
        (["status", "x", "-w", "--timeout", "soon"], "invalid duration"),
        (["status", "x", "-w", "--timeout", "-1s"], "more than nothing"),
        (["get", "rollout", "x", "-w", "-o", "manifest"], "cannot be watched"),
        (["get", "rollouts", "-o", "manifest"], "wants one rollout"),
    ],
)
def test_what_makes_no_sense_is_exit_2_and_one_line(run: Any, arguments: list[str], says: str) -> None:
    ran = run(*arguments)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error[usage]: ")
    assert says in ran.stderr
    assert len(ran.stderr.splitlines()) <= 2


def test_without_arguments_it_helps(run: Any) -> None:
    ran = run()
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "Commands" not in ran.stderr
    assert "Rollouts:" in ran.stderr


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"demo", "up", "down"}))
def test_every_command_says_what_it_is_for(run: Any, name: str) -> None:
    ran = run(name, "--help")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"Usage: davy {name}")


@pytest.mark.parametrize(
    ("arguments", "namespace"),
    [
        (["get", "rollouts"], "default"),
        (["-n", "prod", "get", "rollouts"], "prod"),
        (["get", "rollouts", "-n", "prod"], "prod"),
        (["-n", "staging", "get", "rollouts", "--namespace", "prod"], "prod"),
        (["get", "ro", "-A"], ""),
    ],
)
def test_the_namespace_may_stand_before_or_behind(
    run: Any, engine: Scripted, arguments: list[str], namespace: str
) -> None:
    assert run(*arguments).exit_code == 0
    [(request, _)] = engine.asked
    assert getattr(request, "namespace", None) == namespace


def test_the_environment_names_a_namespace(run: Any, engine: Scripted) -> None:
    assert run("get", "rollouts", env={"DAVY_NAMESPACE": "prod"}).exit_code == 0
    assert getattr(engine.asked[0][0], "namespace", None) == "prod"


def test_the_state_directory_may_be_named_behind_the_command(run: Any, engine: Scripted, home: Path) -> None:
    ran = run("get", "rollouts", "--home", str(home), env={"DAVY_HOME": "/nowhere"})
    assert ran.exit_code == 0


@pytest.mark.parametrize(
    ("environment", "directory"),
    [
        ({"XDG_STATE_HOME": "/x"}, Path("/x/davy")),
        ({"XDG_STATE_HOME": ""}, Path.home() / ".local/state/davy"),
        ({}, Path.home() / ".local/state/davy"),
    ],
)
def test_state_is_kept_where_the_desktop_says(environment: dict[str, str], directory: Path) -> None:
    assert default_home(environment) == directory


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(UsageError, match="no home directory"):
        default_home({})


@pytest.mark.parametrize(
    ("color", "environment", "colored"),
    [
        ("auto", {}, None),
        ("auto", {"NO_COLOR": "1"}, False),
        ("auto", {"NO_COLOR": ""}, None),
        ("auto", {"CLICOLOR_FORCE": "1"}, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, None),
        ("auto", {"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False),
        ("auto", {"TERM": "dumb"}, False),
        ("always", {"NO_COLOR": "1"}, True),
        ("never", {"CLICOLOR_FORCE": "1"}, False),
    ],
)
def test_colour_is_wanted_or_not(color: str, environment: dict[str, str], colored: bool | None) -> None:
    assert Setting(Path(), color=color, environment=environment).colored is colored


@pytest.mark.parametrize(
    ("arguments", "env", "colored"),
    [
        (["get", "rollouts"], {}, False),
        (["get", "rollouts"], {"CLICOLOR_FORCE": "1"}, True),
        (["get", "rollouts", "--color", "always"], {}, True),
        (["--color", "always", "get", "rollouts"], {}, True),
        (["--color", "always", "get", "rollouts", "--color", "never"], {}, False),
        (["get", "rollout", "nope", "--color", "always"], {}, True),
        (["--color", "always", "get", "rollout", "nope"], {}, True),
    ],
)
def test_colour_is_printed_or_not(
    run: Any, engine: Scripted, arguments: list[str], env: dict[str, str], colored: bool
) -> None:
    ran = run(*arguments, env=env)
    assert ("\x1b[" in ran.stdout + ran.stderr) is colored


def test_our_own_fault_is_a_line_and_a_report(run: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = click.Command("get", callback=lambda: 1 // 0)
    monkeypatch.setattr(edge, "import_module", lambda _name: type("Module", (), {"command": broken}))
    ran = run("get")
    [report] = (home / "reports").iterdir()
    assert ran.exit_code == 70
    assert ran.stderr == (
        "error[bug]: a fault of Davy itself: ZeroDivisionError: integer division or modulo by zero\n"
        f"  hint: the report to send us is {report}\n"
    )
    assert "Traceback" in report.read_text()
    assert "davy get" in report.read_text()
    assert "Traceback" in run("get", env={"DAVY_DEBUG": "1"}).stderr
    assert "Traceback" not in run("get", env={"DAVY_DEBUG": "0"}).stderr


def test_errors_of_the_engine_cannot_move_the_cursor(run: Any, engine: Scripted) -> None:
    ran = run("get", "rollout", "evil\x1b[2J")
    assert ran.exit_code == 2
    assert "\x1b" not in ran.stderr


def test_a_shell_can_ask_for_completions(home: Path) -> None:
    from click.testing import CliRunner

    environment = {"_DAVY_COMPLETE": "bash_complete", "COMP_WORDS": "davy pro", "COMP_CWORD": "1"}
    setting = Setting(home, environment=environment)
    ran = CliRunner().invoke(program, [], obj=setting, env=environment)
    assert (ran.exit_code, ran.stdout) == (0, "plain,promote\n")
