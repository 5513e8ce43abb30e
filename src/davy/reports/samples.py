"""The delivery metrics of a ledger as samples for `/metrics`."""

from collections.abc import Iterable, Iterator

from davy.reports.cells import Spread
from davy.reports.dashboard import ALL
from davy.reports.gauges import Sample
from davy.reports.live import Headline
from davy.reports.report import Rate

_SPANS = {
    "davy_lead_time_seconds": "lead_time",
    "davy_lead_time_to_full_seconds": "lead_to_full",
    "davy_time_to_restore_seconds": "mttr",
    "davy_failed_deployment_recovery_seconds": "fdrt",
}


def samples(headlines: Iterable[Headline]) -> Iterator[Sample]:
    """Yield what is known of each service, and of all together under the service `*`, in each window.

    What has nothing to be computed from is left out.
    """
    for headline in headlines:
        service = headline.service or ALL
        labels = {"service": service, "window": f"{headline.days}d"}
        yield from _rates(headline, labels)
        yield from _counts(headline, labels)
        for name, field in _SPANS.items():
            yield from _quantiles(name, getattr(headline.cell, field), labels)
    yield from _open(headlines)


def _rates(headline: Headline, labels: dict[str, str]) -> Iterator[Sample]:
    cell, values = headline.cell, headline.values
    rates = {
        "seed": Rate(cell.failed, cell.attempts),
        "rollout": Rate(cell.rollouts_failed, cell.rollouts),
        "change": Rate(cell.changes_failed, cell.changes),
        "escaped": Rate(cell.escaped, cell.attempts),
    }
    for definition, rate in rates.items():
        if rate.value is not None and rate.interval is not None:
            told = {**labels, "definition": definition}
            yield Sample("davy_change_failure_ratio", told, rate.value)
            yield Sample("davy_change_failure_ratio_low", told, rate.interval[0])
            yield Sample("davy_change_failure_ratio_high", told, rate.interval[1])
    for name, figure in (("davy_impact_ratio", "impact"), ("davy_rework_ratio", "rework_rate")):
        if figure in values:
            yield Sample(name, labels, values[figure])
    yield Sample("davy_deployments_per_day", labels, values["deploy_freq"])


def _counts(headline: Headline, labels: dict[str, str]) -> Iterator[Sample]:
    cell = headline.cell
    outcomes = {
        "exposed": cell.attempts,
        "failed": cell.failed,
        "escaped": cell.escaped,
        "caught unexposed": cell.unexposed,
    }
    for outcome, count in outcomes.items():
        yield Sample("davy_changes", {**labels, "outcome": outcome}, count)


def _quantiles(name: str, spread: Spread, labels: dict[str, str]) -> Iterator[Sample]:
    if spread.n:
        for quantile, micros in (("0.5", spread.p50), ("0.75", spread.p75), ("0.9", spread.p90)):
            yield Sample(name, {**labels, "quantile": quantile}, micros / 1e6)


def _open(headlines: Iterable[Headline]) -> Iterator[Sample]:
    """Yield open incidents once a service: they belong to no window."""
    latest = {headline.service: headline for headline in headlines}
    for service, headline in latest.items():
        labels = {"service": service or ALL}
        yield Sample("davy_open_incidents", labels, len(headline.opened))
        if headline.opened:
            oldest = min(incident.opened for incident in headline.opened)
            yield Sample("davy_oldest_open_incident_seconds", labels, (headline.newest - oldest) / 1e6)
