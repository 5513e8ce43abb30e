"""The provider `job`: a Kubernetes Job as a process of this machine, whose exit code is the verdict.

Source of phases and messages: `metricproviders/job` of Argo Rollouts and the Job controller of Kubernetes.

Each measurement has a directory, named after it. A keeper (`davy.adapters.job_keeper`) runs the command there
and writes down how it ended, so that a job is begun once, goes on while there is no engine, and counts once.
"""

import hashlib
import sys
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from signal import SIGKILL, SIGTERM, Signals
from typing import Any

import msgspec

from davy.adapters import files, job_keeper, pid
from davy.adapters.pid import Bell, Process
from davy.adapters.pod_template import PodFacts, expand, value_of
from davy.adapters.tools import Tools
from davy.analysis.phase import Phase
from davy.analysis.provider import Asking, Judged, ProviderError
from davy.errors import Refused, Undecided
from davy.model.job import JobMetric
from davy.model.key import Key
from davy.model.pod import EnvVar, PodTemplateSpec
from davy.model.providers import MetricProvider
from davy.rollout.platform import Launch

BACK_OFF_S = 10.0
"""Seconds of the clock before a job is tried again; they double each time, as in Kubernetes."""

KEPT = 100
"""How many jobs that have ended are kept, for whoever wants to read their logs."""

_NAME, _KEEPER = "name", "keeper.json"
_LOOK_AGAIN_S = 0.05
_LONGEST_DEATH_S = 5.0


def provider(tools: Tools) -> "JobProvider":
    """Make the provider for an engine."""
    return JobProvider(tools)


class _Outcome(msgspec.Struct, frozen=True):
    how: str
    attempts: int = 0
    code: int = 0
    message: str = ""


@dataclass(slots=True)
class _Waiting:
    """Whoever waits for a job, and whether it is wanted no more."""

    bell: Bell = field(default_factory=Bell)
    unwanted: bool = False


class JobProvider:
    """Runs jobs; see `davy.analysis.provider.Lasting` for what it promises."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._lock = threading.Lock()
        self._waiting: dict[str, _Waiting] = {}
        self._swept = False

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Judged:
        """Run the job of a measurement, or wait for the one that runs; what it comes to is the verdict."""
        if provider.job is None:
            raise ProviderError("this metric runs no job")
        place = self._place(asking.name)
        with self._waits(asking.name) as waiting:
            found = (
                self._read(place)
                or self._watch(place, waiting)
                or self._run(provider.job, place, asking, waiting)
            )
        return judged(found, place, asking)

    def end_all_but(self, names: Collection[str]) -> None:
        """End the jobs that nobody waits for; the first time also those that an earlier engine left."""
        with self._lock:
            unwanted = [waiting for name, waiting in self._waiting.items() if name not in names]
            for waiting in unwanted:
                if not waiting.unwanted:
                    waiting.unwanted = True
                    waiting.bell.ring()
            first, self._swept = not self._swept, True
        if first:
            self._tools.check()
            for place in _places(self._tools.jobs):
                if _name_of(place) not in names:
                    _tell(place, SIGTERM)
            self._prune()

    def _place(self, name: str) -> Path:
        return self._tools.jobs / hashlib.sha256(name.encode()).hexdigest()[:24]

    @contextmanager
    def _waits(self, name: str) -> Iterator[_Waiting]:
        waiting = _Waiting()
        with self._lock:
            if name in self._waiting:
                raise ProviderError("this measurement is being taken already")
            self._waiting[name] = waiting
        try:
            yield waiting
        finally:
            with self._lock:
                del self._waiting[name]
            waiting.bell.close()

    def _read(self, place: Path) -> _Outcome | None:
        """Read how a job ended; None while it has not."""
        try:
            return msgspec.json.decode((place / job_keeper.OUTCOME).read_bytes(), type=_Outcome)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise ProviderError(f"how the job {place.name} ended cannot be read") from error

    def _watch(self, place: Path, waiting: _Waiting) -> _Outcome | None:
        """Wait for the end of a job that was begun; None if it was not.

        Raises:
            ProviderError: its keeper was killed. It is not begun again, since it may have done all its work.
        """
        while (keeper := _keeper_of(place)) is not None:
            waiting.bell.wait(None, keeper)
            if keeper.alive:  # somebody rang
                if waiting.unwanted:
                    self._tools.check()
                    pid.signal_group(keeper, SIGTERM)
                continue
            pid.reap(keeper)
            if (found := self._read(place)) is not None:
                return found
            if (other := pid.find(place.name)) is None:
                _kill_child(place)
                raise ProviderError(
                    f"the keeper of job {place.name} was killed; how the job ended is not known"
                )
            _note_keeper(place, other)
        return None

    def _run(self, job: JobMetric, place: Path, asking: Asking, waiting: _Waiting) -> _Outcome:
        """Begin a job and wait for its end; where its image cannot be had it never begins."""
        values = self._environment(job.spec.template, place.name, asking)
        try:
            launch = self._tools.launch(_template(job))
            while not self._tools.built(launch):
                if waiting.unwanted:
                    return _Outcome("terminated")
                waiting.bell.wait(_LOOK_AGAIN_S)
        except Refused as error:
            return _Outcome("not started", message=error.message)
        except Undecided as error:
            raise ProviderError(error.message, hint=error.hint) from error
        if waiting.unwanted:
            return _Outcome("terminated")
        try:
            self._begin(job, place, launch, values, asking.name)
        except OSError as error:
            raise ProviderError(f"the job {place.name} cannot be begun: {error.strerror}") from error
        found = self._watch(place, waiting)
        assert found is not None, "its keeper was noted"
        return found

    def _begin(self, job: JobMetric, place: Path, launch: Launch, values: Mapping[str, str], name: str) -> None:
        clock, spec = self._tools.clock, job.spec
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        (place / _NAME).write_text(name)
        working = spec.template.spec.containers[0].working_dir
        arguments = (
            clock.real_seconds(spec.active_deadline_seconds or 0),
            spec.tries,
            clock.real_seconds(BACK_OFF_S),
            clock.real_seconds(spec.template.spec.termination_grace_s),
            Path(launch.directory) / working,
        )
        command = [expand(word, values) for word in launch.argv]
        self._tools.check()
        keeper = pid.spawn(
            [sys.executable, "-I", "-S", job_keeper.__file__, str(place), *map(str, arguments), *command],
            directory=place,
            environment={**values, pid.MARK: place.name},
            log=place / "keeper.log",
        )
        _note_keeper(place, keeper)

    def _environment(self, template: PodTemplateSpec, name: str, asking: Asking) -> dict[str, str]:
        """Make the environment of a job; a variable from a Secret is read now, and kept nowhere."""
        facts = PodFacts(name, name, Key(asking.namespace, name), "", {})
        values = {**self._tools.environment, "POD_NAME": name, "HOSTNAME": name}
        for variable in template.spec.containers[0].env:
            value = _secret_of(variable, asking)
            if value is None:
                value = value_of(variable, template.metadata, facts, values)
            if value is not None:
                values[variable.name] = value
        return values

    def _prune(self) -> None:
        """Keep the jobs that ended last."""
        with suppress(OSError):
            ended = [place for place in _places(self._tools.jobs) if not _runs(place)]
            for place in sorted(ended, key=lambda place: place.stat().st_mtime)[:-KEPT]:
                rmtree(place, ignore_errors=True)


def judged(outcome: _Outcome, place: Path, asking: Asking) -> Judged:
    """Say what the end of a job means, with the phases and the words of Argo and Kubernetes."""
    metadata = {"job-name": place.name, "log": f"{place.parent.name}/{place.name}/{job_keeper.LOG}"}
    match outcome.how:
        case "succeeded":
            return Judged(Phase.SUCCESSFUL, metadata=metadata)
        case "failed":
            said = asking.hide(files.last_line(place / job_keeper.LOG))
            ending = f"was killed by {Signals(-outcome.code).name}" if outcome.code < 0 else ""
            ending = ending or f"exited with code {outcome.code}"
            message = f"Job has reached the specified backoff limit: it {ending}{f': {said}' if said else ''}"
            return Judged(Phase.FAILED, message, metadata=metadata)
        case "too long":
            return Judged(Phase.FAILED, "Job was active longer than specified deadline", metadata=metadata)
        case "terminated":
            return Judged(Phase.INCONCLUSIVE, "Metric Terminated", metadata=metadata)
        case _:
            return Judged(Phase.INCONCLUSIVE, f"ErrImagePull: {outcome.message}", metadata=metadata)


def end_jobs(directory: Path) -> None:
    """End every job of a directory and wait for it; no engine uses it now."""
    keepers = [(place, keeper) for place in _places(directory) if (keeper := _keeper_of(place)) is not None]
    for _, keeper in keepers:
        pid.signal_group(keeper, SIGTERM)
    bell = Bell()
    for place, keeper in keepers:
        if keeper.alive:
            bell.wait(_LONGEST_DEATH_S, keeper)
        pid.signal_group(keeper, SIGKILL)
        _kill_child(place)
    bell.close()


def _template(job: JobMetric) -> PodTemplateSpec:
    """Return the pod template with the one container that is run; its variables are read here."""
    template = job.spec.template
    first = msgspec.structs.replace(template.spec.containers[0], env=())
    pod = msgspec.structs.replace(template.spec, containers=(first,))
    return msgspec.structs.replace(template, spec=pod)


def _secret_of(variable: EnvVar, asking: Asking) -> str | None:
    """Read a variable that comes from a Secret; None for any other, and for one that may be missing and is."""
    source = variable.value_from.secret_key_ref if variable.value_from else None
    if source is None:
        return None
    if source.optional and not asking.plain(source.name, source.key):
        return None
    return asking.secret(source.name, source.key).reveal()


def _places(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if path.is_dir()] if directory.is_dir() else []


def _name_of(place: Path) -> str:
    try:
        return (place / _NAME).read_text()
    except OSError:
        return ""


def _note_keeper(place: Path, keeper: Process) -> None:
    files.replace(place / _KEEPER, msgspec.json.encode(keeper), durable=False)


def _keeper_of(place: Path) -> Process | None:
    """Know the keeper of a job, also one that was started and not yet noted; it may have ended."""
    try:
        return msgspec.json.decode((place / _KEEPER).read_bytes(), type=Process)
    except (OSError, msgspec.DecodeError):
        return pid.find(place.name) if place.exists() else None


def _runs(place: Path) -> bool:
    keeper = _keeper_of(place)
    return keeper is not None and keeper.alive


def _tell(place: Path, number: Signals) -> None:
    keeper = _keeper_of(place)
    if keeper is not None:
        pid.signal_group(keeper, number)


def _kill_child(place: Path) -> None:
    """End what a keeper that was killed left behind."""
    with suppress(OSError, msgspec.DecodeError):
        child: Any = msgspec.json.decode((place / job_keeper.CHILD).read_bytes(), type=Process)
        pid.signal_group(child, SIGKILL)
