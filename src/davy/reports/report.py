"""What a report of delivery metrics says: each figure with what it rests on, never a number alone."""

from math import sqrt
from typing import Literal, NamedTuple

import msgspec

from davy.reports.cells import Cell, Spread

FEW = 30
"""Below so many of what a figure counts, it says that n is too small."""
SETTLED = 72 * 3600 * 1_000_000
"""How long after its end a window stays provisional, in microseconds (R24)."""
DAY = 86400 * 1_000_000
"""A day in microseconds."""
By = Literal["", "service", "kind", "team", "week"]

_Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution


class Query(msgspec.Struct, frozen=True):
    """What is asked for; instants in microseconds.

    Args:
        since: where the window begins; None for the day of the earliest event that counts.
        until: where it ends; None for the end of the day of the newest event.
        last: how long before the newest event it begins, in the place of `since`.
        services: only these; all where there are none.
        by: what figures are told apart by, beside those of everything.
        environment: the one that counts; production where it is empty.
        teams: which team has a service, in the place of what events say.
        restated: whether to say which windows are restated; each takes another computation.
    """

    since: int | None = None
    until: int | None = None
    last: int | None = None
    services: tuple[str, ...] = ()
    by: By = ""
    environment: str = ""
    teams: dict[str, str] | None = None
    restated: bool = True


class Rate(NamedTuple):
    """So many of so many."""

    numerator: int
    denominator: int

    @property
    def n(self) -> int:
        """How many there are."""
        return self.denominator

    @property
    def value(self) -> float | None:
        """The share of one; of nothing there is none (R25)."""
        return self.numerator / self.denominator if self.denominator else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Between what the share of all such cases is, 19 times of 20 (Wilson's score interval, 1927)."""
        return wilson(self.numerator, self.denominator) if self.denominator else None


class Quotient(NamedTuple):
    """A quantity of each, `numerator` divided by `scale`. It has no interval: it counts no cases."""

    numerator: int
    denominator: float
    n: int
    scale: int = 1

    @property
    def value(self) -> float | None:
        """How much of it there is for each; of nothing there is none."""
        return self.numerator / (self.denominator * self.scale) if self.denominator else None


class Times(NamedTuple):
    """Spans of time in microseconds."""

    spread: Spread

    @property
    def n(self) -> int:
        """How many there are."""
        return self.spread.n


class Amount(NamedTuple):
    """How much there is of something; `numerator` is divided by `scale`."""

    numerator: int
    scale: int = 1

    @property
    def value(self) -> float:
        """The amount."""
        return self.numerator / self.scale


Figure = Rate | Quotient | Times | Amount

DEFINITIONS = {
    "cfr_seed": "exposed attempts that were rolled back or mended / exposed attempts",
    "cfr_seed_unwaived": "cfr_seed without the attempts that passed a rule by a waiver",
    "cfr_escaped": "exposed attempts that failed once promoted, or caused an incident / exposed attempts",
    "impact": "mean share of the users who met a failed attempt, over all exposed attempts",
    "cfr_rollout": "failed rollouts / rollouts without rollbacks: DORA's unit, the deployment",
    "cfr_change": "changes of which any attempt failed / changes exposed",
    "bad_minutes": "sum of share of users x minutes from exposure to failure",
    "impact_requests": "requests that were bad beyond the stable version's / requests, where both are told",
    "lead_time": "from merge to the first user: the first attempt of each change on each service",
    "lead_to_success": "from merge to the first user of the first attempt that did not fail",
    "lead_to_full": "from merge to all users",
    "dora_lead": "from the first commit (or the pull request, where none is told) to all users",
    "deploy_freq": "rollouts that reached all users in the window / its days",
    "deploy_days": "days of the window (UTC) on which one did",
    "batch_size": "exposed attempts / rollouts",
    "rework_rate": "rollouts that mend or revert another change / rollouts",
    "mttr": "from the first alert to healthy, all incidents restored in the window",
    "fdrt": "from the first alert to healthy, incidents that a change caused",
    "fdrt_from_exposure": "from the first user of the change that caused an incident to healthy",
    "impaired": "how long at least one incident was open, of each service, added up",
    "open_incidents": "incidents that opened in the window and are open at the newest event",
    "rollback_failure_rate": "rollbacks that were rolled back themselves / rollbacks",
    "unexposed": "attempts that were caught before a user met them",
}
"""What each figure is, in a line; docs/reference/delivery-metrics.md has the whole definitions."""

UNITS = {
    "bad_minutes": "minutes",
    "deploy_freq": "per day",
    "deploy_days": "days",
    "batch_size": "attempts per rollout",
    "impaired": "seconds",
    "open_incidents": "incidents",
    "unexposed": "attempts",
}
"""What the values are in, where they are neither ratios from 0 to 1 nor spans of time in seconds."""


class Group(msgspec.Struct, frozen=True):
    """The figures of a group within a window.

    Args:
        name: the service, kind, team or Monday; empty for all together, and for what has no kind or team.
        since: where the window begins, in microseconds; it ends before `until`.
        until: see there.
        cell: the whole numbers that the figures are made of.
        provisional: events may still come that change the figures.
        restated: the figures are others than those of what was received until the window was settled;
            None where that was not looked at.
    """

    name: str
    since: int
    until: int
    cell: Cell
    provisional: bool = False
    restated: bool | None = False

    @property
    def figures(self) -> dict[str, Figure]:
        """The figures by their names, in the order of `DEFINITIONS`."""
        return figures_of(self.cell, self.until - self.since)


class OpenIncident(msgspec.Struct, frozen=True):
    """An incident that is not restored; `age` at the newest event, both in microseconds."""

    service: str
    incident: str
    opened: int
    age: int
    caused: bool


class Quality(msgspec.Struct, frozen=True):
    """What was left out or mended, and how often: of the whole set, the last three of the window."""

    dq_conflicts: int = 0
    dq_skewed: int = 0
    dq_orphans: int = 0
    dq_negative: int = 0
    dq_no_merge: int = 0
    no_pr: int = 0


class Report(msgspec.Struct, frozen=True):
    """Figures of a window, of everything and by group, and what they rest on.

    Args:
        events: of how many events.
        newest: the time of the newest of them, in microseconds; None where there is none.
        digest: of all their cells in all windows (`davy.reports.cells.digest`).
        by: what the groups are.
        total: everything together.
        groups: by name, or by week.
        open: the incidents that opened in the window and are open, the oldest first.
        quality: see there.
        query: what was asked for.
    """

    events: int
    newest: int | None
    digest: str
    by: By
    total: Group
    groups: tuple[Group, ...]
    open: tuple[OpenIncident, ...]
    quality: Quality
    query: Query


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return Wilson's score interval of a rate, 95 % (E. B. Wilson, JASA 22, 1927)."""
    share, square = hits / n, _Z * _Z
    middle = share + square / (2 * n)
    reach = _Z * sqrt(share * (1 - share) / n + square / (4 * n * n))
    low, high = (middle - reach) / (1 + square / n), (middle + reach) / (1 + square / n)
    return (0.0 if hits == 0 else low), (1.0 if hits == n else high)


def figures_of(cell: Cell, span: int) -> dict[str, Figure]:
    """Return the figures that a cell of a window of `span` microseconds makes."""
    return {
        "cfr_seed": Rate(cell.failed, cell.attempts),
        "cfr_seed_unwaived": Rate(cell.failed - cell.waived_failed, cell.attempts - cell.waived),
        "cfr_escaped": Rate(cell.escaped, cell.attempts),
        "impact": Quotient(cell.impact, cell.attempts, cell.attempts, 1_000_000),
        "cfr_rollout": Rate(cell.rollouts_failed, cell.rollouts),
        "cfr_change": Rate(cell.changes_failed, cell.changes),
        "bad_minutes": Amount(cell.bad_time, 60_000_000),
        "impact_requests": Quotient(cell.bad, cell.asked, cell.asked),
        "lead_time": Times(cell.lead_time),
        "lead_to_success": Times(cell.lead_to_success),
        "lead_to_full": Times(cell.lead_to_full),
        "dora_lead": Times(cell.dora_lead),
        "deploy_freq": Quotient(cell.promoted, max(span, 0) / DAY, cell.promoted),
        "deploy_days": Amount(cell.promoted_days),
        "batch_size": Quotient(cell.attempts, cell.rollouts, cell.rollouts),
        "rework_rate": Rate(cell.rework, cell.rollouts),
        "mttr": Times(cell.mttr),
        "fdrt": Times(cell.fdrt),
        "fdrt_from_exposure": Times(cell.fdrt_from_exposure),
        "impaired": Amount(cell.impaired, 1_000_000),
        "open_incidents": Amount(cell.opened),
        "rollback_failure_rate": Rate(cell.rollbacks_failed, cell.rollbacks),
        "unexposed": Amount(cell.unexposed),
    }
