"""The page on verifying is true: its commands run, in their order, and say what it shows."""

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.test_verifier import edited, made

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "verify-the-ledger.md"


def steps() -> list[tuple[str, str]]:
    """Return (command, what it shows) of the page."""
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    found: list[tuple[str, str]] = []
    for line in "".join(blocks).splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:].strip(), ""))
        else:
            found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def test_the_page_shows_what_happens(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    made(home / "davy.db").close()
    shutil.copy(home / "davy.db", tmp_path / "tampered.db")
    db = sqlite3.connect(tmp_path / "tampered.db")
    [(body,)] = db.execute("SELECT body FROM ledger WHERE seq = 17")
    db.close()
    other = body.replace(b'"reason":""', b'"reason":"no"')
    edited(tmp_path / "tampered.db", ("UPDATE ledger SET body = ? WHERE seq = 17", (other,)))
    environment = {**os.environ, "DAVY_HOME": str(home), "NO_COLOR": "1"}
    assert len(steps()) == 8
    for command, shown in steps():
        words = shlex.split(command)
        argv = [sys.executable, "-m", "davy", *words[1:]] if words[0] == "davy" else words
        ran = subprocess.run(
            argv,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        pattern = re.escape(shown).replace("…", ".+")
        assert re.fullmatch(pattern, ran.stdout), f"{command}\n{ran.stdout}"
        assert ran.returncode == (7 if "tampered" in command else 0), command
