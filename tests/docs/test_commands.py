"""What the pages show people to type is real: verbs, options, and where it is safe the whole command."""

import os
import re
import shlex
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import click
import pytest

from davy.adapters.sqlite import SqliteStore
from davy.cli.program import COMMANDS, program
from davy.cli.setting import Setting

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(console|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
OFFLINE = ("check", "dora", "fix", "version", "--version", "--help")
"""What needs no engine and changes nothing; `fix --write` is left out."""

FOLLOWED = ("docs/explanation/flags-that-do-not-bite.md", "docs/tutorial/first-flag.md")
"""Pages that are followed from their first command to the last, each by a test of its own."""


def typed(page: Path) -> list[list[str]]:
    """Return the words of every command that a page shows, up to a pipe or a redirection."""
    found = []
    for language, block in BLOCK.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            if language == "sh" or line.startswith("$ "):
                words = shlex.split(line.removeprefix("$ "), comments=True)
                found.append(list(takewhile(lambda word: word not in ("|", ">", ">>", "&", "&&", "||"), words)))
    return [words for words in found if words]


def calls(*program_name: str) -> list[tuple[str, str]]:
    """Return (page, arguments) of the commands that begin with these words."""
    size = len(program_name)
    return [
        (str(page.relative_to(ROOT)), shlex.join(words[size:]))
        for page in PAGES
        for words in typed(page)
        if tuple(words[:size]) == program_name
    ]


DAVY = [
    *calls("davy"),
    *calls("./dev", "run"),
    *(("./dev", f"demo {words}") for _, words in calls("./dev", "demo")),
]


def test_the_pages_show_commands_at_all() -> None:
    assert len(DAVY) > 20


@pytest.mark.parametrize(("page", "call"), DAVY)
def test_a_command_that_is_shown_can_be_read(page: str, call: str) -> None:
    words = shlex.split(call)
    if words[0].startswith("-"):
        assert words[0] in {option for one in program.get_params(click.Context(program)) for option in one.opts}
        return
    context = click.Context(program, obj=Setting(home=Path(), environment={}))
    command: click.Command = program
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, f"{page} shows davy {call}"
        command, words = found, words[1:]
    if words[-1:] not in (["--help"], ["-h"]):
        command.make_context(command.name, list(words), parent=context)


@pytest.mark.parametrize(("page", "call"), calls("./dev"))
def test_a_task_of_dev_that_is_shown_is_one(page: str, call: str) -> None:
    tasks = re.findall(r"^  (\w+) +\S", (ROOT / "dev").read_text(), re.MULTILINE)
    assert call.split()[0] in tasks, page


@pytest.mark.parametrize(
    ("page", "call"),
    [
        (page, call)
        for page, call in DAVY
        if call.split()[0] in OFFLINE and "--write" not in call and page not in FOLLOWED
    ],
)
def test_a_command_that_needs_no_engine_runs(page: str, call: str, tmp_path: Path) -> None:
    SqliteStore(tmp_path / "davy.db").close()
    environment = {**os.environ, "DAVY_HOME": str(tmp_path), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "davy", *shlex.split(call)]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode in (0, 1), f"{page} shows davy {call}: {ran.stderr}"


def test_every_command_is_shown_on_some_page() -> None:
    assert {call.split()[0] for _, call in DAVY} >= COMMANDS.keys()
