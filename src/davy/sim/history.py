"""What has happened in a world so far, rollout by rollout; the invariants are read off it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from davy.control.held import Watch
from davy.control.runs import RunRecord
from davy.ledger.entry import Entry
from davy.ledger.store import Record
from davy.model.analysis import AnalysisTemplate
from davy.model.judge import Judge
from davy.model.key import Key
from davy.model.rollout import Rollout
from davy.rollout.state import Aborted, RolloutState
from davy.sim.account import Account
from davy.sim.bench import Bench
from davy.sim.clock import VirtualClock
from davy.sim.evidence import Attempt, Truth, earned
from davy.sim.happenings import (
    Acted,
    Committed,
    Counted,
    Died,
    Happening,
    Leased,
    Measured,
    Served,
    SplitChanged,
    Turned,
    Unwritten,
    Wished,
)


@dataclass(slots=True)
class Track:
    """One rollout.

    `state` is what the store holds, `bench` what is known of its judge, `shares` the split in force since
    `split_since`, `deaf_at` when the data plane was last seen not to acknowledge, `is_read` whether its
    counters were read since anything changed.
    """

    manifest: Rollout
    state: RolloutState | None = None
    account: Account = field(default_factory=Account)
    attempts: list[Attempt] = field(default_factory=list)
    truth: Truth = field(default_factory=Truth)
    bench: Bench = field(default_factory=Bench)
    shares: Mapping[str, float] = field(default_factory=dict)
    split_since: float = 0.0
    deaf_at: float = -1e9
    is_read: bool = False

    @property
    def attempt(self) -> Attempt | None:
        """The walk that is under way or was the last."""
        return self.attempts[-1] if self.attempts else None

    @property
    def routed(self) -> bool:
        """Whether a router splits the traffic; else it follows the pods."""
        canary = self.manifest.spec.strategy.canary
        return canary is None or canary.traffic_routing is not None

    @property
    def canary_share(self) -> float:
        """The share in force of the version of the last attempt."""
        return self.shares.get(self.attempt.hash, 0.0) if self.attempt else 0.0

    @property
    def subject(self) -> str:
        """What entries about it are filed under."""
        return f"Rollout {self.manifest.key}"


@dataclass(slots=True)
class History:
    """All of it.

    `giving_back` are the rollouts of which an abort was decided and nothing since, written down or not (one
    that died with its engine before it was noted was not decided), and `untold` the attempts that users met
    and no entry tells of. `done` are the reasons of what people asked for and were told is done, `noted`
    those that the record has. `judged` are the services with a judge. `running` says of each analysis run
    whether it goes on, `begun` and `ended` name those of the last commit, and `first_seq` is the number that
    it had to begin with. `told` is what was said of changes so far, `twice` what of it was said again. `epoch`
    is that of the last lease, `calm_since` when the last fault was over.
    """

    clock: VirtualClock
    tracks: dict[Key, Track] = field(default_factory=dict)
    giving_back: dict[Key, Track] = field(default_factory=dict)
    templates: dict[str, AnalysisTemplate] = field(default_factory=dict)
    judged: set[str] = field(default_factory=set)
    running: dict[str, bool] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    done: dict[str, str] = field(default_factory=dict)
    noted: set[str] = field(default_factory=set)
    unwritten: set[str] = field(default_factory=set)
    first_seq: int = 1
    last_seq: int = 0
    epoch: int = 0
    told: set[bytes] = field(default_factory=set)
    twice: str = ""
    calm_since: float = 0.0
    untold: list[tuple[Track, Attempt]] = field(default_factory=list)

    def take(self, happening: Happening) -> None:
        """Take in what happened."""
        now = self.clock.time
        match happening:
            case Committed(changes=changes, entries=entries):
                self.first_seq = self.last_seq + 1
                self._read_records(changes)
                self._read_runs(changes)
                for entry in entries:
                    self._read_entry(entry)
                for subject in {entry.subject for entry in entries}:
                    if track := self.about(subject):
                        self._reach(track, now)
            case Unwritten(changes=changes, drafts=drafts):
                self.unwritten |= {draft.subject for draft in drafts}
                for track, state in self._states(changes):
                    if isinstance(state.progress, Aborted):
                        self.giving_back[track.manifest.key] = track
            case SplitChanged(key=key, after=after):
                track = self.tracks[key]
                track.shares, track.split_since, track.is_read = after, now, False
                if track.attempt and not track.attempt.over:
                    track.bench.split(after.get(track.attempt.hash, 0.0))
                self._reach(track, now)
            case Leased(epoch=epoch):
                self.epoch = epoch
            case Counted(key=key):
                self.tracks[key].bench.counted_at = now
            case Measured(key=key, hash=hash_, found=found):
                self.tracks[key].truth.answers.append((now, hash_, found))
            case Served(key=key, hash=hash_):
                self._meet(self.tracks[key], hash_, now)
            case Died(noted=noted):
                self.giving_back = {
                    key: track
                    for key, track in self.giving_back.items()
                    if track.subject in noted or (track.state and isinstance(track.state.progress, Aborted))
                }
            case Turned(deaf=deaf):
                for key in deaf:
                    self.tracks[key].deaf_at = now
            case Wished(key=key, action="promote"):
                self.tracks[key].truth.promotions.append(now)
            case Acted(answer="done") as acted:
                self.done[acted.reason] = acted.action
            case _:
                pass

    def about(self, subject: str) -> Track | None:
        """Find the rollout that an entry is about."""
        kind, _, name = subject.partition(" ")
        return self.tracks.get(_key(name)) if kind == "Rollout" else None

    def _read_records(self, changes: Mapping[Record, bytes | None]) -> None:
        for (bucket, name), body in changes.items():
            if bucket == "object" and body and name.startswith("Rollout/"):
                rollout = msgspec.json.decode(body, type=Rollout)
                self.tracks.setdefault(rollout.key, Track(rollout)).manifest = rollout
            elif bucket == "object" and body and name.startswith("AnalysisTemplate/"):
                template = msgspec.json.decode(body, type=AnalysisTemplate)
                self.templates[template.metadata.name] = template
            elif bucket == "object" and body and name.startswith("Judge/"):
                self.judged.add(msgspec.json.decode(body, type=Judge).spec.service)
            elif bucket == "watch" and (watched := self.tracks.get(_key(name))):
                found = msgspec.json.decode(body, type=Watch) if body else None
                watched.bench.store(found, self.clock.time)
        for track, state in self._states(changes):
            track.state, track.is_read = state, False
            if isinstance(state.progress, Aborted):
                self.giving_back[track.manifest.key] = track
            else:
                self.giving_back.pop(track.manifest.key, None)

    def _read_runs(self, changes: Mapping[Record, bytes | None]) -> None:
        bodies = [body for (bucket, _), body in changes.items() if bucket == "run" and body]
        runs = [msgspec.json.decode(body, type=RunRecord) for body in bodies]
        self.begun = {run.name for run in runs if run.name not in self.running}
        self.ended = {run.name for run in runs if run.state.completed and self.running.get(run.name, True)}
        self.running |= {run.name: not run.state.completed for run in runs}

    def _states(self, changes: Mapping[Record, bytes | None]) -> list[tuple[Track, RolloutState]]:
        """Return the states among some changes of rollouts that are there; the first may not get written."""
        return [
            (self.tracks[_key(name)], msgspec.json.decode(body, type=RolloutState))
            for (bucket, name), body in changes.items()
            if bucket == "rollout" and body and _key(name) in self.tracks
        ]

    def _read_entry(self, entry: Entry) -> None:
        self.last_seq = entry.seq
        if entry.kind.startswith("change_"):
            said = msgspec.json.encode(msgspec.structs.replace(entry, seq=0), order="sorted")
            self.twice = f"{entry.kind} of {entry.subject}" if said in self.told else self.twice
            self.told.add(said)
        if entry.reason:
            self.noted.add(entry.reason)
        track = self.about(entry.subject)
        if track is None:
            return
        track.account.read(entry)
        attempt = track.attempt
        match entry.kind:
            case "update_started":
                if attempt:
                    attempt.over = True
                hash_, revision = str(entry.detail["hash"]), int(str(entry.detail["revision"]))
                quick = "quick" in entry.detail and any(
                    each.hash == hash_ and each.ended == "promoted" for each in track.attempts
                )
                track.attempts.append(Attempt(hash_, revision, entry.at, quick=quick))
                track.bench.begin()
            case "bake_doubted":
                track.bench.doubt()
            case "change_exposed":
                for found in track.attempts:
                    found.exposed |= found.hash == entry.detail["hash"]
                self.untold = [(whose, each) for whose, each in self.untold if not each.exposed]
            case "change_rolled_back" | "change_aborted_unexposed" if attempt:
                attempt.over, attempt.ended = True, "taken back"
            case "change_superseded" if attempt:
                attempt.over, attempt.ended = True, "superseded"
            case "change_promoted" if attempt:
                attempt.ended = "promoted"
            case "step_completed" if attempt and not track.routed:
                attempt.reached[int(str(entry.detail["step"]))] = entry.at

    def _reach(self, track: Track, now: float) -> None:
        """Note that the weight of a step came into force, if it was earned."""
        attempt = track.attempt
        if attempt is None or attempt.over:
            return
        here = earned(track.manifest, self.templates, attempt, track.truth, now)
        share = track.shares.get(attempt.hash, 0.0)
        while here.step is not None and here.step not in attempt.reached and _is(share, here.weight):
            attempt.reached[here.step] = now
            here = earned(track.manifest, self.templates, attempt, track.truth, now)

    def _meet(self, track: Track, hash_: str, now: float) -> None:
        """Note that users met a version, in the last attempt at it."""
        attempt = next((each for each in reversed(track.attempts) if each.hash == hash_), None)
        if attempt and attempt.met_at is None:
            attempt.met_at = now
            if not attempt.exposed:
                self.untold.append((track, attempt))


def _is(share: float, weight: int) -> bool:
    return abs(100 * share - weight) < 1e-6


def _key(text: str) -> Key:
    namespace, _, name = text.partition("/")
    return Key(namespace, name)
