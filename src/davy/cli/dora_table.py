"""Delivery metrics as text: every figure with what it rests on, and below it what it is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from davy.cli.paint import Line, cell, columns
from davy.reports.cloudevents import written
from davy.reports.report import DAY, DEFINITIONS, FEW, Amount, Figure, Group, Quotient, Rate, Report, Times

if TYPE_CHECKING:
    from davy.reports.explain import Case

_SECOND = 1_000_000
_UNITS = (("d", DAY), ("h", 3600 * _SECOND), ("min", 60 * _SECOND), ("s", _SECOND), ("ms", 1000), ("µs", 1))
_SECTIONS = {
    "Failures": (
        "cfr_seed",
        "cfr_seed_unwaived",
        "cfr_escaped",
        "impact",
        "cfr_rollout",
        "cfr_change",
        "bad_minutes",
        "impact_requests",
        "unexposed",
    ),
    "Throughput": (
        "lead_time",
        "lead_to_success",
        "lead_to_full",
        "dora_lead",
        "deploy_freq",
        "deploy_days",
        "batch_size",
        "rework_rate",
    ),
    "Recovery": ("mttr", "fdrt", "fdrt_from_exposure", "impaired", "open_incidents", "rollback_failure_rate"),
}
_IN_GROUPS = (
    "cfr_seed",
    "cfr_escaped",
    "impact",
    "lead_time",
    "lead_to_full",
    "deploy_freq",
    "rework_rate",
    "mttr",
    "fdrt",
)


def lines(report: Report, source: str) -> list[Line]:
    """Lay out a report."""
    total, figures = report.total, report.total.figures
    found = _head(report, source)
    for title, names in _SECTIONS.items():
        table = columns([_row(name, figures[name]) for name in names])
        found += [(), cell(title, "strong")]
        for name, line in zip(names, table, strict=True):
            found += [line, cell(f"    {DEFINITIONS[name]}", "faint")]
    if report.open:
        found += [(), cell("Open incidents", "strong"), *_open(report)]
    if report.by:
        found += [(), cell(f"By {report.by}", "strong"), *_groups(report.groups)]
    return [*found, *_notes(report, total)]


def headlines(report: Report, names: Sequence[str]) -> list[Line]:
    """Lay out some figures of everything, a line each."""
    return columns([_row(name, report.total.figures[name]) for name in names])


def explained(figure: str, cases: Sequence["Case"]) -> list[Line]:
    """Lay out the cases that a figure counts, each with its events."""
    found: list[Line] = [cell(f"{figure}: {DEFINITIONS[figure]}", "strong")]
    for case in cases:
        mark = cell("counts" if case.counted else "-", "bad" if case.counted else "faint")
        value = cell(f"  {span_of(case.value)}") if case.value is not None else ()
        found += [(), (*mark, *cell(f"  {case.what}"), *value)]
        rows = [
            [cell(f"    #{event.seq}"), cell(written(event.time)), cell(event.type), cell(event.about)]
            for event in case.events
        ]
        found += columns(rows)
    return found if cases else [*found, cell("nothing in this window")]


def span_of(micros: int) -> str:
    """Write a span of time in its two largest units, cut: `2 d 3 h`, `12 min 5 s`, `450 ms`."""
    left, told = abs(micros), list[str]()
    for unit, size in _UNITS:
        count, rest = divmod(left, size)
        if count:
            told.append(f"{count} {unit}")
        if told and (len(told) == 2 or unit in ("s", "ms")):
            break
        left = rest
    return ("-" if micros < 0 else "") + (" ".join(told[:2]) or "0 s")


def _head(report: Report, source: str) -> list[Line]:
    total = report.total
    days = (total.until - total.since) / DAY
    state = "provisional" if total.provisional else "restated" if total.restated else "final"
    where = report.query.environment or "production"
    newest = "there is none" if report.newest is None else f"the newest of {written(report.newest)}"
    window = f"{_short(total.since)} to {_short(total.until)} ({days:,.4g} days, {state})"
    services = f", {', '.join(report.query.services)}" if report.query.services else ""
    return [
        cell(f"Delivery metrics of {where}{services}: {window}", "strong"),
        cell(f"from {report.events:,} events of {source}, {newest}"),
        cell(f"digest sha256:{report.digest}", "faint"),
    ]


def _row(name: str, figure: Figure) -> list[Line]:
    """Lay out a figure: its name, its value, what is around it, and how many it rests on."""
    value, around, n = _told(name, figure)
    few = n is not None and 0 < n < FEW
    rests = "" if n is None else f"n = {n:,}"
    return [
        cell(f"  {name}"),
        cell(value, "strong"),
        cell(around),
        cell(rests),
        cell("n too small" if few else "", "wait"),
    ]


def _told(name: str, figure: Figure) -> tuple[str, str, int | None]:
    match figure:
        case Rate():
            if figure.value is None or figure.interval is None:
                return "-", "", 0
            low, high = figure.interval
            around = f"{figure.numerator:,} of {figure.denominator:,}; 95 % between {_percent(low)} and"
            return _percent(figure.value), f"{around} {_percent(high)}", figure.n
        case Quotient():
            return _quotient(name, figure.value), "", figure.n
        case Times():
            spread = figure.spread
            if not spread.n:
                return "-", "", 0
            ranks = ", ".join(f"{rank} {span_of(getattr(spread, rank))}" for rank in ("p75", "p90", "p95"))
            return span_of(spread.p50), f"median; {ranks}, mean {span_of(spread.sum // spread.n)}", spread.n
        case Amount():
            return span_of(figure.numerator) if name == "impaired" else f"{figure.value:,.4g}", "", None


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _quotient(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    units = {"impact": " %", "deploy_freq": " a day"}
    if name == "impact_requests":
        return f"{value * 100:.3g} %"
    return f"{value:,.3g}{units.get(name, '')}"


def _open(report: Report) -> list[Line]:
    rows = [
        [
            cell(f"  {each.service}"),
            cell(each.incident),
            cell(f"since {_short(each.opened)}"),
            cell(f"open for {span_of(each.age)}", "bad"),
            cell("caused by a change" if each.caused else ""),
        ]
        for each in report.open
    ]
    return columns(rows)


def _groups(groups: Sequence[Group]) -> list[Line]:
    heads = [cell("", "faint"), *(cell(name, "faint") for name in _IN_GROUPS), cell("n", "faint"), ()]
    rows = [heads]
    for group in groups:
        figures = group.figures
        told = [cell(_told(name, figures[name])[0]) for name in _IN_GROUPS]
        state = "provisional" if group.provisional else "restated" if group.restated else ""
        few = "n too small" if group.cell.attempts < FEW else ""
        rows.append(
            [
                cell(f"  {group.name or '(none)'}"),
                *told,
                cell(f"{group.cell.attempts:,}"),
                cell(", ".join(each for each in (few, state) if each), "wait"),
            ]
        )
    return columns(rows)


def _notes(report: Report, total: Group) -> list[Line]:
    """Say what the figures leave out, and how sure they are."""
    quality = report.quality
    told = {
        "events refused, since they contradict one that was received before": quality.dq_conflicts,
        "events from the future, which count when they were received": quality.dq_skewed,
        "ends without a beginning, left out": quality.dq_orphans,
        "changes that met users before they were merged, without a lead time": quality.dq_negative,
        "changes that were never merged, without a lead time": quality.dq_no_merge,
        "changes that were merged without a pull request": quality.no_pr,
        f"attempts that used a waiver, of {total.cell.attempts:,}": total.cell.waived,
    }
    notes = [cell(f"  {what}: {count:,}") for what, count in told.items() if count]
    if total.provisional:
        notes.append(cell("  provisional: the window ended less than 72 h before the newest event"))
    if total.restated:
        notes.append(
            cell("  restated: the figures changed by what was received more than 72 h after the window")
        )
    return [(), cell("Notes", "strong"), *notes] if notes else []


def _short(micros: int) -> str:
    return written(micros).removesuffix("T00:00:00Z")
