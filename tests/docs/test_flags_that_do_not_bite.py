"""The page on flags is true: its commands run on the files that it shows, and say what it shows."""

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.following import FILE, shown, steps

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "flags-that-do-not-bite.md"


def test_the_page_shows_what_happens(tmp_path: Path) -> None:
    page = PAGE.read_text()
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for name, content in FILE.findall(page):
        (tmp_path / name).write_text(content)
    program = tmp_path / "davy"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m davy "$@"\n')
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    home = str(tmp_path / "home")
    environment = {**os.environ, "PATH": path, "DAVY_HOME": home, "NO_COLOR": "1", "COLUMNS": "400"}
    for command, lines in steps(page):
        ran = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        refused = any(line.startswith("error[") or "changed" in line for line in lines)
        assert ran.returncode in ((1, 2) if refused else (0,)), f"{command}\n{ran.stdout}"
        assert shown(lines).search(ran.stdout), f"{command}\n{ran.stdout}"
