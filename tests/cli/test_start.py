"""Starting up: what a command imports, and what a shell sees of it; each of these is a process of its own."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from davy import __version__
from davy.cli.program import COMMANDS
from davy.testing.patience import until
from davy.testing.scripted import Scripted

HEAVY = {"rich", "msgspec", "ruamel", "promql_parser", "re2", "asyncio", "sqlite3", "subprocess"}
UNNEEDED = {"yaml", "ruamel", "click", "rich", "duckdb", "tree_sitter"}
"""What an application that reads flags does without."""

DAVY = [sys.executable, "-W", "error", "-m", "davy"]


def modules(*arguments: str) -> set[str]:
    """Run the command line and return the first names of all that it imported."""
    script = (
        "import sys, json, davy.cli\n"
        f"sys.argv = ['davy', *{list(arguments)!r}]\n"
        "try:\n    davy.cli.main()\n"
        "except SystemExit as leaving:\n    assert not leaving.code, leaving.code\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})), file=sys.stderr)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(ran.stderr.splitlines()[-1]))


def davy(home: Path, *arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "DAVY_HOME": str(home), **dict(options.pop("env", {}))}  # type: ignore[call-overload]
    settings = {"capture_output": True, "text": True, "env": environment, "timeout": 60, **options}
    return subprocess.run([*DAVY, *arguments], check=False, **settings)  # type: ignore[call-overload, no-any-return]


def test_the_version_costs_next_to_nothing() -> None:
    assert not modules("--version") & {*HEAVY, "click"}


@pytest.mark.parametrize("module", ["davy.openfeature", "davy.flags"])
def test_an_application_imports_little_with_its_flags(module: str) -> None:
    script = f"import sys, json, {module}\nprint(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    found = json.loads(ran.stdout)
    assert module in found
    assert not {name.partition(".")[0] for name in found} & UNNEEDED
    assert not [name for name in found if name.startswith("opentelemetry.sdk")]


@pytest.mark.parametrize("arguments", [("--help",), ("-n", "x", "--help"), ("--color", "never", "--version")])
def test_help_imports_nothing_that_it_does_not_need(arguments: tuple[str, ...]) -> None:
    assert not modules(*arguments) & HEAVY


def test_help_names_every_command(home: Path) -> None:
    ran = davy(home, "--help")
    assert ran.returncode == 0
    listed = {line.split()[0] for line in ran.stdout.splitlines() if line.startswith("  ") and line.split()}
    assert set(COMMANDS) <= listed


def test_an_action_does_without_what_draws_and_parses(home: Path, engine: Scripted) -> None:
    found = modules("--home", str(home), "get", "rollout", "payments")
    assert not found & {"rich", "ruamel", "promql_parser", "re2", "asyncio", "sqlite3"}


def test_the_version_is_the_packages(home: Path) -> None:
    assert davy(home, "--version").stdout == f"davy {__version__}\n"


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["get", "rollouts"], ["version"]])
def test_a_closed_standard_output_is_no_fault(home: Path, engine: Scripted, arguments: list[str]) -> None:
    ran = davy(
        home, *arguments, stdout=None, stderr=subprocess.PIPE, capture_output=False, preexec_fn=close_output
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def close_output() -> None:
    os.close(1)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["get", "rollouts"], ["get", "rollout", "payments", "-o", "yaml"]]
)
def test_a_reader_who_leaves_is_let_go_quietly(home: Path, engine: Scripted, arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ran = davy(home, *arguments, stdout=writer, stderr=subprocess.PIPE, capture_output=False)
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (141, "")


@pytest.mark.parametrize("arguments", [["--help"], ["get", "rollouts"]])
def test_a_full_disk_is_told(home: Path, engine: Scripted, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ran = davy(home, *arguments, stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert ran.returncode == 2
    assert ran.stderr == "error[output]: the output cannot be written: No space left on device\n"


def test_output_that_cannot_spell_symbols_gets_words(home: Path, engine: Scripted) -> None:
    ran = davy(home, "get", "rollout", "payments", env={"PYTHONIOENCODING": "ascii"})
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.isascii()
    assert "`--" in ran.stdout


def test_a_watch_on_a_terminal_is_redrawn_and_ends_with_ctrl_c(home: Path, engine: Scripted) -> None:
    terminal, child_side = pty.openpty()
    environment = {**os.environ, "DAVY_HOME": str(home), "TERM": "xterm", "COLUMNS": "120", "LINES": "50"}
    process = subprocess.Popen(
        [*DAVY, "get", "rollout", "payments", "-w"],
        stdin=child_side, stdout=child_side, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    os.close(child_side)
    shown = bytearray()

    def drawn_twice() -> bool:
        shown.extend(os.read(terminal, 65536))
        return shown.count("⟳ payments".encode()) >= 2

    until(drawn_twice)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 130
    assert 'rollout "payments" goes on' in said
    assert b"\x1b[2J" not in shown, "it is redrawn line by line, not from an empty screen"


def test_an_interrupt_is_told_by_its_exit_code(home: Path, engine: Scripted) -> None:
    process = subprocess.Popen(
        [*DAVY, "status", "payments", "--watch"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "DAVY_HOME": str(home)},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "Paused - CanaryPauseStep\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert 'rollout "payments" goes on' in said
