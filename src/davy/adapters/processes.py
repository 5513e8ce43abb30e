"""Replicas as local processes: started, asked how they are, started again, and ended without anyone noticing.

Each replica has a thread that does one thing after the other, and a file that says what there is, so that a new
Davy goes on where a killed one left off. The processes themselves outlive us.
"""

import math
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

import msgspec

from davy.adapters import files, pid, ports, probes
from davy.adapters.builds import Builds
from davy.adapters.clock import Clock
from davy.adapters.fence import Fence
from davy.adapters.health import Health
from davy.adapters.pid import Bell, Process
from davy.adapters.pod_template import (
    PodFacts,
    container_of,
    environment,
    expand,
    port_map,
    port_names,
)
from davy.errors import DavyError
from davy.ledger.lease import Fenced
from davy.model.key import Key
from davy.model.steps import PodTemplateMetadata
from davy.rollout.platform import Pod, ReplicaSet

_LOG_LIMIT_BYTES = 10_000_000
_LONGEST_BACK_OFF_S = 300.0
_FORGIVEN_AFTER_S = 600.0
_DRAIN_S = 5.0
_HURRIED_GRACE_S = 5.0
_LONGEST_DEATH_S = 5.0
_LOOK_AGAIN_S = 0.05


class Record(msgspec.Struct, frozen=True):
    """What is known of a replica, and kept in its file.

    `phase` is that of a pod, or New before anything was written down. `crashes` counts those in a row, for the
    pause before the next start. `started_at` is when it was made until its process starts, so that it is never
    taken for older than it is. `ready_since` is None while it is not ready. Times are those of the clock.
    """

    name: str
    uid: str
    key: Key
    revision: ReplicaSet
    ports: dict[str, int]
    started_at: float
    phase: str = "New"
    process: Process | None = None
    ready_since: float | None = None
    restarts: int = 0
    crashes: int = 0
    message: str = ""

    @property
    def port(self) -> int:
        """The port that takes traffic."""
        return next(iter(self.ports.values()))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What replicas share.

    `back_off_s` is the pause after the second crash in a row, in seconds of the clock; it doubles up to five
    minutes. `environment` is what every replica finds besides its own variables. `fence` is what files are
    changed through; once another engine has taken over, every replica is left to that one.
    """

    clock: Clock
    fence: Fence
    records: Path
    logs: Path
    environment: Mapping[str, str]
    builds: Builds
    back_off_s: float = 10.0


class Replica:
    """One replica and the thread that looks after it.

    `changed` is called in that thread after each change that others have to know of. It says whether nobody
    sends it requests any more in case it is not ready; until then a replica that has to go does not go.
    """

    def __init__(
        self, record: Record, surroundings: Surroundings, changed: Callable[["Replica"], bool]
    ) -> None:
        self.record = record
        self.gone = False
        self.trouble = ""
        """Why what is known could not be written down, or nothing."""
        self._around = surroundings
        self._changed = changed
        self._container = container_of(record.revision.template)
        self._bell = Bell()
        self._leaving = record.phase == "Terminating"
        self._hurry = False
        self._closing = False
        self._thread = threading.Thread(target=self._live, name=record.name, daemon=True)
        for port in record.ports.values():
            ports.keep(port)

    @classmethod
    def create(
        cls, key: Key, revision: ReplicaSet, around: Surroundings, changed: Callable[["Replica"], bool]
    ) -> "Replica":
        """Make a new one; it begins with `start`."""
        uid = uuid.uuid4()
        names = port_names(container_of(revision.template))
        record = Record(
            # Kubernetes cuts generated names in the same way
            name=f"{f'{key.name}-{revision.hash}'[:57]}-{uid.hex[:5]}",
            uid=str(uid),
            key=key,
            revision=revision,
            ports={name: ports.free_port() for name in names},
            started_at=around.clock.now(),
        )
        return cls(record, around, changed)

    @property
    def ready(self) -> bool:
        """Whether it may take requests."""
        return self.record.ready_since is not None

    @property
    def leaving(self) -> bool:
        """Whether it was told to go."""
        return self._leaving

    def pod(self, now: float, min_ready_s: float, metadata: PodTemplateMetadata) -> Pod:
        """Describe it as it is now, with what it carries for the part it plays."""
        record = self.record
        since = record.ready_since
        return Pod(
            name=record.name,
            hash=record.revision.hash,
            phase="Terminating" if self._leaving else "Pending" if record.phase == "New" else record.phase,
            ready=since is not None,
            available=since is not None and now >= since + min_ready_s,
            restarts=record.restarts,
            started_at=record.started_at,
            port=record.port,
            message=record.message,
            metadata=metadata,
        )

    def start(self) -> None:
        """Begin, or go on with what an earlier Davy began."""
        self._thread.start()

    def leave(self, *, hurry: bool = False) -> None:
        """Tell it to go; in a hurry it does not wait for the data plane."""
        self._hurry = self._hurry or hurry
        self._leaving = True
        self._bell.ring()

    def close(self) -> None:
        """Begin to let go of it; the process goes on."""
        self._closing = True
        self._bell.ring()

    def join(self) -> None:
        """Wait until its thread has ended."""
        if self._thread.ident is not None:
            self._thread.join()

    # Everything below runs in the replica's own thread.

    def _live(self) -> None:
        try:
            self._adopt()
            while not self._ends():
                began = self._begin()
                if began:
                    self._attend()
                if not self._ends():
                    self._back_off(began)
            if self._leaving and not self._closing:
                self._depart()
        except Fenced:
            return  # another engine looks after it now
        finally:
            self._bell.close()

    def _adopt(self) -> None:
        """Find the process of an earlier Davy that may have died before it could write it down."""
        if self.record.phase == "Pending" and self.record.process is None:
            self._note(process=pid.find(self.record.uid))

    def _begin(self) -> bool:
        """Start the process, unless it runs already; say whether there is one."""
        if self.record.process is not None:
            self._note(phase="Running")
            return True
        self._note(phase="Pending")
        try:
            if not self._built() or self._ends():
                return False
            self._change_taken_ports()
            log = self._around.logs / f"{self.record.name}.log"
            files.make_room(log, limit_bytes=_LOG_LIMIT_BYTES)
            values = self._environment()
            self._around.fence.check()
            process = pid.spawn(
                [expand(part, values) for part in self.record.revision.launch.argv],
                directory=Path(self.record.revision.launch.directory),
                environment={**values, pid.MARK: self.record.uid},
                log=log,
            )
        except Fenced:
            raise
        except (OSError, IndexError) as error:
            self._note(message=f"cannot be started: {error}", crashes=self.record.crashes + 1)
            return False
        except DavyError as error:
            self._note(message=error.message, crashes=self.record.crashes + 1)
            return False
        try:
            self._note(process=process, phase="Running", started_at=self._around.clock.now(), message="")
        except Fenced:
            if not self._known_to_others(process):
                pid.signal_group(process, SIGKILL)
            raise
        return True

    def _known_to_others(self, process: Process) -> bool:
        """Say whether the engine that took over has found a process that we started."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Record).process == process
        except (OSError, msgspec.DecodeError):
            return False

    def _built(self) -> bool:
        """Wait until there is something to start."""
        while not self._around.builds.ready(self.record.revision.launch):
            if self._ends():
                return False
            if not self.record.message:
                self._note(message=f"building {self.record.revision.launch.digest[:12]}")
            self._bell.wait(_LOOK_AGAIN_S)
        return True

    def _change_taken_ports(self) -> None:
        """Take other ports when somebody else has taken ours meanwhile."""
        fresh = {
            name: port if ports.is_free(port) else ports.free_port() for name, port in self.record.ports.items()
        }
        if fresh != self.record.ports:
            self._note(ports=fresh)

    def _attend(self) -> None:
        """Ask the process how it is until it ends, has to be ended, or we go."""
        process = self.record.process
        assert process is not None
        clock = self._around.clock
        health = Health(self._container, time.monotonic(), clock.real_seconds, ready=self.ready)
        while process.alive and not self._ends():
            for kind, probe in health.due(time.monotonic()).items():
                failure = probes.ask(probe, self._patient(), max(1, probe.timeout_seconds))
                if process.alive:
                    health.note(kind, failure, time.monotonic())
            if health.condemned:
                self._note(ready_since=None, message=health.condemned)
                self._end(process)
                break
            self._note_health(health)
            asked_again_at = health.next_at()
            left = None if asked_again_at == math.inf else max(0.0, asked_again_at - time.monotonic())
            self._bell.wait(left, process)
        if not process.alive:
            self._mourn(process, health)

    def _note_health(self, health: Health) -> None:
        since = self.record.ready_since
        if health.ready:
            since = self._around.clock.now() if since is None else since
            crashes = self.record.crashes
            if self._around.clock.now() - self.record.started_at > _FORGIVEN_AFTER_S:
                crashes = 0
            self._note(ready_since=since, message="", crashes=crashes)
        else:
            self._note(ready_since=None, message=health.failing)

    def _mourn(self, process: Process, health: Health) -> None:
        """Note why a process ended, and that nothing of it is left."""
        code = pid.reap(process)
        pid.signal_group(process, SIGKILL)
        said = files.last_line(self._around.logs / f"{self.record.name}.log")
        message = health.condemned or f"{_ending(code)}{f': {said}' if said else ''}"
        self._note(process=None, ready_since=None, message=message, crashes=self.record.crashes + 1)

    def _back_off(self, began: bool) -> None:
        """Wait before the next start: not at all after the first crash, longer after each further one."""
        crashes = self.record.crashes
        pause_s = 0.0
        if crashes > 1:
            pause_s = min(_LONGEST_BACK_OFF_S, self._around.back_off_s * 2 ** min(crashes - 2, 20))
            self._note(phase="CrashLoopBackOff" if began else "Pending")
        until = time.monotonic() + self._around.clock.real_seconds(pause_s)
        while not self._ends() and (left := until - time.monotonic()) > 0:
            self._bell.wait(left)
        if began and not self._ends():
            self._note(restarts=self.record.restarts + 1)

    def _depart(self) -> None:
        """Go: first nobody sends anything, then what is under way is finished, then the process is told."""
        self._note(phase="Terminating", ready_since=None)
        while not (self._tell() or self._hurry or self._closing):
            self._bell.wait(_LOOK_AGAIN_S)
        if self._closing:
            return
        process = self.record.process
        if process is not None and process.alive:
            self._drain()
            self._end(process, hook=not self._hurry)
            if process.alive:
                return  # we were told to let go of it; whoever takes over ends it
        if process is not None:
            pid.reap(process)
        self._around.fence.remove(self._file)
        for port in self.record.ports.values():
            ports.give_back(port)
        self.gone = True
        self._tell()

    def _drain(self) -> None:
        """Wait until the connections that the data plane still has open are done with."""
        deadline = time.monotonic() + _DRAIN_S
        while ports.connections(self.record.port) and time.monotonic() < deadline:
            if self._hurry or self._closing:
                return
            self._bell.wait(0.01)

    def _end(self, process: Process, *, hook: bool = True) -> None:
        """Run the preStop hook, then ask the whole group to end, then make it; all within the grace period."""
        template = self.record.revision.template
        grace_s = template.spec.termination_grace_s
        deadline = time.monotonic() + (min(grace_s, _HURRIED_GRACE_S) if self._hurry else grace_s)
        lifecycle = self._container.lifecycle
        self._around.fence.check()
        if hook and lifecycle is not None and lifecycle.pre_stop is not None:
            if lifecycle.pre_stop.sleep is not None:
                self._wait_for_end(process, min(deadline, time.monotonic() + lifecycle.pre_stop.sleep.seconds))
            else:
                probes.ask(lifecycle.pre_stop, self._patient(), max(0.1, deadline - time.monotonic()))
        name = lifecycle.stop_signal if lifecycle is not None else None
        pid.signal_group(process, Signals.__members__.get(name or "", SIGTERM))
        self._wait_for_end(process, deadline)
        if not self._closing:
            self._around.fence.check()
            pid.signal_group(process, SIGKILL)
            self._wait_for_end(process, time.monotonic() + _LONGEST_DEATH_S)

    def _wait_for_end(self, process: Process, deadline: float) -> None:
        """Wait until nothing of the group runs; a ring means no more than to look at the time."""
        while (left := deadline - time.monotonic()) > 0 and pid.group(process) and not self._closing:
            self._bell.wait(min(left, _LOOK_AGAIN_S), *([process] if process.alive else []))

    def _patient(self) -> probes.Patient:
        directory = Path(self.record.revision.launch.directory)
        return probes.Patient(port_map(self._container, self.record.ports), self._environment(), directory)

    def _environment(self) -> dict[str, str]:
        record = self.record
        local = port_map(self._container, record.ports)
        facts = PodFacts(record.name, record.uid, record.key, record.revision.hash, local)
        return environment(self._around.environment, record.revision.template, self._container, facts)

    def _note(self, **changes: object) -> None:
        """Change what is known, write it down, and tell whoever has to know."""
        before, self.record = self.record, msgspec.structs.replace(self.record, **changes)
        if self.record == before:
            return
        try:
            self._around.fence.replace(self._file, msgspec.json.encode(self.record), durable=False)
            self.trouble = ""
        except OSError as error:
            self.trouble = f"{self.record.name} cannot be written down: {error}"
        if (before.ready_since is None) != (
            self.record.ready_since is None
        ) or before.phase != self.record.phase:
            self._tell()

    @property
    def _file(self) -> Path:
        return self._around.records / f"{self.record.uid}.json"

    def _ends(self) -> bool:
        """Say whether it was told to go, or we were told to let go of it."""
        return self._leaving or self._closing

    def _tell(self) -> bool:
        return self._changed(self)


def _ending(code: int | None) -> str:
    match code:
        case None:
            return "ended"
        case int() if code < 0:
            return f"was killed by {Signals(-code).name}"
        case _:
            return f"exited with code {code}"
