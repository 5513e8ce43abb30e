"""Which cases a figure counts, and which events make each of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from davy.errors import NotFound
from davy.reports.cloudevents import written
from davy.reports.event import BACK
from davy.reports.recompute import Recomputation
from davy.reports.report import DEFINITIONS, Query

_TYPES = (
    "created",
    "merged",
    "exposed",
    "promoted",
    "rolled_back",
    "aborted_unexposed",
    "opened",
    "restored",
)


class Told(NamedTuple):
    """An event: its place in the ledger or its line, its type, when (microseconds), and of what."""

    seq: int
    type: str
    time: int
    about: str


class Case(NamedTuple):
    """Something that a figure is made of.

    Args:
        what: its name.
        counted: whether it is in the numerator; for spans of time, always.
        value: the span of time in microseconds, None where the figure has none.
        events: what happened, in order of time.
    """

    what: str
    counted: bool
    value: int | None
    events: tuple[Told, ...]


_EXPOSURES = """
SELECT change, service, attempt, {counted} AS counted, NULL AS value, exposed
FROM exposures JOIN asked USING (service)
LEFT JOIN (SELECT DISTINCT change, service, attempt, true AS held FROM held) USING (change, service, attempt)
WHERE within(exposed) AND {among}
"""
_FIRSTS = """
WITH firsts AS (
    SELECT change, service, arg_min(exposed, attempt) AS exposed, min(attempt) AS attempt,
        arg_min(exposed, attempt) FILTER (failed_at IS NULL) AS success, min(promoted) AS promoted
    FROM exposures GROUP BY change, service
)
SELECT change, service, NULL AS attempt, true AS counted, {value} AS value, exposed
FROM firsts JOIN asked USING (service) JOIN said_of_changes USING (change)
WHERE within(exposed) AND {value} IS NOT NULL
"""
_ROLLOUTS = """
SELECT DISTINCT change, service, attempt, {counted} AS counted, NULL AS value, made.exposed
FROM rollouts_made AS made JOIN asked USING (service) JOIN parts USING (service, rollout)
WHERE within(made.{by})
"""
_ATTEMPTS = """
SELECT change, service, attempt, {counted} AS counted, NULL AS value, coalesce(exposed, aborted) AS exposed
FROM attempts JOIN asked USING (service) WHERE {among}
"""
_OUTAGES = """
SELECT id, service, incident, {value} AS value, opened, restored, cause
FROM outages JOIN asked USING (service) WHERE {among} ORDER BY opened, service, incident
"""


def _filled(template: str, **parts: str) -> str:
    for name, part in parts.items():
        template = template.replace("{" + name + "}", part)
    return template


_FAILED = "failed_at IS NOT NULL"
_OF_CHANGES = {
    "cfr_seed": _filled(_EXPOSURES, counted=_FAILED, among="true"),
    "cfr_seed_unwaived": _filled(_EXPOSURES, counted=_FAILED, among="waived IS NOT TRUE"),
    "cfr_escaped": _filled(
        _EXPOSURES, counted="coalesce(failed_at >= promoted, false) OR held IS NOT NULL", among="true"
    ),
    "cfr_change": _filled(_EXPOSURES, counted=_FAILED, among="true"),
    "impact": _filled(_EXPOSURES, counted=_FAILED, among="true"),
    "bad_minutes": _filled(_EXPOSURES, counted=_FAILED, among=_FAILED),
    "impact_requests": _filled(_EXPOSURES, counted="bad > 0", among="requests IS NOT NULL AND bad IS NOT NULL"),
    "batch_size": _filled(_EXPOSURES, counted="true", among="true"),
    "lead_time": _filled(_FIRSTS, value="lead_of(exposed, merged)"),
    "lead_to_success": _filled(_FIRSTS, value="lead_of(success, merged)"),
    "lead_to_full": _filled(_FIRSTS, value="lead_of(promoted, merged)"),
    "dora_lead": _filled(_FIRSTS, value="lead_of(promoted, committed)"),
    "cfr_rollout": _filled(_ROLLOUTS, counted="failed", by="exposed"),
    "rework_rate": _filled(_ROLLOUTS, counted="rework", by="exposed"),
    "deploy_freq": _filled(_ROLLOUTS, counted="true", by="promoted"),
    "deploy_days": _filled(_ROLLOUTS, counted="true", by="promoted"),
    "rollback_failure_rate": _filled(
        _ATTEMPTS, counted="rolled_back IS NOT NULL", among="kind = 5 AND within(exposed)"
    ),
    "unexposed": _filled(
        _ATTEMPTS,
        counted="true",
        among="exposed IS NULL AND promoted IS NULL AND rolled_back IS NULL AND within(aborted)",
    ),
}
_OF_INCIDENTS = {
    "mttr": _filled(_OUTAGES, value="restored - opened", among="within(restored)"),
    "fdrt": _filled(_OUTAGES, value="restored - opened", among="within(restored) AND kind >= 0"),
    "fdrt_from_exposure": _filled(
        _OUTAGES, value="greatest(restored - exposed, 0)", among="within(restored) AND kind >= 0"
    ),
    "impaired": _filled(
        _OUTAGES,
        value="coalesce(restored, getvariable('newest')) - opened",
        among="opened < getvariable('until')"
        " AND coalesce(restored, getvariable('newest')) > getvariable('since')",
    ),
    "open_incidents": _filled(
        _OUTAGES, value="getvariable('newest') - opened", among="restored IS NULL AND within(opened)"
    ),
}

_EVENTS_OF_CHANGES = """
WITH mending AS (
    SELECT DISTINCT cases.place, fixes.fix AS change, fixes.service
    FROM cases JOIN fixes ON fixes.mended = cases.change
    WHERE cases.attempt IS NOT NULL
)
SELECT place, seq, type, happened, change, counted.service FROM cases JOIN counted USING (change)
WHERE type < 2 OR (counted.service = cases.service
    AND (cases.attempt IS NULL OR counted.attempt = cases.attempt))
UNION ALL
SELECT place, seq, type, happened, change, service FROM mending JOIN counted USING (change, service)
WHERE type = 2
"""
_EVENTS_OF_INCIDENTS = """
SELECT place, seq, type, happened, counted.change, cases.service
FROM cases JOIN spells ON spells.service = cases.service AND spells.opened >= cases.opened
    AND coalesce(spells.restored, 9223372036854775807) <= coalesce(cases.restored, 9223372036854775807)
    AND (spells.incident = cases.incident OR spells.cause = cases.cause)
JOIN counted ON counted.service = spells.service AND counted.incident = spells.incident
    AND happened BETWEEN spells.opened AND coalesce(spells.restored, 9223372036854775807)
WHERE type IN (6, 7)
UNION ALL
SELECT place, seq, type, happened, counted.change, counted.service
FROM cases JOIN held ON held.id = cases.id JOIN counted ON counted.change = held.change
    AND counted.service = held.service AND counted.attempt = held.attempt
WHERE type BETWEEN 2 AND 5
"""


def explain(computation: Recomputation, query: Query, figure: str) -> list[Case]:
    """Return the cases of a figure, the first to meet users (or to open) first.

    Raises:
        NotFound: there is no such figure.
    """
    if figure not in DEFINITIONS:
        raise NotFound(f"there is no figure {figure!r}", hint=f"the figures are: {', '.join(DEFINITIONS)}")
    computation.report(query)  # leaves the facts and the window in the connection
    if figure in _OF_CHANGES:
        cases, events = _ranked(_OF_CHANGES[figure], "exposed, change, service, attempt"), _EVENTS_OF_CHANGES
    else:
        cases, events = _ranked(_OF_INCIDENTS[figure], "opened, service, incident"), _EVENTS_OF_INCIDENTS
    connection = computation.connection
    connection.execute(f"CREATE OR REPLACE TEMP TABLE cases AS {cases}")
    told: dict[int, list[Told]] = {}
    names = _Names(computation)
    for place, seq, type, happened, change, service in connection.execute(events).fetchall():
        about = names.about(change, service)
        told.setdefault(place, []).append(Told(seq, _TYPES[type], happened, about))
    found = []
    for row in connection.execute("SELECT * FROM cases ORDER BY place").fetchall():
        place, *case = row
        what, counted = names.case(figure, case)
        events_of = sorted(set(told.get(place, ())), key=lambda event: (event.time, event.seq))
        found.append(Case(what, counted, case[4] if figure in _OF_CHANGES else case[3], tuple(events_of)))
    return found


def as_data(figure: str, cases: Sequence[Case]) -> dict[str, Any]:
    """Return what is behind a figure as a document."""
    return {
        "apiVersion": "davy.dev/v1alpha1",
        "kind": "DeliveryMetricsExplanation",
        "figure": figure,
        "definition": DEFINITIONS[figure],
        "cases": [
            {
                "what": case.what,
                "counted": case.counted,
                "seconds": None if case.value is None else case.value / 1_000_000,
                "events": [
                    {"seq": each.seq, "type": each.type, "time": written(each.time), "about": each.about}
                    for each in case.events
                ],
            }
            for case in cases
        ],
    }


def _ranked(cases: str, order: str) -> str:
    return f"SELECT row_number() OVER (ORDER BY {order}) AS place, * FROM ({cases})"  # noqa: S608 - all of it is ours


class _Names:
    """Names by their numbers."""

    def __init__(self, computation: Recomputation) -> None:
        connection = computation.connection
        self._services = dict(connection.table("services").project("id, name").fetchall())
        found = connection.table("changes").project("id, repo, commit").fetchall()
        self._changes = {id: f"{repo}@{commit}" for id, repo, commit in found}

    def about(self, change: int | None, service: int | None) -> str:
        """Name a change on a service, as far as they are known."""
        named = [self._changes.get(change or 0, ""), self._services.get(service or 0, "")]
        return " on ".join(each for each in named if each)

    def case(self, figure: str, case: list[Any]) -> tuple[str, bool]:
        """Name a case, and say whether it counts."""
        if figure in _OF_INCIDENTS:
            return f"{case[2]} of {self._services[case[1]]}", True
        number = (case[2] or 1) % BACK
        attempt = f", attempt {number}" if number > 1 else ""
        return self.about(case[0], case[1]) + attempt, bool(case[3])
