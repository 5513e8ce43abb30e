"""What has to be so after every event of every world, whatever was broken.

An invariant is a function from what just happened and everything before it to a sentence that says how it is
broken, or to an empty string. Its name is what it is called by, its docstring what it promises.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from davy.ledger.entry import Entry
from davy.ledger.store import Record
from davy.rollout.platform import Desired
from davy.rollout.replicas import approximate, resolve_bounds
from davy.rollout.state import UNDERWAY
from davy.sim.evidence import Earned, earned
from davy.sim.happenings import (
    Acted,
    Asked,
    Committed,
    Happening,
    Leased,
    Overdue,
    Rested,
    SplitChanged,
    Turned,
    Wrote,
)
from davy.sim.history import History, Track
from davy.sim.platform import shares

Invariant: TypeAlias = Callable[[Happening, History], str]

PATIENCE_S = 60.0
"""How long after the last fault an entry may still be missing: counters have to be read, and a turn taken."""
TELL_AGAIN_S = 5.5
"""How long after it acknowledges again a data plane may have to wait until it is told again."""
_TINY = 1e-6


def traffic_grows_only_on_passed_evidence(happening: Happening, history: History) -> str:
    """The share of a new version grows only over steps that are done.

    A step is done when its analysis got as many good answers about this version as its template asks for, its
    pause is over or was ended by a person, and its weight was in force. Unknown never counts. The same is held
    against what is asked of the platform and against what is in force; without a router, against the replicas
    that are asked for. A version is called stable only when all its steps are done.
    """
    match happening:
        case SplitChanged(key=key, before=before, after=after):
            track = history.tracks[key]
            return _grew(track, history, before, after, "is in force") if track.routed else ""
        case Asked(key=key, desired=desired, before=had):
            track = history.tracks[key]
            if track.routed:
                return _grew(track, history, track.shares, shares(desired.weights), "is asked for")
            if key in history.giving_back:
                return ""  # its replicas may come and go: they get nobody
            return _too_many(track, history, _replicas(had), _replicas(desired))
        case Committed(entries=entries):
            for entry in entries:
                track_of = history.about(entry.subject)
                if entry.kind == "change_promoted" and track_of and len(track_of.attempts) > 1:
                    found = _earned(track_of, history, str(entry.detail["hash"]))
                    if found.lacking:
                        return f"{entry.subject} is promoted, although {found.lacking}"
    return ""


def blue_green_moves_all_users_at_once(happening: Happening, history: History) -> str:
    """Users of a blue/green update get the active version or the new one, never a mixture.

    The switch needs what traffic needs anywhere: its pre-promotion analysis passed and it is promoted, by a
    person or by the time that the manifest names. An abort switches back at once; both are held by the
    invariants above and below.
    """
    match happening:
        case Asked(key=key, desired=desired):
            found = shares(desired.weights)
        case SplitChanged(key=key, after=after):
            found = dict(after)
        case _:
            return ""
    if history.tracks[key].manifest.spec.strategy.blue_green is not None and len(found) > 1:
        return f"{key}: users are split between {_names(found)}"
    return ""


def an_abort_gives_all_traffic_back(happening: Happening, history: History) -> str:
    """Once an abort is decided, the turn that decides it leaves no share to the new version.

    That holds whatever else is broken: the store, the providers, the replicas of stable, the routes of others.
    Only the data plane of this very rollout has to acknowledge; where it did not, it is told again until it
    does, so that all is given back a moment after it answers again. And what a person asks for is done: an
    abort is never put off. What a judge says is decided in the turn that it says it.
    """
    match happening:
        case Acted(key=key, action="abort", answer="failed"):
            return f"{key} could not be aborted"
        case Committed(changes=changes):
            for track in _watched(changes, history):
                if track.bench.wants_back and track.state and isinstance(track.state.progress, UNDERWAY):
                    return f"{track.manifest.key} goes on, and its judge says: {track.bench.reason}"
        case Turned():
            for key, track in history.giving_back.items():
                left = {h: share for h, share in track.shares.items() if h != track.account.stable}
                if left and history.clock.time > track.deaf_at + TELL_AGAIN_S:
                    share = _percent(sum(left.values()))
                    return f"{key} is aborted, and {share} of its users still meet {_names(left)}"
    return ""


def a_judged_canary_gets_more_only_on_the_word_of_its_judge(happening: Happening, history: History) -> str:
    """A canary that has a judge and traffic gets more of it, and is called stable, only when the judge says so.

    The judge is asked again, on what the engine stored with its decision. A step before a greater weight is
    done with the word of this very turn, which is about the split that is in force; so is a promotion, and that
    is the word of a judge which watched the version with everything for as long as it should. The share grows
    when the replicas for it are there, which may be later, and what the judge knows then is not always stored:
    of that it is asked that it is never greater than it ever was without a word about the greatest one until
    then. A version that comes back quickly, since it was stable
    before, is not asked about.
    """
    match happening:
        case Committed(entries=entries):
            for entry in entries:
                track = history.about(entry.subject)
                if (
                    track is not None
                    and _is_judged(track, history)
                    and (wrong := _unsaid(track, entry, history))
                ):
                    return f"{entry.subject}: {entry.kind}, although {wrong}"
        case SplitChanged(key=key) if _is_judged(track := history.tracks[key], history):
            had = track.bench.unasked
            if had >= 0.0:
                return (
                    f"{key}: {_percent(track.canary_share)} is in force, without a word about {_percent(had)}"
                )
    return ""


def without_data_nothing_is_promoted(happening: Happening, history: History) -> str:
    """A canary that has a judge gets more, and is called stable, only while what its users get is counted.

    The counters were read since the split is as it is, three looks ago at most, and users did meet the version.
    """
    if not isinstance(happening, Committed):
        return ""
    for entry in happening.entries:
        track = history.about(entry.subject)
        if track is None or not _is_judged(track, history) or not _gives_more(track, entry):
            continue
        assert track.attempt is not None, "it is judged"
        lacking = track.bench.lacks_data(track.split_since, history.clock.time)
        if lacking or track.attempt.met_at is None:
            return f"{entry.subject}: {entry.kind}, although {lacking or 'nobody has met it'}"
    return ""


def stable_is_whole_in_the_bake(happening: Happening, history: History) -> str:
    """While a version that has everything is watched, all replicas of the stable one are kept."""
    match happening:
        case Committed(entries=entries):
            for entry in entries:
                track = history.about(entry.subject)
                if entry.kind == "bake_started" and track is not None and track.state is not None:
                    kept = track.state.revision(track.state.stable).replicas
                    if kept < track.manifest.spec.desired_replicas:
                        return f"{entry.subject}: the bake begins with {kept} replicas of stable"
        case Asked(key=key, desired=desired, before=before) if key not in history.giving_back:
            state = history.tracks[key].state
            if state is None or not state.is_baking or not isinstance(state.progress, UNDERWAY):
                return ""
            least = min(
                history.tracks[key].manifest.spec.desired_replicas, _replicas(before).get(state.stable, 0)
            )
            asked = _replicas(desired).get(state.stable, 0)
            if asked < least:
                return f"{key}: {asked} replicas of stable are asked for in the bake, of {least}"
    return ""


def what_a_judge_knows_outlives_its_engine(happening: Happening, history: History) -> str:
    """Whatever dies, a judge goes on with what it knew of an attempt, but for the last ten seconds and a look.

    What it has taken in never becomes less, and what it takes in is stored in time.
    """
    now = history.clock.time
    match happening:
        case Committed(changes=changes):
            for track in _watched(changes, history):
                if track.bench.forgot:
                    return f"{track.manifest.key}: the judge forgot something: {track.bench.forgot}"
        case Turned() if now - history.calm_since > PATIENCE_S:
            for key, track in history.tracks.items():
                if _is_judged(track, history) and _is_walking(track) and track.bench.is_late():
                    return f"{key}: what the judge has learnt by {track.bench.counted_at:g} s is not stored"
    return ""


def every_exposure_has_its_entry(happening: Happening, history: History) -> str:
    """When users met a new version the record says so, and it never says so when they did not.

    The entry may come late while nothing can be counted or written, but at the latest a minute after all is
    well again.
    """
    now = history.clock.time
    match happening:
        case Committed(entries=entries):
            for entry in entries:
                track = history.about(entry.subject)
                if track and entry.kind == "change_exposed":
                    revision, hash_ = entry.detail["revision"], entry.detail["hash"]
                    if not any(each.met_at is not None for each in track.attempts if each.hash == hash_):
                        return f"{entry.subject}: nobody met revision {revision}, and its entry says so"
        case Turned() if now - history.calm_since > PATIENCE_S:
            return _unexposed(history, now - PATIENCE_S)
        case Rested():
            return _unexposed(history, now)
    return ""


def no_entry_without_its_change(happening: Happening, history: History) -> str:
    """Entries and the state they tell of are written together: neither is ever there without the other.

    What the entries of a rollout add up to is the state that is stored. Entries are numbered without a gap, and
    what is told of a change is told once. A `ledger_gap` is followed by as many entries as it says, and is only
    where something could not be written. What a person was told is done is in the record.
    """
    match happening:
        case Committed(changes=changes, entries=entries):
            numbers = [entry.seq for entry in entries]
            if numbers != list(range(history.first_seq, history.first_seq + len(numbers))):
                return f"entries are numbered {numbers}, after {history.first_seq - 1}"
            if history.twice:
                return f"{history.twice} is written twice"
            for index, entry in enumerate(entries):
                if entry.kind == "ledger_gap" and (wrong := _bad_gap(entry, len(entries) - index - 1, history)):
                    return wrong
            told = {(entry.kind, str(entry.detail.get("run"))) for entry in entries}
            begun = {run for kind, run in told if kind == "analysis_started"}
            ended = {run for kind, run in told if kind == "analysis_finished"}
            if begun != history.begun or ended - begun != history.ended - begun:
                really = f"{_names(history.begun)} began and {_names(history.ended)} ended"
                return f"runs: {really}; by the entries {_names(begun)} and {_names(ended)}"
            subjects = {entry.subject for entry in entries} | {
                f"Rollout {name}" for bucket, name in changes if bucket == "rollout"
            }
            for subject in sorted(subjects):
                track = history.about(subject)
                if track and track.state and (differs := track.account.differs(track.state)):
                    return f"{subject}: {differs}"
        case Rested():
            missing = [
                f"{action} ({reason})" for reason, action in history.done.items() if reason not in history.noted
            ]
            return f"done and not in the record: {', '.join(missing)}" if missing else ""
    return ""


def one_engine_at_a_time(happening: Happening, history: History) -> str:
    """Of two engines on one store one acts, and the other waits.

    The lease is given to another only once it has run out. From then on nothing that the one before still tries
    has an effect: not on the store, not on the platform, however late it wakes up.
    """
    now = history.clock.time
    match happening:
        case Leased(held_until=until) if until > now:
            return f"the lease is given to another while it is held for {until - now:g} s more"
        case Wrote(epoch=epoch, what=what) if epoch < history.epoch:
            return f"the engine of epoch {epoch} still writes to {what}; epoch {history.epoch} has taken over"
    return ""


def every_update_comes_to_rest(happening: Happening, _history: History) -> str:
    """Once all is well again, every update ends: promoted, taken back, or waiting for a person who comes.

    Nothing then runs, nothing is unwritten, nobody is in trouble.
    """
    return happening.what if isinstance(happening, Overdue) else ""


INVARIANTS: tuple[Invariant, ...] = (
    traffic_grows_only_on_passed_evidence,
    blue_green_moves_all_users_at_once,
    an_abort_gives_all_traffic_back,
    a_judged_canary_gets_more_only_on_the_word_of_its_judge,
    without_data_nothing_is_promoted,
    stable_is_whole_in_the_bake,
    what_a_judge_knows_outlives_its_engine,
    every_exposure_has_its_entry,
    no_entry_without_its_change,
    one_engine_at_a_time,
    every_update_comes_to_rest,
)


class Broken(BaseException):
    """An invariant does not hold. Not an Exception: the engine must not catch it and go on.

    Args:
        invariant: its name, as people read it.
        promise: what it promises, in one sentence.
        why: how it is broken.
    """

    def __init__(self, invariant: str, promise: str, why: str) -> None:
        super().__init__(f"{invariant}: {why}")
        self.invariant, self.promise, self.why = invariant, promise, why


def hold(happening: Happening, history: History) -> None:
    """Hold every invariant against what happened; it is in the history already.

    Raises:
        Broken: one does not hold.
    """
    for invariant in INVARIANTS:
        if why := invariant(happening, history):
            raise Broken(title(invariant), (invariant.__doc__ or "").splitlines()[0], why)


def title(invariant: Invariant) -> str:
    """Return the name of an invariant as people read it."""
    return invariant.__name__.replace("_", " ")


def _grew(
    track: Track, history: History, before: Mapping[str, float], after: Mapping[str, float], how: str
) -> str:
    """Say whether a version got more than it earned."""
    for hash_, share in after.items():
        if share <= before.get(hash_, 0.0) + _TINY:
            continue
        found = _earned(track, history, hash_)
        if share > found.weight / 100 + _TINY:
            return (
                f"{track.manifest.key}: {_percent(share)} for {hash_} {how}, after "
                f"{_percent(before.get(hash_, 0.0))}; it has earned {found.weight} %: {found.lacking}"
            )
    return ""


def _is_judged(track: Track, history: History) -> bool:
    """Say whether a judge has a say about the last attempt of a rollout."""
    named, attempt = track.manifest.metadata.name in history.judged, track.attempt
    return named and attempt is not None and not attempt.quick and len(track.attempts) > 1


def _is_walking(track: Track) -> bool:
    """Say whether an update is under way that has traffic."""
    return track.state is not None and isinstance(track.state.progress, UNDERWAY) and track.canary_share > 0.0


def _watched(changes: Mapping[Record, bytes | None], history: History) -> list[Track]:
    """Return the rollouts with a judge of which it is stored what their judge knows."""
    keys = (name for bucket, name in changes if bucket == "watch")
    found = (history.about(f"Rollout {name}") for name in keys)
    return [track for track in found if track is not None and _is_judged(track, history)]


def _gives_more(track: Track, entry: Entry) -> bool:
    """Say whether an entry is of what a judge is asked about: a promotion, a step before a greater weight."""
    if entry.kind != "step_completed":
        return entry.kind == "change_promoted"
    canary, index = track.manifest.spec.strategy.canary, int(str(entry.detail["step"]))
    assert canary is not None, "it is judged"
    held = [step.set_weight for step in canary.steps[: index + 1] if step.set_weight is not None]
    following = [step.set_weight for step in canary.steps[index + 1 : index + 2]]
    return bool(held and following) and 0 < held[-1] < (following[0] or 0)


def _unsaid(track: Track, entry: Entry, history: History) -> str:
    """Say why a judge did not say what an entry took it to say, or return an empty string."""
    if not _gives_more(track, entry):
        return ""
    if entry.kind == "change_promoted":
        return track.bench.lacks_bake(history.clock.time)
    return track.bench.lacks_word(track.canary_share, history.clock.time)


def _replicas(desired: Desired | None) -> Mapping[str, int]:
    """Return how many replicas of each version are wanted."""
    return {each.hash: each.replicas for each in desired.replica_sets} if desired else {}


def _too_many(track: Track, history: History, before: Mapping[str, int], asked: Mapping[str, int]) -> str:
    """Say whether a version gets more replicas than the weight that it earned is worth."""
    spec, canary = track.manifest.spec, track.manifest.spec.strategy.canary
    assert canary is not None
    n = spec.desired_replicas
    surge = resolve_bounds(canary.max_surge, canary.max_unavailable, n).surge
    for hash_, count in asked.items():
        found = _earned(track, history, hash_)
        most = n if found.weight >= 100 else approximate(n, found.weight, 100, surge).canary
        if count > max(most, before.get(hash_, 0)):
            return (
                f"{track.manifest.key}: {count} replicas of {hash_} are asked for; "
                f"{found.weight} % is worth {most}: {found.lacking}"
            )
    return ""


def _earned(track: Track, history: History, hash_: str) -> Earned:
    """Work out what a version has earned; the stable one, and the first one ever, has earned everything."""
    attempt = track.attempt
    if attempt is None or not track.account.stable or hash_ == track.account.stable:
        return Earned(100, None, "")
    if attempt.hash != hash_ or track.manifest.key in history.giving_back:
        return Earned(0, None, "it was aborted, or another version took its place")
    return earned(track.manifest, history.templates, attempt, track.truth, history.clock.time)


def _unexposed(history: History, by: float) -> str:
    """Name a version that users met by some time and that has no entry."""
    for track, each in history.untold:
        if each.met_at is not None and each.met_at <= by:
            key = track.manifest.key
            return f"{key}: users met revision {each.revision} at {each.met_at:g} s, and no entry says so"
    return ""


def _bad_gap(entry: Entry, following: int, history: History) -> str:
    """Say what is wrong with a gap."""
    said = entry.detail["entries"]
    if not isinstance(said, int) or said > following:
        return f"a gap says that {said} entries follow, and {following} do"
    return (
        ""
        if entry.subject in history.unwritten
        else f"{entry.subject} has a gap, and nothing was ever unwritten"
    )


def _names(found: Iterable[str]) -> str:
    return ", ".join(sorted(found)) or "none"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
