"""From the entries of the ledger to the events that figures are computed from.

One entry may be several events: a rollout counts for every change that it contains. And some entries say how
others are to be read: which of these changes was at fault, what a repository is called by now. So these
corrections are collected first; the rest is read once, in order, and an entry that completes an earlier one
(what a rollout contains may be told after users met it) brings the events that were missing then.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from davy.reports import telling
from davy.reports.cloudevents import micros
from davy.reports.event import Audience, Change, ChangeEvent, EventType, Kind
from davy.reports.telling import KIND_OF, TYPES, USERS, Named, Said, Telling

DRILL_US = 24 * 3600 * 1_000_000
"""How long a drill lasts at most: what is never finished would hide everything."""

ENGINE = "davy"
"""The source of what an engine writes down itself."""

_CORRECTING = frozenset({b"change_blamed", b"service_renamed"})
_MILLIONTHS = 10_000
_BACK = "the stable version is wanted again"
_WITH_WEIGHT = ("exposed", "rolled_back")
_COUNTED = ("promoted", "rolled_back")
_AUDIENCES: dict[str, Audience] = {"internal": "internal", "shadow": "shadow", "synthetic": "synthetic"}


@dataclass(slots=True)
class Corrections:
    """How entries are to be read.

    `blamed` is the change at fault in a rollout, `causes` that of an incident of a service. `repositories` are
    the last names of those that have others, `services` are `(since, from, to)` in order of time.
    """

    blamed: dict[str, set[Change]] = field(default_factory=dict)
    causes: dict[tuple[str, str], Change] = field(default_factory=dict)
    repositories: dict[str, str] = field(default_factory=dict)
    services: list[tuple[int, str, str]] = field(default_factory=list)

    def read(self, body: bytes) -> bool:
        """Take in an entry, and say whether it corrects any other."""
        if b"change_blamed" not in body and b"service_renamed" not in body:
            return False  # as most entries are, without looking for their kind
        kind = telling.kind_of(body)
        if kind not in _CORRECTING:
            return False
        entry = telling.telling(body)
        try:
            if kind == b"change_blamed":
                return self._blame(telling.said(entry.detail))
            return self._rename(entry.at, telling.renamed(entry.detail))
        except msgspec.MsgspecError:
            return False

    def change(self, named: Named) -> Change:
        """Return a change under the name that its repository has by now."""
        repo, commit = named.change
        return self.repository(repo), commit

    def repository(self, name: str) -> str:
        """Return the name that a repository has by now."""
        return self.repositories.get(name, name)

    def at_fault(self, rollout: str) -> set[Change]:
        """Return the changes of a rollout that were at fault, none where nobody said which."""
        return {(self.repository(repo), commit) for repo, commit in self.blamed.get(rollout, ())}

    def service(self, name: str, at: int) -> str:
        """Return the name that a service had at an instant."""
        for since, before, after in self.services:
            if name == before and at >= since:
                name = after
        return name

    def _blame(self, blame: Said) -> bool:
        if blame.change is None:
            return False
        if blame.rollout:
            self.blamed.setdefault(blame.rollout, set()).add(blame.change.change)
        if blame.incident:
            self.causes[blame.service, blame.incident] = blame.change.change
        return bool(blame.rollout or blame.incident)

    def _rename(self, at: int, name: telling.Renamed) -> bool:
        if name.what == "service":
            self.services = sorted([*self.services, (at, name.from_, name.to)])
            return True
        old, new = telling.repository_name(name.from_), telling.repository_name(name.to)
        others = {each: new if last == old else last for each, last in self.repositories.items()}
        self.repositories = {**others, old: new}
        self.repositories.pop(new, None)
        return True


class _Update(msgspec.Struct, eq=False, gc=False):
    """One update of a rollout: the attempts that it is, and what is known to have become of it."""

    place: str
    name: str
    story: Said
    service: str
    changes: dict[Change, int]
    told: tuple["_Told", ...] = ()
    reverted: tuple[Change, ...] = ()
    back_at: int | None = None
    waiver: str = ""
    hidden: bool = False


class _Told(msgspec.Struct, frozen=True, gc=False):
    """What an entry told of an update."""

    type: EventType
    at: int
    seq: int
    said: Said
    cause: str


@dataclass(slots=True)
class _Drill:
    """What is rehearsed, from when to when."""

    said: telling.Drilled
    since: int
    until: int

    def covers(self, at: int, service: str, rollout: str = "", audience: str = "users") -> bool:
        """Say whether what begins at an instant belongs to it."""
        if not self.since <= at <= self.until:
            return False
        if self.said.audience:
            return audience == self.said.audience
        return service == self.said.service if self.said.service else rollout == self.said.rollout


class Projection:
    """Reads the entries of a ledger in their order and returns the events that each adds.

    `stale` says that an entry corrects what was returned before and was not among the corrections that the
    projection began with: then all has to be read again. `unread` are the entries that could not be read.
    """

    def __init__(self, corrections: Corrections | None = None) -> None:
        self._corrections, self._ahead = corrections or Corrections(), corrections is not None
        self.stale = False
        self.unread: list[int] = []
        self._updates: dict[str, _Update] = {}
        self._current: dict[str, _Update] = {}
        self._early: dict[str, list[telling.Contained]] = {}
        self._tries: dict[tuple[str, Change], int] = {}
        self._latest: dict[tuple[str, Change], _Update] = {}
        self._left: dict[str, tuple[_Update, int, Said]] = {}
        self._kinds: dict[Change, Kind] = {}
        self._drills: list[_Drill] = []
        self._hidden: set[tuple[str, ...]] = set()
        self._incidents: dict[tuple[str, str], str] = {}

    def read(self, body: bytes, seq: int) -> list[ChangeEvent]:
        """Return the events that an entry adds to those of the entries before it."""
        if not self._ahead and self._corrections.read(body):
            self.stale = True
        if telling.kind_of(body) not in telling.READ:
            return []
        entry = telling.telling(body)
        try:
            return self._read(entry, seq)
        except (msgspec.MsgspecError, ValueError, LookupError, OverflowError):
            self.unread.append(seq)
            return []

    def _read(self, entry: Telling, seq: int) -> list[ChangeEvent]:
        kind = entry.kind
        if (type_ := TYPES.get(kind)) is not None:
            found = telling.said(entry.detail)
            if not entry.source and (update := self._updates.get(found.rollout)) is not None:
                return self._of_engine(update, type_, entry.at, seq, found)
            return self._from_outside(type_, entry, seq, found)
        if (changed := KIND_OF.get(kind)) is not None:
            return self._without_rollout(changed, entry, seq, telling.said(entry.detail))
        match kind:
            case "update_started":
                self._begin(entry, seq, telling.said(entry.detail))
            case "change_contained":
                return self._contain(telling.contained(entry.detail))
            case "change_superseded":
                found = telling.said(entry.detail)
                if (update := self._updates.get(found.rollout)) is not None:
                    self._left[entry.subject] = update, entry.at, found
            case "stable_restored":
                return self._restore(entry, seq)
            case "waiver_used":
                self._pass(entry.subject, telling.used(entry.detail))
            case "drill_started":
                self._drills.append(_Drill(telling.drilled(entry.detail), entry.at, entry.at + DRILL_US))
            case _:
                assert kind == "drill_finished", f"nobody reads {kind}"
                self._finish(telling.drilled(entry.detail).drill, entry.at)
        return []

    # Updates of rollouts, as an engine tells of them.

    def _begin(self, entry: Telling, seq: int, story: Said) -> None:
        if story.change is None:
            return  # an engine that did not tell yet whose change it is
        service = self._corrections.service(story.service, entry.at)
        place = f"{entry.subject}\n{story.environment}\n{story.target}"
        name = story.rollout
        if name in self._updates:
            name += f"@{seq}"  # the rollout was taken away meanwhile, and another one begins to count anew
        update = _Update(place, name, story, service, {}, waiver=story.waiver)
        rollout = entry.subject.removeprefix("Rollout ")
        update.hidden = bool(self._drills) and self._is_drill(entry.at, service, rollout)
        self._updates[story.rollout] = self._current[entry.subject] = update
        self._attempt(update, self._corrections.change(story.change))
        for early in self._early.pop(story.rollout, ()):
            self._contain(early)

    def _attempt(self, update: _Update, change: Change) -> None:
        """Count another attempt at a change."""
        number = self._tries[update.place, change] = self._tries.get((update.place, change), 0) + 1
        update.changes[change] = number

    def _contain(self, found: telling.Contained) -> list[ChangeEvent]:
        """Take in what a rollout contains; what was told of the rollout before counts for that, too."""
        update = self._updates.get(found.rollout)
        if update is None:
            self._early.setdefault(found.rollout, []).append(found)
            return []
        repo = self._corrections.repository(telling.repository_name(found.repo))
        events: list[ChangeEvent] = []
        for commit in found.changes:
            change = repo, commit
            if change not in update.changes:
                self._attempt(update, change)
                for told in update.told:
                    events += self._events(update, told, [change])
        if found.reverted:
            events += self._go_back(update, tuple((repo, commit) for commit in found.reverted))
        return events

    def _go_back(self, update: _Update, removed: tuple[Change, ...]) -> list[ChangeEvent]:
        """Take in that an update goes back, by the history of its repository, and before which changes."""
        events: list[ChangeEvent] = []
        update.reverted += removed
        if update.story.kind != "rollback":
            update.story = msgspec.structs.replace(update.story, kind="rollback")
            for told in update.told:
                events += self._events(update, told, update.changes, "/back")
        for told in update.told:
            if told.type == "exposed":
                events += self._take_back(update, told.at, told.seq, removed)
        return events

    def _of_engine(
        self, update: _Update, type_: EventType, at: int, seq: int, found: Said
    ) -> list[ChangeEvent]:
        events = self._tell(update, _Told(type_, at, seq, found, found.cause))
        if type_ != "exposed":
            return events
        if update.back_at is not None:
            events += self._tell(update, _Told("rolled_back", max(at, update.back_at), seq, Said(), _BACK))
        if update.story.kind == "rollback" or update.reverted:
            before = self._updates.get(update.story.from_.rollout) if update.story.from_ else None
            removed = update.reverted or (tuple(before.changes) if before else ())
            events += self._take_back(update, at, seq, removed)
        return events

    def _tell(self, update: _Update, told: _Told) -> list[ChangeEvent]:
        """Return an event for every change of an update, and remember it for those that are yet to be told."""
        update.told = (*update.told, told)
        return self._events(update, told, update.changes)

    def _events(
        self, update: _Update, told: _Told, changes: Iterable[Change], part: str = ""
    ) -> list[ChangeEvent]:
        if update.hidden:
            return []
        story, type_, seq, found = update.story, told.type, told.seq, told.said
        own = next(iter(update.changes))
        blamed: set[Change] = set()
        if self._corrections.blamed:
            blamed = self._corrections.at_fault(story.rollout) & update.changes.keys()
        events = []
        for change in changes:
            if type_ == "exposed":
                self._latest[update.place, change] = update
            if type_ == "rolled_back" and blamed and change not in blamed:
                continue
            mine = change == own
            kind = story.kind
            if kind == "code" or not mine:
                kind = "rollback" if kind == "rollback" else self._kinds.get(change, "code")
            event = ChangeEvent(
                ENGINE,
                f"{seq}/{type_}/{update.name}{part if mine else f'/{change[0]}@{change[1]}{part}'}",
                type_,
                told.at,
                *change,
                update.service,
                story.environment,
                story.target,
                update.name,
                update.changes[change],
                kind,
                _share(found.weight) if type_ in _WITH_WEIGHT else None,
                "users",
                self._remediated(story, own) if mine and type_ in ("exposed", "promoted") else None,
                told.cause,
                "",
                None,
                None,
                found.requests if mine and type_ in _COUNTED else None,
                found.bad_requests if mine and type_ in _COUNTED else None,
                update.waiver,
                story.team,
                seq,
            )
            events.append(event)
        return events

    def _take_back(self, update: _Update, at: int, seq: int, removed: Iterable[Change]) -> list[ChangeEvent]:
        """Return that changes are taken back from the users, by an update that goes back before them."""
        events: list[ChangeEvent] = []
        cause = f"{update.name} goes back"
        for change in removed:
            before = self._latest.get((update.place, change))
            if before is not None and before is not update and not update.hidden:
                events += self._events(before, _Told("rolled_back", at, seq, Said(), cause), [change])
        return events

    def _restore(self, entry: Telling, seq: int) -> list[ChangeEvent]:
        """Take it for a rollback that the manifest names the stable version again, if users met the other."""
        update, at, found = self._left.pop(entry.subject, (None, 0, Said()))
        if update is None or at != entry.at:
            return []
        update.back_at = at
        return self._tell(update, _Told("rolled_back", at, seq, found, _BACK)) if found.exposed else []

    def _pass(self, subject: str, waiver: telling.Used) -> None:
        """Note that an update passed a step by a waiver; what it needed to begin is told where it does."""
        if waiver.action.startswith("promote"):
            for name in (subject, subject.replace("Rollout ", "Rollout default/", 1)):
                if (update := self._current.get(name)) is not None:
                    update.waiver = min(filter(None, (update.waiver, waiver.waiver)))

    # What others tell.

    def _from_outside(self, type_: EventType, entry: Telling, seq: int, found: Said) -> list[ChangeEvent]:
        if type_ in ("opened", "restored"):
            return self._of_incident(type_, entry, seq, found)
        if found.change is None or (not found.service and type_ not in ("created", "merged")):
            raise ValueError("it does not say which change, or of which service")
        event = self._event(type_, entry, seq, found)
        if type_ in ("created", "merged"):
            if found.kind != "code":
                self._kinds[event.repo, event.commit] = found.kind
            return [event]
        key = event.repo, event.commit, event.service, str(event.attempt)
        rollout = found.rollout.partition("#")[0]
        if type_ == "exposed" and self._is_drill(entry.at, event.service, rollout, event.audience):
            self._hidden.add(key)
        return [] if key in self._hidden else [event]

    def _is_drill(self, at: int, service: str, rollout: str = "", audience: str = "users") -> bool:
        return any(each.covers(at, service, rollout, audience) for each in self._drills)

    def _event(self, type_: EventType, entry: Telling, seq: int, found: Said, part: str = "") -> ChangeEvent:
        repo, commit = ("", "") if found.change is None else self._corrections.change(found.change)
        service = self._corrections.service(found.service, entry.at) if found.service else ""
        exposed, ended = type_ == "exposed", type_ in ("rolled_back", "aborted_unexposed")
        audience = found.audience if exposed else "users"
        return ChangeEvent(
            f"{ENGINE}/told" if entry.source == ENGINE else entry.source or ENGINE,
            (entry.id or str(seq)) + part,
            type_,
            entry.at,
            repo,
            commit,
            service,
            found.environment,
            found.target,
            found.rollout,
            found.attempt,
            found.kind,
            _millionths(found.weight) if type_ in _WITH_WEIGHT else None,
            "users" if audience in USERS else _AUDIENCES[audience],
            None if ended else self._remediated(found, (repo, commit)),
            found.cause if ended or type_ in ("opened", "restored") else "",
            found.incident,
            entry.received,
            _instant(found.committed_at),
            found.requests if type_ in _COUNTED else None,
            found.bad_requests if type_ in _COUNTED else None,
            found.waiver,
            found.team,
            seq,
        )

    def _of_incident(self, type_: EventType, entry: Telling, seq: int, found: Said) -> list[ChangeEvent]:
        if not found.service or not found.incident:
            raise ValueError("it does not say which incident, or of which service")
        event = self._event(type_, entry, seq, found)
        key = self._corrections.service(found.service, 2**62), found.incident
        service = self._incidents.setdefault(key, event.service)
        if type_ == "opened" and self._is_drill(entry.at, service):
            self._hidden.add(("incident", *key))
        if ("incident", *key) in self._hidden:
            return []
        cause = self._corrections.causes.get((found.service, found.incident))
        repo, commit = cause or (event.repo, event.commit)
        return [msgspec.structs.replace(event, service=service, repo=repo, commit=commit)]

    def _without_rollout(self, kind: Kind, entry: Telling, seq: int, found: Said) -> list[ChangeEvent]:
        """Read a change of a flag, a configuration, a database: users have it at once, or have it no more."""
        if found.change is None or not found.service:
            raise ValueError("it does not say which change, or of which service")
        if self._is_drill(entry.at, self._corrections.service(found.service, entry.at)):
            return []
        if not entry.source and found.weight == 0 and not found.undone:
            return []  # an engine tells of a flag that nobody gets anything else of, as behind a gate
        types: list[EventType] = ["exposed"] if found.weight is None or found.weight > 0 else []
        types += ["promoted"] if found.weight is None or found.weight >= 100 else []
        if found.undone or not types:
            types = ["rolled_back"]
        found = msgspec.structs.replace(found, kind=kind)
        if found.undone:
            found = msgspec.structs.replace(found, weight=None)
        return [self._event(type_, entry, seq, found, f"/{type_}") for type_ in types]

    def _remediated(self, found: Said, own: Change) -> Change | None:
        """Return the change that one mends; a commit alone is one of its own repository."""
        match found.remediates:
            case None | "":
                return None
            case str() as commit:
                return own[0], commit
            case named:
                return self._corrections.change(named)

    def _finish(self, drill: str, at: int) -> None:
        for each in self._drills:
            if each.said.drill == drill:
                each.until = min(each.until, at)


def corrections(bodies: Iterable[bytes]) -> Corrections:
    """Collect from all entries how others are to be read."""
    found = Corrections()
    for body in bodies:
        found.read(body)
    return found


def project(bodies: Sequence[bytes]) -> list[ChangeEvent]:
    """Return the events of a ledger from its first entry on."""
    projection = Projection(corrections(bodies))
    return [event for seq, body in enumerate(bodies, 1) for event in projection.read(body, seq)]


def _share(percent: float | None) -> int | None:
    """Return a weight in millionths. Users met the version: where it has none, nobody knows which share did."""
    return _millionths(percent) or None


def _millionths(percent: float | None) -> int | None:
    if percent is None:
        return None
    return round(percent * _MILLIONTHS) or int(percent > 0)


def _instant(written: str) -> int | None:
    """Read an instant of RFC 3339."""
    return micros(datetime.fromisoformat(written)) if written else None
