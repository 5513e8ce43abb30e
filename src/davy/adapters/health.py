"""What the probes of one process say: started, ready, to be restarted, and what is to be asked next.

Kubernetes' rules (https://kubernetes.io/docs/concepts/workloads/pods/probes), with one liberty that
Kubernetes takes too: a process that is not ready yet is asked more often than its period says, so that it gets
to work as soon as it can. Times are seconds of any clock that only goes forward; nothing here waits or asks.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from davy.model.pod import Container, Probe

_QUICK_S = 0.02
_GROWTH = 1.5
_SLOWEST_QUICK_S = 1.0


class Kind(StrEnum):
    """The three questions."""

    STARTUP = "startup"
    READINESS = "readiness"
    LIVENESS = "liveness"


@dataclass(slots=True)
class _Course:
    """How one question went so far."""

    probe: Probe
    next_at: float
    passed: int = 0
    failed: int = 0
    pause_s: float = field(default=_QUICK_S)


class Health:
    """The health of one process, from its start on.

    A container without a readiness probe is ready once its port accepts, and stays so.

    Args:
        container: whose probes are asked.
        began_at: when the process started.
        real_seconds: how long the readiness probe's seconds are. Those of the other two are always real ones:
            they say how long a process may take to start or to answer, and no clock makes it any faster.
        ready: what is known from before, of a process that was adopted.
    """

    def __init__(
        self,
        container: Container,
        began_at: float,
        real_seconds: Callable[[float], float],
        *,
        ready: bool = False,
    ) -> None:
        self.ready = ready
        self.failing = ""
        """Why it is not ready, as of the last answer."""
        self.condemned = ""
        """Why it has to be restarted, or nothing."""
        self._real_seconds = real_seconds
        self._began_at = began_at
        self._asks_for_ever = container.readiness_probe is not None
        readiness = container.readiness_probe or Probe()
        first_at = began_at + real_seconds(readiness.initial_delay_seconds)
        self._courses = {Kind.READINESS: _Course(readiness, first_at)}
        if container.liveness_probe is not None:
            self._courses[Kind.LIVENESS] = self._course(container.liveness_probe)
        if container.startup_probe is not None and not ready:
            self._courses[Kind.STARTUP] = self._course(container.startup_probe)
        self._rest()

    def next_at(self) -> float:
        """Say when the next question is due."""
        return min(course.next_at for course in self._open().values())

    def due(self, now: float) -> dict[Kind, Probe]:
        """Return the questions that are to be asked now."""
        return {kind: course.probe for kind, course in self._open().items() if course.next_at <= now}

    def note(self, kind: Kind, failure: str, now: float) -> None:
        """Take an answer in; it is good when it says nothing."""
        course = self._courses[kind]
        course.passed, course.failed = (0, course.failed + 1) if failure else (course.passed + 1, 0)
        period_s: float = max(1, course.probe.period_seconds)
        match kind:
            case Kind.STARTUP:
                self._note_startup(course, failure, now)
            case Kind.READINESS:
                self._note_readiness(course, failure)
                period_s = self._real_seconds(period_s)
            case Kind.LIVENESS:
                if course.failed >= max(1, course.probe.failure_threshold):
                    self.condemned = f"liveness probe failed: {failure}"
        hurry = kind is not Kind.LIVENESS and not self.ready and not course.passed
        course.next_at = now + (min(period_s, course.pause_s) if hurry else period_s)
        course.pause_s = min(_SLOWEST_QUICK_S, course.pause_s * _GROWTH)
        self._rest()

    def _note_startup(self, course: _Course, failure: str, now: float) -> None:
        """Give up when as much time has passed as the threshold of failures would have taken."""
        if not failure:
            del self._courses[Kind.STARTUP]
            return
        self.failing = failure
        probe = course.probe
        allowed = probe.initial_delay_seconds + probe.period_seconds * probe.failure_threshold
        if now >= self._began_at + allowed:
            self.condemned = f"startup probe failed: {failure}"

    def _note_readiness(self, course: _Course, failure: str) -> None:
        if not failure and course.passed >= course.probe.success_threshold:
            self.ready, self.failing = True, ""
        elif failure and (not self.ready or course.failed >= course.probe.failure_threshold):
            self.ready, self.failing = False, failure

    def _rest(self) -> None:
        if self.ready and not self._asks_for_ever:
            self._courses[Kind.READINESS].next_at = math.inf

    def _open(self) -> dict[Kind, _Course]:
        """Until it has started, nothing else is asked."""
        if Kind.STARTUP in self._courses:
            return {Kind.STARTUP: self._courses[Kind.STARTUP]}
        return self._courses

    def _course(self, probe: Probe) -> _Course:
        return _Course(probe, self._began_at + probe.initial_delay_seconds)
