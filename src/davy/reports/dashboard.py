"""The Grafana dashboard of delivery: figures with their intervals, what is being rolled out, and the ledger.

It is made here and kept as a file, so that every query can be held to the grammar of PromQL and to the metrics
that are exported.
"""

from typing import Any

Json = dict[str, Any]

COLUMNS = 24
"""How wide a dashboard of Grafana is."""

ALL = "*"
"""The service that stands for all of them together."""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
CHOSEN = 'service=~"$service",window="$window"'
RED, AMBER, GREEN, BLUE = "red", "orange", "green", "blue"


def dashboard() -> Json:
    """Return the dashboard, as Grafana imports it."""
    panels = [
        *_headlines(),
        _row("Trends", y=5),
        _failure_trend(),
        _outcomes(),
        _times("Lead time: merge to first user, and to all", 14, 0, _LEAD),
        _times("Recovery: alert to healthy", 14, 12, _RECOVERY),
        _row("Services", y=22),
        _table(),
        _row("Right now", y=31),
        _weights(),
        _statuses(),
        _incidents(),
        _ledger(),
    ]
    return {
        "annotations": {"list": []},
        "description": "Change failure rate, lead time and recovery, computed by Davy from its ledger.",
        "editable": True,
        "graphTooltip": 1,
        "links": [],
        "panels": [{**panel, "id": number} for number, panel in enumerate(panels, 1)],
        "refresh": "30s",
        "schemaVersion": 39,
        "tags": ["davy", "delivery"],
        "templating": {"list": _variables()},
        "time": {"from": "now-7d", "to": "now"},
        "timezone": "utc",
        "title": "Davy: delivery",
        "uid": "davy-delivery",
        "version": 1,
    }


_LEAD = (
    (f'davy_lead_time_seconds{{{CHOSEN},quantile="0.5"}}', "{{service}} first user, median"),
    (f'davy_lead_time_seconds{{{CHOSEN},quantile="0.9"}}', "{{service}} first user, p90"),
    (f'davy_lead_time_to_full_seconds{{{CHOSEN},quantile="0.5"}}', "{{service}} all users, median"),
)
_RECOVERY = (
    (f'davy_time_to_restore_seconds{{{CHOSEN},quantile="0.5"}}', "{{service}} all incidents, median"),
    (f'davy_time_to_restore_seconds{{{CHOSEN},quantile="0.9"}}', "{{service}} all incidents, p90"),
    (f'davy_failed_deployment_recovery_seconds{{{CHOSEN},quantile="0.5"}}', "{{service}} by a change, median"),
)


def _variables() -> list[Json]:
    services = "label_values(davy_changes, service)"
    return [
        {"label": "Prometheus", "name": "datasource", "query": "prometheus", "type": "datasource"},
        {
            "current": {"text": [ALL], "value": [ALL]},
            "datasource": DATASOURCE,
            "includeAll": False,
            "label": "Service",
            "multi": True,
            "name": "service",
            "query": {"query": services, "refId": "services"},
            "refresh": 2,
            "sort": 1,
            "type": "query",
        },
        {
            "current": {"text": "30d", "value": "30d"},
            "label": "Window",
            "name": "window",
            "options": [
                {"text": each, "value": each, "selected": each == "30d"} for each in ("7d", "30d", "90d")
            ],
            "query": "7d,30d,90d",
            "type": "custom",
        },
    ]


def _headlines() -> list[Json]:
    told = (
        (
            "Change failure rate",
            f'davy_change_failure_ratio{{{CHOSEN},definition="seed"}}',
            "percentunit",
            0.1,
            0.2,
        ),
        (
            "… that escaped",
            f'davy_change_failure_ratio{{{CHOSEN},definition="escaped"}}',
            "percentunit",
            0.05,
            0.1,
        ),
        ("Impact on users", f"davy_impact_ratio{{{CHOSEN}}}", "percentunit", 0.02, 0.1),
        ("Lead time, median", f'davy_lead_time_seconds{{{CHOSEN},quantile="0.5"}}', "s", 21600, 86400),
        ("Deployments a day", f"davy_deployments_per_day{{{CHOSEN}}}", "short", None, None),
        ("Time to restore, median", f'davy_time_to_restore_seconds{{{CHOSEN},quantile="0.5"}}', "s", 900, 3600),
    )
    return [
        _panel(
            "stat",
            title,
            (0, 4 * column, 4, 5),
            [(query, "{{service}}")],
            unit=unit,
            thresholds=_thresholds(warn, bad),
            options={"colorMode": "value", "graphMode": "area", "reduceOptions": _LAST},
        )
        for column, (title, query, unit, warn, bad) in enumerate(told)
    ]


_LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def _failure_trend() -> Json:
    queries = [
        (f'davy_change_failure_ratio{{{CHOSEN},definition="seed"}}', "{{service}} rolled back or hotfixed"),
        (f'davy_change_failure_ratio_low{{{CHOSEN},definition="seed"}}', "{{service}} 95 % from"),
        (f'davy_change_failure_ratio_high{{{CHOSEN},definition="seed"}}', "{{service}} 95 % to"),
        (f'davy_change_failure_ratio{{{CHOSEN},definition="escaped"}}', "{{service}} escaped"),
    ]
    return _panel(
        "timeseries", "Change failure rate, with its interval", (6, 0, 12, 8), queries, unit="percentunit"
    )


def _outcomes() -> Json:
    queries = [(f"davy_changes{{{CHOSEN}}}", "{{service}} {{outcome}}")]
    return _panel("timeseries", "Changes in the window", (6, 12, 12, 8), queries, unit="short")


def _times(title: str, y: int, x: int, queries: tuple[tuple[str, str], ...]) -> Json:
    return _panel("timeseries", title, (y, x, 12, 8), list(queries), unit="s")


def _table() -> Json:
    queries = [
        ('davy_changes{window="$window",outcome="exposed"}', "changes"),
        ('davy_change_failure_ratio{window="$window",definition="seed"}', "failure rate"),
        ('davy_change_failure_ratio{window="$window",definition="escaped"}', "escaped"),
        ('davy_lead_time_seconds{window="$window",quantile="0.5"}', "lead time"),
        ('davy_time_to_restore_seconds{window="$window",quantile="0.5"}', "time to restore"),
    ]
    panel = _panel("table", "Every service", (23, 0, COLUMNS, 8), queries, unit="short", table=True)
    renamed = {f"Value #{chr(65 + number)}": name for number, (_, name) in enumerate(queries)}
    hidden = {
        "Time": True,
        "__name__": True,
        "definition": True,
        "outcome": True,
        "quantile": True,
        "window": True,
    }
    panel["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": hidden, "renameByName": renamed}},
    ]
    units = (
        ("failure rate", "percentunit"),
        ("escaped", "percentunit"),
        ("lead time", "s"),
        ("time to restore", "s"),
    )
    panel["fieldConfig"]["overrides"] = [
        {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": unit}]}
        for name, unit in units
    ]
    return panel


def _weights() -> Json:
    queries = [("davy_rollout_weight_percent", "{{namespace}}/{{rollout}}")]
    return _panel("timeseries", "Share of the new version", (32, 0, 12, 8), queries, unit="percent")


def _statuses() -> Json:
    queries = [("sum by (status) (davy_rollout_status)", "{{status}}")]
    return _panel("bargauge", "Rollouts by status", (32, 12, 4, 8), queries, unit="short")


def _incidents() -> Json:
    queries = [
        ('davy_open_incidents{service=~"$service"}', "{{service}} open"),
        ('davy_oldest_open_incident_seconds{service=~"$service"}', "{{service}} oldest, seconds"),
    ]
    return _panel("stat", "Open incidents", (32, 16, 4, 8), queries, unit="short")


def _ledger() -> Json:
    queries = [
        ("davy_ledger_entries", "entries"),
        ("davy_ledger_entries - davy_ledger_checkpoint_entries", "not yet signed"),
    ]
    return _panel("stat", "Ledger", (32, 20, 4, 8), queries, unit="short")


def _row(title: str, *, y: int) -> Json:
    return {
        "collapsed": False,
        "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
        "panels": [],
        "title": title,
        "type": "row",
    }


def _panel(
    kind: str,
    title: str,
    place: tuple[int, int, int, int],
    queries: list[tuple[str, str]],
    *,
    unit: str,
    thresholds: Json | None = None,
    options: Json | None = None,
    table: bool = False,
) -> Json:
    """Make a panel; `place` is y, x, width and height in cells, a query comes with its legend."""
    y, x, width, height = place
    defaults: Json = {"unit": unit}
    if thresholds is not None:
        defaults["thresholds"] = thresholds
    targets = [
        {
            "datasource": DATASOURCE,
            "expr": expression,
            "legendFormat": legend,
            "refId": chr(65 + number),
            **({"format": "table", "instant": True} if table else {}),
        }
        for number, (expression, legend) in enumerate(queries)
    ]
    return {
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "gridPos": {"h": height, "w": width, "x": x, "y": y},
        "options": options or {},
        "targets": targets,
        "title": title,
        "type": kind,
    }


def _thresholds(warn: float | None, bad: float | None) -> Json:
    if warn is None or bad is None:
        return {"mode": "absolute", "steps": [{"color": BLUE, "value": None}]}
    steps = [{"color": GREEN, "value": None}, {"color": AMBER, "value": warn}, {"color": RED, "value": bad}]
    return {"mode": "absolute", "steps": steps}
