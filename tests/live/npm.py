"""Programs from npm for live tests: what a lock names, installed once, outside of the repository."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
PATH = f"{BIN}{os.pathsep}{os.environ['PATH']}"
"""Where node and npm are that are installed with the other packages, before any others."""

TIMEOUT_S = 300


def installed(source: Path) -> Path:
    """Install what the lock in a directory names, and return where that is.

    Skip where npm's registry is out of reach, but not where somebody counts on the test having run.
    """
    lock = (source / "package-lock.json").read_bytes()
    kept = Path(tempfile.gettempdir()) / f"davy-npm-{os.getuid()}-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not (kept / "done").exists():
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(mode=0o700)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(source / name, kept / name)
        npm = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        environment = {**os.environ, "PATH": PATH}
        try:
            ran = subprocess.run(
                npm, cwd=kept, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
            why = "" if ran.returncode == 0 else ran.stderr.strip()[-500:]
        except (OSError, subprocess.TimeoutExpired) as error:
            why = str(error)
        if why:
            (pytest.fail if "CI" in os.environ else pytest.skip)(f"npm cannot install: {why}")
        (kept / "done").touch()
    return kept
