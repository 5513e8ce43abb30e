"""A real PostgreSQL for a test or a bench: made anew, on a port of its own, stopped at the end.

with running() as server:
    PostgresStore(server.database())
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest

from davy.adapters.ports import free_port

SETTINGS = ("fsync=on", "full_page_writes=on", "max_connections=100", "shared_buffers=64MB", "timezone=UTC")
NOBODY = 65534
"""Who runs the server where we are root, since PostgreSQL refuses to."""

_NAMES = count(1)


def binaries() -> Path:
    """Find the server's programs, or skip; but not where somebody counts on the test having run."""
    found = shutil.which("postgres")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found is None and not places:
        missing = "there is no PostgreSQL (Debian: apt-get install postgresql)"
        (pytest.fail if "CI" in os.environ else pytest.skip)(missing)
    return places[-1].parent if places else Path(found or "").resolve().parent


@dataclass
class Server:
    """One that runs, or did; its data outlives `stop` and `kill`."""

    programs: Path
    directory: Path
    port: int
    settings: list[str] = field(default_factory=lambda: list(SETTINGS))

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return where a database is."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def database(self, settings: str = "") -> str:
        """Make a database that is empty, and return where it is."""
        name = f"ledger_{next(_NAMES)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
            if settings:
                connection.execute(f"ALTER DATABASE {name} SET {settings}")
        return self.url(name)

    def start(self) -> None:
        """Start it, be it again."""
        options = " ".join(f"-c {setting}" for setting in self.settings)
        sockets = f"-k {self.directory} -h 127.0.0.1 -p {self.port}"
        log = self.directory / "server.log"
        self._control("-l", str(log), "-w", "-t", "60", "-o", f"{sockets} {options}", "start")

    def stop(self, how: str = "immediate") -> None:
        """Stop it; `immediate` is what a crash is like."""
        self._control("-m", how, "-w", "stop")

    @property
    def pid(self) -> int | None:
        """Its process, None when it does not run."""
        try:
            return int((self.directory / "data" / "postmaster.pid").read_text().splitlines()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def _control(self, *words: str) -> None:
        command = [str(self.programs / "pg_ctl"), "-D", str(self.directory / "data"), *words]
        unprivileged(command)


def unprivileged(command: list[str]) -> None:
    """Run a program as somebody who is not root."""
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": ()} if os.geteuid() == 0 else {}
    done = subprocess.run(  # type: ignore[call-overload]
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", **who
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout.decode(errors='replace')}"


@contextmanager
def running(*settings: str) -> Iterator[Server]:
    """Run a server until the end of the block, with settings beside the usual ones."""
    programs = binaries()
    directory = Path(mkdtemp(prefix="davy-pg-"))  # short: the path of a socket has a limit
    if os.geteuid() == 0:
        os.chown(directory, NOBODY, NOBODY)
    server = Server(programs, directory, free_port(), [*SETTINGS, *settings])
    make = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
    try:
        unprivileged([str(programs / "initdb"), "-D", str(directory / "data"), *make])
        server.start()
        yield server
    finally:
        if server.pid is not None:
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)
