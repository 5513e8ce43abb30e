"""The people of a world: they release, look after what waits for them, and ask again when nobody answered."""

from dataclasses import dataclass, field
from random import Random

from davy.control import requests
from davy.model.key import Key
from davy.rollout.state import UNDERWAY, Aborted, pause_of
from davy.sim.history import Track
from davy.sim.plan import Release, Service

Wish = (
    requests.SetImage
    | requests.Promote
    | requests.Abort
    | requests.Retry
    | requests.Pause
    | requests.Resume
    | requests.Restart
    | requests.Undo
    | requests.Scale
)


@dataclass(slots=True)
class Team:
    """Who releases one service.

    Whatever a person decides is drawn from what they look at, not from when they look, so that a world with a
    crash in it has the same people as one without.
    """

    seed: int
    service: Service
    released: int = 0
    retried: set[str] = field(default_factory=set)
    measured_again: int = 0
    reasons: int = 0

    @property
    def key(self) -> Key:
        """The rollout that they look after."""
        return Key("default", self.service.name)

    @property
    def next_release(self) -> Release | None:
        """What they will release next."""
        left = self.service.releases[self.released :]
        return left[0] if left else None

    def release(self, release: Release) -> requests.SetImage:
        """Ask for a release."""
        self.released += 1
        self.measured_again = 0
        return requests.SetImage(*self._named(), {"app": release.image}, reason=self._reason("release"))

    def abort(self) -> requests.Abort:
        """Ask for an abort."""
        return requests.Abort(*self._named(), reason=self._reason("no more of this"))

    def deed(self, verb: str) -> Wish:
        """Ask for what somebody does by the clock."""
        name = self._named()
        match verb:
            case "abort":
                return self.abort()
            case "pause":
                return requests.Pause(*name, reason=self._reason("lunch"))
            case "restart":
                return requests.Restart(*name, reason=self._reason("it leaks"))
            case "undo":
                return requests.Undo(*name, reason=self._reason("back to what was"))
            case _:
                assert verb == "scale", verb
                return requests.Scale(*name, self.service.replicas + 1, reason=self._reason("a busy day"))

    def look_after(self, track: Track) -> Wish | None:
        """Decide what to do about a rollout as it is."""
        assert track.state is not None
        if track.manifest.spec.paused:
            return requests.Resume(*self._named(), reason=self._reason("back from lunch"))
        progress, pause = track.state.progress, pause_of(track.state.progress)
        if pause is not None and pause.reason.lacks_evidence:
            return self._about_unknown()
        if pause is not None and pause.duration_s is None:
            return self._about_pause(f"{track.state.current}/{getattr(progress, 'index', 0)}")
        if isinstance(progress, Aborted):
            return self._about_abort(track.state.current)
        late = any(condition.reason == "ProgressDeadlineExceeded" for condition in track.state.conditions)
        return self.abort() if late and isinstance(progress, UNDERWAY) else None

    def _about_unknown(self) -> Wish | None:
        """Measure once or twice more, then give up; or leave it to the deadline."""
        self.measured_again += 1
        if self.measured_again <= 2:
            return requests.Promote(*self._named(), reason=self._reason("measure again"))
        return self.abort() if self.service.deadline_aborts else None

    def _about_pause(self, what: str) -> Wish:
        rng = Random(f"{self.seed}/{self.service.name}/{what}")  # noqa: S311
        if rng.random() < 0.85:
            return requests.Promote(*self._named(), reason=self._reason("looks good"))
        return self.abort()

    def _about_abort(self, hash_: str) -> Wish | None:
        """Try once more, if this is such a release."""
        last = self.service.releases[self.released - 1] if self.released else None
        if last is None or not last.retried or hash_ in self.retried:
            return None
        self.retried.add(hash_)
        return requests.Retry(*self._named(), reason=self._reason("again"))

    def will_retry(self, track: Track) -> bool:
        """Say whether an abort is not the end of it."""
        last = self.service.releases[self.released - 1] if self.released else None
        return bool(last and last.retried and track.state and track.state.current not in self.retried)

    def _named(self) -> tuple[str, str]:
        return self.key.namespace, self.key.name

    def _reason(self, why: str) -> str:
        """Make a reason that is found again in the record."""
        self.reasons += 1
        return f"{why} ({self.service.name} {self.reasons})"
