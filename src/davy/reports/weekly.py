"""From facts to figures: what counts for which week, or window, of which service.

Every fact is put into the buckets that it counts for (an attempt by its exposure, an incident by its
restoration), and what is in a bucket is counted at the end. A bucket is a week, a day or a window: the rules
are the same.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Protocol

from davy.reports.cells import WEEK, Cell, spread, week_of
from davy.reports.event import Change
from davy.reports.rules import SKEW, Attempt, AttemptKey, Facts, Incident, Origin, Rollout

WHOLE = 1_000_000
"""All users, in the unit of shares."""

DAY = WEEK // 7


class Buckets(Protocol):
    """What time is divided into: a bucket is known by the instant with which it begins."""

    def of(self, instant: int) -> int | None:
        """Return the bucket of an instant, None where it is in none."""
        ...

    def overlaps(self, begin: int, end: int) -> Iterable[tuple[int, int]]:
        """Return the buckets that a span meets, and how much of it is in each."""
        ...


class Weeks:
    """ISO weeks from Monday, 00:00Z."""

    def of(self, instant: int) -> int:
        """Return the week of an instant."""
        return week_of(instant)

    def overlaps(self, begin: int, end: int) -> Iterable[tuple[int, int]]:
        """Return the weeks that a span meets."""
        for week in range(week_of(begin), end, WEEK):
            yield week, min(end, week + WEEK) - max(begin, week)


class Window:
    """One window, from `since` until just before `until`."""

    def __init__(self, since: int, until: int) -> None:
        self.since, self.until = since, until

    def of(self, instant: int) -> int | None:
        """Return the window, where an instant is in it."""
        return self.since if self.since <= instant < self.until else None

    def overlaps(self, begin: int, end: int) -> Iterable[tuple[int, int]]:
        """Return how much of a span is in the window."""
        inside = min(end, self.until) - max(begin, self.since)
        return [(self.since, inside)] if inside > 0 else []


class Bucket:
    """What counts for a bucket; spans of time are kept one by one until they are ranked."""

    __slots__ = ("counts", "days", "spans")

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.spans: dict[str, list[int]] = defaultdict(list)
        self.days: set[int] = set()
        """The days of promotions."""

    def add(self, other: "Bucket") -> None:
        """Take in what counts for another service, in the same time."""
        for name, count in other.counts.items():
            self.counts[name] += count
        self.days |= other.days
        for name, values in other.spans.items():
            self.spans[name] += values

    def cell(self, service: str, begin: int) -> Cell:
        """Count it."""
        counted: dict[str, Any] = {name: spread(values) for name, values in self.spans.items()}
        if self.days:
            counted["promoted_days"] = len(self.days)
        return Cell(service, begin, **(self.counts | counted))


Found = dict[int, Bucket]
"""What was found so far, by bucket."""


def cells(found: Facts) -> list[Cell]:
    """Return what counts for each week, of each service and of all together."""
    weeks = Weeks()
    guilty = {key for one in found.incidents for key in one.responsible}
    services: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in found.attempts.values():
        services[attempt.key.service].append(attempt)
    rollouts, incidents = defaultdict(list), defaultdict(list)
    for rollout in found.rollouts:
        rollouts[rollout.service].append(rollout)
    for incident in found.incidents:
        incidents[incident.service].append(incident)
    listed: list[Cell] = []
    together: Found = defaultdict(Bucket)
    for service in services.keys() | incidents.keys():
        buckets: Found = defaultdict(Bucket)
        count_attempts(weeks, buckets, services[service], found.remediated, guilty)
        count_leads(weeks, buckets, services[service], found.remediated, found.origins)
        count_rollouts(weeks, buckets, rollouts[service])
        count_incidents(weeks, buckets, incidents[service], found.attempts, found.newest or 0)
        for week, bucket in buckets.items():
            together[week].add(bucket)
        count_changes(weeks, buckets, services[service], found.remediated)
        listed += [bucket.cell(service, week) for week, bucket in buckets.items()]
    count_changes(weeks, together, found.attempts.values(), found.remediated)
    listed += [bucket.cell("", week) for week, bucket in together.items()]
    return listed


def failed_at(attempt: Attempt, remediated: Mapping[AttemptKey, int]) -> int | None:
    """Return when an exposed attempt failed, None where it did not (7)."""
    ends = [at for at in (attempt.rolled_back, remediated.get(attempt.key)) if at is not None]
    return min(ends, default=None)


def count_attempts(
    time: Buckets,
    into: Found,
    attempts: Iterable[Attempt],
    remediated: Mapping[AttemptKey, int],
    guilty: Container[AttemptKey],
) -> None:
    """Count attempts by their exposure, and those that were caught before by the abort."""
    for one in attempts:
        at = one.aborted if one.unexposed else one.exposed
        bucket = None if at is None else time.of(at)
        if bucket is None:
            continue
        counts = into[bucket].counts
        if one.unexposed:
            counts["unexposed"] += 1
        elif one.kind == "rollback":
            counts["rollbacks"] += 1
            counts["rollbacks_failed"] += one.rolled_back is not None
        else:
            _count_exposed(counts, one, failed_at(one, remediated), one.key in guilty)


def _count_exposed(counts: Counter[str], one: Attempt, failed: int | None, guilty: bool) -> None:
    counts["attempts"] += 1
    counts["waived"] += bool(one.waiver)
    if one.requests is not None and one.bad is not None:
        counts["asked"] += one.requests
        counts["bad"] += one.bad
    escaped = guilty
    if failed is not None:
        assert one.exposed is not None, "an exposed attempt without an exposure"
        everybody = one.promoted is not None and one.promoted <= failed
        share = _share(one, everybody)
        escaped |= everybody
        counts["failed"] += 1
        counts["waived_failed"] += bool(one.waiver)
        counts["impact"] += share
        counts["bad_time"] += max(0, share * (failed - one.exposed) // WHOLE)
    counts["escaped"] += escaped


def _share(one: Attempt, everybody: bool) -> int:
    if everybody:
        return WHOLE
    return next((weight for weight in (one.weight_back, one.weight) if weight is not None), WHOLE)


def count_leads(
    time: Buckets,
    into: Found,
    attempts: Iterable[Attempt],
    remediated: Mapping[AttemptKey, int],
    origins: Mapping[Change, Origin],
) -> None:
    """Count how long changes took to a service, by the exposure of the first attempt."""
    for change, tried in by_change(attempts).items():
        first = min(tried, key=lambda one: one.key.attempt)
        bucket = None if first.exposed is None else time.of(first.exposed)
        if bucket is None:
            continue
        origin, found = origins[change], into[bucket]
        good = [one for one in tried if failed_at(one, remediated) is None]
        success = min(good, key=lambda one: one.key.attempt).exposed if good else None
        full = min((one.promoted for one in tried if one.promoted is not None), default=None)
        leads = {
            "lead_time": lead(origin.merged, first.exposed),
            "lead_to_success": lead(origin.merged, success),
            "lead_to_full": lead(origin.merged, full),
            "dora_lead": lead(origin.committed, full),
        }
        for name, value in leads.items():
            if value is not None:
                found.spans[name].append(value)
        if origin.merged is None:
            found.counts["no_merge"] += 1
        elif leads["lead_time"] is None:
            found.counts["negative"] += 1


def lead(begin: int | None, end: int | None) -> int | None:
    """Return how long something took; None where an end is missing, or more than a clock's error is below 0."""
    if begin is None or end is None or end - begin < -SKEW:
        return None
    return max(0, end - begin)


def count_changes(
    time: Buckets, into: Found, attempts: Iterable[Attempt], remediated: Mapping[AttemptKey, int]
) -> None:
    """Count changes by their first exposure, over the services that the attempts are of."""
    for tried in by_change(attempts).values():
        bucket = time.of(min(one.exposed for one in tried if one.exposed is not None))
        if bucket is not None:
            counts = into[bucket].counts
            counts["changes"] += 1
            counts["changes_failed"] += any(failed_at(one, remediated) is not None for one in tried)


def by_change(attempts: Iterable[Attempt]) -> dict[Change, list[Attempt]]:
    """Return exposed attempts by their change."""
    tried: dict[Change, list[Attempt]] = defaultdict(list)
    for one in attempts:
        if one.counted:
            tried[one.key.change].append(one)
    return tried


def count_rollouts(time: Buckets, into: Found, rollouts: Iterable[Rollout]) -> None:
    """Count rollouts by their exposure, and by their promotion."""
    for one in rollouts:
        bucket = time.of(one.exposed)
        if bucket is not None:
            counts = into[bucket].counts
            counts["rollouts"] += 1
            counts["rollouts_failed"] += one.failed
            counts["rework"] += one.rework
        bucket = None if one.promoted is None else time.of(one.promoted)
        if bucket is not None and one.promoted is not None:
            into[bucket].counts["promoted"] += 1
            into[bucket].days.add(one.promoted // DAY)


def count_incidents(
    time: Buckets,
    into: Found,
    incidents: Sequence[Incident],
    attempts: Mapping[AttemptKey, Attempt],
    newest: int,
) -> None:
    """Count the incidents of a service by their restoration, those that are open, and when any was (R17)."""
    for one in incidents:
        bucket = time.of(one.opened if one.restored is None else one.restored)
        if bucket is None:
            continue
        if one.restored is None:
            into[bucket].counts["opened"] += 1
            continue
        spans = into[bucket].spans
        spans["mttr"].append(one.restored - one.opened)
        exposures = [attempts[key].exposed for key in one.responsible]
        if exposures:
            spans["fdrt"].append(one.restored - one.opened)
            exposed = min(at for at in exposures if at is not None)
            spans["fdrt_from_exposure"].append(max(0, one.restored - exposed))
    for begin, end in union(
        (one.opened, newest if one.restored is None else one.restored) for one in incidents
    ):
        for bucket, inside in time.overlaps(begin, end):
            into[bucket].counts["impaired"] += inside


def union(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the same time as spans that do not overlap."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        elif begin < end:
            found.append((begin, end))
    return found
