"""The tutorial of flags is true: its commands run in order on the files that it shows, and say what it says."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.following import FILE, shown, steps

from davy.adapters.ports import free_port
from davy.testing.patience import until

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("curl") is None, reason="the tutorial asks with curl, which is not here"),
]

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-flag.md"
LASTS = ("davy up", "curl -s --rate")
"""What a terminal is left to."""


class Reader:
    """Somebody who follows the page."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.exports = directory, ""
        programs = directory / "programs"
        programs.mkdir()
        for name, what in (("davy", f"{sys.executable} -m davy"), ("python3", sys.executable)):
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {what} "$@"\n')
            program.chmod(0o755)
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        self.environment = {
            **os.environ,
            "PATH": path,
            "DAVY_HOME": str(directory / "home"),
            "NO_COLOR": "1",
            "COLUMNS": "400",
        }
        self.terminals: list[subprocess.Popen[bytes]] = []
        self.log = directory / "log"

    def leave(self, command: str) -> None:
        """Leave a terminal to a command."""
        with self.log.open("ab") as log:
            line = ["bash", "-c", f"{self.exports}exec {command}"]
            self.terminals.append(
                subprocess.Popen(line, cwd=self.place, env=self.environment, stdout=log, stderr=log)
            )

    def type(self, command: str) -> tuple[int, str]:
        """Run a command and return its code and all that it says."""
        line = ["bash", "-c", f"{self.exports}{command}"]
        both = subprocess.STDOUT
        ran = subprocess.run(
            line,
            cwd=self.place,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=both,
            text=True,
            check=False,
        )
        return ran.returncode, ran.stdout

    @property
    def place(self) -> Path:
        """Where the reader is."""
        place = self.directory / "first-flag"
        place.mkdir(exist_ok=True)
        return place

    def end(self) -> None:
        """Close the terminals."""
        for terminal in self.terminals:
            terminal.terminate()
            terminal.wait()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    reader.type("davy down")
    reader.end()


def test_a_newcomer_gets_what_the_page_shows(reader: Reader) -> None:
    page = PAGE.read_text()
    for port in ("8080", "8100"):
        page = re.sub(rf"(127\.0\.0\.1:|port: \")({port})", rf"\g<1>{free_port()}", page)
    for name, content in FILE.findall(page):
        (reader.place / name).write_text(content)
    for command, lines in steps(page):
        if command.startswith("export "):
            reader.exports += f"{command}\n"
        elif command.startswith(LASTS):
            reader.leave(command)
            if command.startswith("davy up"):
                until(lambda: "http://127" in reader.log.read_text(), why=reader.log.read_text)
        else:
            _follow(reader, command, lines)


def _follow(reader: Reader, command: str, lines: list[str]) -> None:
    """Run a command; what only asks is asked until it says what is shown."""
    asks = command.startswith(("curl", "davy flag status", "davy flag history"))
    fails = any(line.startswith("error[") for line in lines)
    said: list[str] = []

    def holds() -> bool:
        code, out = reader.type(command)
        said.append(f"{command} exits {code}:\n{out}")
        assert asks or code == fails, said[-1]
        return shown(lines).search(f"{out}\n") is not None

    if asks:
        until(holds, why=lambda: said[-1])
    else:
        assert holds(), f"{said[-1]}\nand not\n" + "\n".join(lines)
