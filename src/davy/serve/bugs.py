"""Reports of our own faults: a person gets one line, whoever mends it gets the traceback in a file."""

import hashlib
import platform
import traceback
from pathlib import Path

from davy import __version__
from davy.errors import Bug


def filed(directory: Path, error: BaseException, doing: str) -> Bug:
    """Write a report into `directory` and return the error that says so in one line.

    The name of a report follows from where the fault is, so a fault that happens a thousand times fills one
    file and not the disk.
    """
    frames = traceback.extract_tb(error.__traceback__)
    places = "\n".join(f"{frame.filename}:{frame.lineno}:{frame.name}" for frame in frames)
    name = hashlib.sha256(f"{type(error).__name__}\n{places}".encode()).hexdigest()[:12]
    path = directory / f"bug-{name}.txt"
    lines = [
        f"davy {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"while: {doing}",
        "",
        *traceback.format_exception(error),
    ]
    what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text("\n".join(lines), encoding="utf-8", errors="backslashreplace")
    except OSError as failure:
        return Bug(f"a fault of Davy itself: {what}", hint=f"no report could be written: {failure}")
    return Bug(f"a fault of Davy itself: {what}", hint=f"the report to send us is {path}")
