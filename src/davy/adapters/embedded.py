"""The platform of one machine: replicas are local processes, traffic is split by a real Envoy.

Everything it needs to know is in its directory, and everything it started outlives it: after a crash, a new one
in the same directory finds the processes, the splits and what was wanted, and goes on.
"""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from davy.adapters.builds import Builds
from davy.adapters.clock import Clock
from davy.adapters.envoy import Envoy
from davy.adapters.fence import Fence
from davy.adapters.images import Images
from davy.adapters.processes import Record, Surroundings
from davy.adapters.steered import Steered
from davy.ledger.lease import Fenced
from davy.model.images import ImageMap
from davy.model.key import Key
from davy.model.pod import PodTemplateSpec
from davy.rollout.platform import Desired, Launch, Seen
from davy.traffic.names import file_name, route_name

_RETRY_S = 0.25
_LOGS_KEPT = 100

_Kept = TypeVar("_Kept")


class _Wanted(msgspec.Struct, frozen=True):
    """What a rollout was last told, as it is kept."""

    key: Key
    desired: Desired
    forgotten: bool = False


class EmbeddedPlatform:
    """Runs rollouts on this machine; see `davy.rollout.platform.Platform` for what it promises.

    Args:
        directory: where all of its state is.
        clock: tells the time, at a speed.
        fence: what its files are changed through; it takes over from whoever was there where none is given.
        environment: what every replica and build finds in its environment, PATH above all.
        base: where images that are not mapped run.
        back_off_s: the pause before a replica that crashed twice is started again; it doubles from there.
        deadline_s: how long Envoy may take to acknowledge.
        changed: called with the key of a rollout whose replicas came up, went or failed, or whose split moved
            on in the background, so that nobody has to ask for news.
    """

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        *,
        fence: Fence | None = None,
        environment: Mapping[str, str] | None = None,
        base: Path | None = None,
        back_off_s: float = 10.0,
        deadline_s: float = 3.0,
        changed: Callable[[Key], None] = lambda _: None,
    ) -> None:
        self._directory = directory.absolute()
        for name in ("replicas", "rollouts", "logs", "builds"):
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        self._fence = fence or Fence.take(self._directory / "terms")
        environment = {"PATH": os.defpath} if environment is None else environment
        self._clock = clock
        self._builds = Builds(self._directory / "builds", environment=environment)
        self._images = Images(self._builds, base=base or self._directory, environment=environment)
        self._envoy = Envoy(
            self._directory / "gateway",
            self._fence,
            search_path=environment.get("PATH", ""),
            deadline_s=deadline_s,
        )
        self._around = Surroundings(
            clock=clock,
            fence=self._fence,
            records=self._directory / "replicas",
            logs=self._directory / "logs",
            environment=environment,
            builds=self._builds,
            back_off_s=back_off_s,
        )
        self._rollouts: dict[Key, Steered] = {}
        self._saved: dict[Key, _Wanted] = {}
        self._adding = threading.Lock()
        self._woken = threading.Event()
        self._closing = False
        self._changed = changed
        self._thread = threading.Thread(target=self._converge, name="converge", daemon=True)

    def start(self) -> "EmbeddedPlatform":
        """Take over what is there: Envoy, the replicas, and what was wanted of them.

        Raises:
            Fenced: another engine has taken over meanwhile.
            Undecided: Envoy does not start.
        """
        self._envoy.start()
        for wanted in self._read_all(self._directory / "rollouts", _Wanted):
            steered = self._steered(wanted.key)
            steered.desired, steered.forgotten = wanted.desired, wanted.forgotten
            self._saved[wanted.key] = wanted
        for record in self._read_all(self._directory / "replicas", Record):
            self._steered(record.key).adopt(record)
        self._thread.start()
        self._woken.set()
        return self

    def close(self) -> None:
        """Let go: users go on being served, and a later Davy takes over."""
        self._end_thread()
        replicas = [replica for steered in self._rollouts.values() for replica in steered.replicas]
        for replica in replicas:
            replica.close()
        for replica in replicas:
            replica.join()
        self._builds.close()
        self._envoy.close()

    def shutdown(self) -> None:
        """End everything, without waiting for users."""
        self._end_thread()
        replicas = [replica for steered in self._rollouts.values() for replica in steered.replicas]
        for replica in replicas:
            replica.leave(hurry=True)
        for replica in replicas:
            replica.join()
        for key in self._rollouts:
            self._fence.remove(self._file(key))
        self._builds.close()
        self._envoy.stop()

    def stats(self, pattern: str) -> str:
        """Read Envoy's used statistics whose names match, in Prometheus' text format.

        Raises:
            Undecided: Envoy does not answer.
        """
        return self._envoy.stats(pattern)

    def use_images(self, images: ImageMap) -> None:
        """Take in what stands behind images."""
        self._images.use(images)

    def resolve(self, key: Key, template: PodTemplateSpec) -> Launch:
        """Say how the image of a pod template is started here."""
        return self._images.resolve(template)

    def launch(self, template: PodTemplateSpec) -> Launch:
        """Say how the image of something that is no replica is started here."""
        return self._images.resolve(template)

    def built(self, launch: Launch) -> bool:
        """Say whether what is to be started has been built; if not, see to it in the background."""
        return self._builds.ready(launch)

    def look(self, key: Key) -> Seen:
        """Say what there is; costs microseconds."""
        steered = self._rollouts.get(key)
        return Seen() if steered is None else steered.look(self._clock.now())

    def steer(self, key: Key, desired: Desired) -> None:
        """Split the traffic now, and let the replicas follow."""
        self._fence.check()
        while not self._steered(key).steer(desired):
            self._drop(key)
        self._woken.set()

    def forget(self, key: Key) -> None:
        """Take the listener away now, and let the replicas go."""
        self._fence.check()
        if key in self._rollouts:
            self._steered(key).forget()
            self._woken.set()

    def _steered(self, key: Key) -> Steered:
        with self._adding:
            if key not in self._rollouts:
                made = Steered(key, self._envoy, self._around, partial(self._wake, key))
                self._rollouts = {**self._rollouts, key: made}
            return self._rollouts[key]

    def _wake(self, key: Key) -> None:
        """Take in that a replica of a rollout changed."""
        self._woken.set()
        self._changed(key)

    def _converge(self) -> None:
        with suppress(Fenced):  # another engine looks after everything now
            self._converge_always()

    def _converge_always(self) -> None:
        unfinished = False
        while True:
            self._woken.wait(_RETRY_S if unfinished else None)
            self._woken.clear()
            if self._closing:
                return
            unfinished = bool(self._envoy.trouble)
            self._envoy.mend()
            for key, steered in self._rollouts.items():
                self._save(key, steered)
                if steered.converge():
                    self._changed(key)
                unfinished = unfinished or steered.unfinished
                if steered.retire():
                    self._drop(key)
            self._prune_logs()

    def _save(self, key: Key, steered: Steered) -> None:
        """Write down what is wanted, for whoever comes after us."""
        if steered.desired is None:
            return
        wanted = _Wanted(key, steered.desired, steered.forgotten)
        if self._saved.get(key) != wanted:
            try:
                self._fence.replace(self._file(key), msgspec.json.encode(wanted), durable=False)
            except OSError as error:
                steered.unsaved = f"what {key} wants cannot be written down: {error}"
            else:
                steered.unsaved = ""
                self._saved[key] = wanted

    def _prune_logs(self) -> None:
        """Keep the logs of what runs, and of what ended last."""
        self._fence.check()
        running = {replica.record.name for each in self._rollouts.values() for replica in each.replicas}
        with suppress(OSError):
            ended = [log for log in self._around.logs.iterdir() if log.name.split(".log")[0] not in running]
            for log in sorted(ended, key=lambda log: log.stat().st_mtime)[:-_LOGS_KEPT]:
                log.unlink()

    def _drop(self, key: Key) -> None:
        with self._adding:
            self._rollouts = {each: steered for each, steered in self._rollouts.items() if each != key}
        self._saved.pop(key, None)
        self._fence.remove(self._file(key))

    def _file(self, key: Key) -> Path:
        return self._directory / "rollouts" / file_name(route_name(key))

    def _end_thread(self) -> None:
        self._closing = True
        self._woken.set()
        self._thread.join()

    def _read_all(self, directory: Path, kind: type[_Kept]) -> list[_Kept]:
        """Read the records of a directory.

        One that cannot be read was being written when the power failed, so what it was about has ended, too.
        """
        found = []
        for path in sorted(directory.glob("*.json")):
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=kind))
            except (OSError, msgspec.DecodeError):
                self._fence.remove(path)
        return found
