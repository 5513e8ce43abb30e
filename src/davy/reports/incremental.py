"""Facts that are kept up to date: what comes in touches as little as the rules of the definitions allow.

Events arrive in any order, in batches, twice, late. `apply` only sorts them to the changes and incidents that
they are of; the first question afterwards reduces again what was touched, and what follows from it: a change's
attempts, what it mends and what mends it, the rollouts they are in, the incidents that may be blamed on others.
The rules themselves are those of `davy.reports.rules`; what this adds is to know what an event can change.

It is all in memory: some 0.6 kB an event. Whoever has ten million of them asks the columns instead.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from davy.reports import rules
from davy.reports.attempts import numbered
from davy.reports.cells import WEEK, Cell, week_of
from davy.reports.days import Days
from davy.reports.event import Change, ChangeEvent
from davy.reports.rules import Attempt, AttemptKey, Facts, Incident, Origin, Part, Rollout
from davy.reports.weekly import DAY, Bucket, failed_at

LONG = 14 * 24 * rules.HOUR
"""A rollout that is held responsible for longer than that is looked at for every incident of its service."""

_NOTHING = Origin()
_NO_ATTEMPTS: dict[AttemptKey, Attempt] = {}
_NO_MARKS: dict[AttemptKey, int] = {}
_BEFORE_ALL, _NEVER = -(2**62), 2**62


class Incremental:
    """The facts of all events that were applied.

    Args:
        environment: the one that counts, where it is not production.
    """

    def __init__(self, environment: str = "") -> None:
        self._environment, self._strict = environment, environment != ""
        self._told: dict[str, dict[str, ChangeEvent | list[ChangeEvent]]] = {}
        self._stories: dict[Change, _Story] = {}
        self._services: dict[str, _Service] = {}
        self._mending: dict[Change, set[Change]] = defaultdict(set)
        self._touched: set[Change] = set()
        self._changes: dict[int, tuple[int, int]] = {}
        """How many changes were first exposed on a day, and how many of them failed."""
        self._latest = _BEFORE_ALL
        self._late = False
        self.conflicts = self.skewed = 0
        self.events = 0

    def apply(self, events: Iterable[ChangeEvent]) -> None:
        """Take events; those that are known already change nothing."""
        told = self._told
        for event in events:
            by_id = told.get(event.source)
            if by_id is None:
                by_id = told[event.source] = {}
            known = by_id.get(event.id)
            if known is None:
                by_id[event.id] = event
                self._enter(event)
            elif known != event:
                self._contest(event, known if isinstance(known, list) else [known])

    def facts(self) -> Facts:
        """Return all facts, as `davy.reports.rules.facts` does of the same events."""
        self.refresh()
        attempts = {key: one for story in self._stories.values() for key, one in story.attempts.items()}
        orphans = sum(one.orphan for one in attempts.values())
        services = self._services.values()
        return Facts(
            {change: story.origin for change, story in self._stories.items() if story.events},
            attempts,
            {key: at for story in self._stories.values() for key, at in story.marks.items()},
            [one for service in services for one in service.rollouts.values()],
            [one for service in services for one in service.incidents],
            self.newest,
            self.conflicts,
            self.skewed,
            orphans + sum(service.orphans for service in services),
        )

    @property
    def newest(self) -> int | None:
        """When the newest event happened."""
        if self._late:
            versions = (event for by_id in self._told.values() for event in by_id.values())
            chosen = (rules.first(one)[0] if isinstance(one, list) else one for one in versions)
            self._latest = max(rules.at_its_time(event).time for event in chosen)
            self._late = False
        return self._latest if self.events else None

    def refresh(self) -> None:
        """Reduce again what events touched, and what follows from it."""
        again: set[Change] = set()
        for change in self._touched:
            again |= {change} | self._reduce(self._stories[change])
        for change in again:
            if (story := self._stories.get(change)) is not None:
                self._mark(story)
                self._enroll(story)
        self._touched.clear()
        for name, service in self._services.items():
            if service.stale or service.retold or service.since is not None:
                self._settle(name, service)

    def count(self, service: str, since: int, until: int) -> Cell:
        """Return what counts for a window of whole days, of a service or (empty) of all together."""
        assert since % DAY == until % DAY == 0, "a window of whole days"
        self.refresh()
        names = [service] if service in self._services else [] if service else list(self._services)
        self._recount(names)
        sum_ = Bucket()
        for name in names:
            for bucket in self._services[name].days.between(since, until):
                sum_.add(bucket)
        if not service:
            days = [self._changes[day] for day in range(since, until, DAY) if day in self._changes]
            sum_.counts["changes"] = sum(changes for changes, _ in days)
            sum_.counts["changes_failed"] = sum(failed for _, failed in days)
        return sum_.cell(service, since)

    def cells(self) -> list[Cell]:
        """Return what counts for each week, of each service and of all together."""
        self.refresh()
        self._recount(self._services)
        days = {name: {week_of(day) for day in service.days.known} for name, service in self._services.items()}
        days[""] = {week for weeks in days.values() for week in weeks}
        return [self.count(name, week, week + WEEK) for name, weeks in days.items() for week in weeks]

    def changed(self, events: Iterable[ChangeEvent], final: int) -> list[tuple[Cell, Cell]]:
        """Apply events; return the cells that changed, before and after, of weeks that began by `final`."""
        self.refresh()
        self._recount(self._services)
        self.apply(events)
        self.refresh()
        before: list[Cell] = []
        for name, service in self._services.items():
            weeks = {week_of(day) for day in service.days.stale}
            before += [service.days.cell(name, week) for week in weeks if week <= final]
        after = [self.count(old.service, old.week, old.week + WEEK) for old in before]
        return [(old, new) for old, new in zip(before, after, strict=True) if old != new]

    @property
    def services(self) -> list[str]:
        """The services that there is anything of, in order."""
        return sorted(self._services)

    def open_incidents(self, service: str) -> list[Incident]:
        """Return the incidents of a service that are not restored, oldest first."""
        self.refresh()
        known = self._services[service].incidents if service in self._services else []
        return sorted((one for one in known if one.restored is None), key=lambda one: (one.opened, one.name))

    def _recount(self, names: Iterable[str]) -> None:
        """Count again what changed of some services, of which the facts are up to date."""
        for service in (self._services[name] for name in names):
            service.days.seen(self.newest or 0)
            service.days.count(self._said)

    def _said(self, change: Change) -> tuple[Origin, Mapping[AttemptKey, int]]:
        story = self._stories[change]
        return story.origin, story.marks

    def _enroll(self, story: "_Story") -> None:
        """Count a change on the day on which it was first exposed anywhere."""
        if story.enrolled is not None:
            day, failed = story.enrolled
            changes, failures = self._changes[day]
            self._changes[day] = (changes - 1, failures - failed)
        tried = [one for one in story.attempts.values() if one.counted]
        story.enrolled = None
        if tried:
            day = min(one.exposed for one in tried if one.exposed is not None) // DAY * DAY
            failed = any(failed_at(one, story.marks) is not None for one in tried)
            changes, failures = self._changes.get(day, (0, 0))
            self._changes[day] = (changes + 1, failures + failed)
            story.enrolled = (day, failed)

    def _enter(self, event: ChangeEvent) -> None:
        """Take an event of a new name. All events come through here: what is common is not asked twice."""
        self.events += 1
        if event.received is not None and event.time > event.received + rules.SKEW:
            self.skewed += 1
            event = rules.at_its_time(event)
        if event.time > self._latest:
            self._latest = event.time
        if (
            event.incident
            or event.environment
            or event.weight == 0
            or event.audience != "users"
            or self._strict
        ):
            self._sort(event)
            return
        change = (event.repo, event.commit)
        story = self._stories.get(change)
        if story is None:
            story = self._stories[change] = _Story(change)
        story.events.append(event)
        self._touched.add(change)

    def _sort(self, event: ChangeEvent, *, out: bool = False) -> None:
        if not rules.counted(event, self._environment):
            return
        if event.incident:
            service = self._service(event.service)
            service.retold.add(event.incident)
            events = service.told[event.incident]
        else:
            change = (event.repo, event.commit)
            story = self._stories.get(change)
            if story is None:
                story = self._stories[change] = _Story(change)
            self._touched.add(change)
            events = story.events
        if out:
            events.remove(event)
        else:
            events.append(event)

    def _contest(self, event: ChangeEvent, versions: list[ChangeEvent]) -> None:
        """Take what has the name of an event that is known: which counts is decided anew."""
        before, refused = rules.first(versions)
        after, contradict = rules.first([*versions, event])
        self.conflicts += contradict - refused
        if contradict == refused and after == before:
            return
        self._told[event.source][event.id] = [*versions, event]
        old, new = rules.at_its_time(before), rules.at_its_time(after)
        self.skewed += (new is not after) - (old is not before)
        self._sort(old, out=True)
        self._sort(new)
        self._late = True

    def _service(self, name: str) -> "_Service":
        service = self._services.get(name)
        if service is None:
            service = self._services[name] = _Service()
        return service

    def _reduce(self, story: "_Story") -> set[Change]:
        """Reduce the events of a change; return the changes that it mends or used to."""
        change = story.change
        origin, tried = story.origin, story.attempts
        story.origin = rules.origin(change, story.events)
        by_attempt: dict[AttemptKey, list[ChangeEvent]] = defaultdict(list)
        for event in numbered(story.events):
            if event.type in rules.ON_A_TARGET:
                by_attempt[rules.attempt_key(event)].append(event)
        kind = story.origin.kind
        story.attempts = {key: rules.attempt(key, events, kind) for key, events in by_attempt.items()}
        links = {origin.remediates, story.origin.remediates} - {None}
        if origin.remediates != story.origin.remediates:
            if origin.remediates is not None:
                self._mending[origin.remediates].discard(change)
            if story.origin.remediates is not None:
                self._mending[story.origin.remediates].add(change)
        for key in tried.keys() | story.attempts.keys():
            service = self._service(key.service)
            service.replace(key, tried.get(key), story.attempts.get(key), anew=bool(links))
        if story.origin != origin or story.attempts != tried:
            for name in {key.service for key in tried.keys() | story.attempts.keys()}:
                there = (one for one in story.attempts.values() if one.key.service == name)
                self._service(name).days.tried(change, there)
        return {link for link in links if link is not None}

    def _mark(self, story: "_Story") -> None:
        """Say anew when each attempt of a change was mended, and by whatever mends it now."""
        broken = [one for one in story.attempts.values() if one.counted]
        marks: dict[AttemptKey, int] = {}
        for other in self._mending.get(story.change, ()):
            mending = [one for one in self._stories[other].attempts.values() if one.counted]
            for key, at in rules.mended(mending, broken):
                marks[key] = min(marks.get(key, at), at)
        for key in story.marks.keys() | marks.keys():
            if story.marks.get(key) != marks.get(key):
                self._service(key.service).marked(story.attempts.get(key))
                self._service(key.service).days.touch(story.change)
        story.marks = marks

    def _settle(self, name: str, service: "_Service") -> None:
        """Put the rollouts and incidents of a service together again, as far as they were touched."""
        for rollout in service.stale:
            parts = service.parts.get(rollout, {}).items()
            stories = {key.change: self._stories[key.change] for key, _ in parts}
            marks = {key: at for story in stories.values() for key, at in story.marks.items()}
            origins = {change: story.origin for change, story in stories.items()}
            service.put(rollout, rules.rollout(name, rollout, parts, marks, origins))
        service.stale.clear()
        if service.retold:
            service.retell(name)
        if service.since is not None:
            service.hold(self._named)
        service.since = None

    def _named(self, change: Change) -> Sequence[Attempt]:
        story = self._stories.get(change)
        return () if story is None else tuple(story.attempts.values())


class _Story:
    """A change: its events, and what was reduced from them."""

    __slots__ = ("attempts", "change", "enrolled", "events", "marks", "origin")

    def __init__(self, change: Change) -> None:
        self.change = change
        self.events: list[ChangeEvent] = []
        self.origin = _NOTHING
        self.attempts: dict[AttemptKey, Attempt] = _NO_ATTEMPTS
        self.marks: dict[AttemptKey, int] = _NO_MARKS
        self.enrolled: tuple[int, bool] | None = None


class _Service:
    """A service: its rollouts and incidents, and which of them have to be looked at again."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[AttemptKey, Part]] = defaultdict(dict)
        self.rollouts: dict[str, Rollout] = {}
        self.stale: set[str] = set()
        self.told: dict[str, list[ChangeEvent]] = defaultdict(list)
        self.retold: set[str] = set()
        self.orphans = 0
        self.incidents: list[Incident] = []
        self.days = Days()
        self.since: int | None = None
        """From when on incidents may be attributed otherwise, None where none may."""
        self._episodes: dict[str, tuple[list[Incident], int]] = {}
        self._reunited: list[Incident] = []
        self._held: dict[Incident, Incident] = {}
        self._begun: list[tuple[int, str]] = []
        self._long: set[str] = set()

    def replace(self, key: AttemptKey, old: Attempt | None, new: Attempt | None, *, anew: bool) -> None:
        """Put an attempt in the place of what it was; `anew`: what it mends may be something else."""
        if old == new and not anew:
            return
        for part in old.parts if old else ():
            self.parts[part.rollout].pop(key, None)
            self.stale.add(part.rollout)
        for part in new.parts if new else ():
            self.parts[part.rollout][key] = part
            self.stale.add(part.rollout)
        if any(one.change == key.change for one in self._reunited):
            self.since = _BEFORE_ALL

    def marked(self, attempt: Attempt | None) -> None:
        """Notice that an attempt was mended, or never was."""
        for part in attempt.parts if attempt else ():
            self.stale.add(part.rollout)

    def put(self, name: str, rollout: Rollout | None) -> None:
        """Put a rollout in the place of what it was, None where no user met it."""
        old = self.rollouts.get(name)
        if old == rollout:
            return
        if old is not None:
            del self.rollouts[name]
            self._long.discard(name)
            self._begun.pop(bisect_left(self._begun, (old.exposed, name)))
            self._look_again(old.exposed)
        if rollout is not None:
            self.rollouts[name] = rollout
            if rollout.ends - rollout.exposed > LONG:
                self._long.add(name)
            insort(self._begun, (rollout.exposed, name))
            self._look_again(rollout.exposed)
        self.days.rolled(old, rollout)

    def retell(self, name: str) -> None:
        """Put the incidents together again whose events changed."""
        for incident in self.retold:
            self._episodes[incident] = rules.episodes(name, incident, self.told[incident])
        self.retold.clear()
        self.orphans = sum(orphans for _, orphans in self._episodes.values())
        self._reunited = rules.reunited(one for several, _ in self._episodes.values() for one in several)
        self._look_again(_NEVER)

    def hold(self, attempts: Callable[[Change], Sequence[Attempt]]) -> None:
        """Attribute incidents: those that are new, and those that begin late enough to be held otherwise."""
        assert self.since is not None, "nothing to look at again"
        kept = {one: held for one, held in self._held.items() if one.opened < self.since}
        for one in self._reunited:
            if one not in kept:
                named = attempts(one.change) if one.change else ()
                mine = [other for other in named if other.key.service == one.service]
                kept[one] = rules.held(one, self._around(one.opened), mine)
        self._held = {one: kept[one] for one in self._reunited}
        before, after = set(self.incidents), set(self._held.values())
        self.days.suffered(before - after, after - before)
        self.incidents = list(self._held.values())
        self.since = None

    def _around(self, at: int) -> Iterator[Rollout]:
        """Return the rollouts that may be active at an instant."""
        first = bisect_left(self._begun, (at - LONG, ""))
        last = bisect_left(self._begun, (at + 1, ""))
        names = {name for _, name in self._begun[first:last]} | self._long
        return (self.rollouts[name] for name in names)

    def _look_again(self, since: int) -> None:
        self.since = since if self.since is None else min(self.since, since)
