"""`davy flag list`: the flags that are declared, one a line."""

from typing import Any

import click

from davy.cli.flag_registry import declared, is_expired, sources
from davy.cli.options import common, output
from davy.cli.output import show_data, show_lines
from davy.cli.paint import cell, columns
from davy.cli.setting import Setting
from davy.control.views import API_VERSION
from davy.flags.declaration import Declaration

_TITLES = ("KEY", "TYPE", "KIND", "OWNER", "JIRA", "EXPIRY", "EXPOSURE", "CRITICALITY", "GATE")


@click.command("list")
@sources
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, sources: tuple[str, ...], form: str) -> None:
    """List the flags that files declare, and what governs them; needs no engine."""
    registry = declared(setting, sources)
    now = setting.wall()
    flags = [registry.flags[key] for key in sorted(registry.flags)]
    if form == "text":
        titles = tuple(cell(title, "faint") for title in _TITLES)
        show_lines(columns([titles, *(_row(flag, now) for flag in flags)]))
        return
    items = [told(flag, now) for flag in flags]
    retired = {key: str(place) for key, place in sorted(registry.retired.items())}
    show_data({"apiVersion": API_VERSION, "kind": "FlagList", "items": items, "retired": retired}, form)


def told(flag: Declaration, now: float) -> dict[str, Any]:
    """Return what is told of a flag, as plain values."""
    governance = flag.governance
    return {
        "key": flag.key,
        "type": str(flag.type),
        "owner": governance.owner,
        "jira": governance.jira,
        "expiry": governance.expiry,
        "expired": is_expired(flag, now),
        "kind": str(governance.kind),
        "exposure": str(governance.exposure),
        "criticality": str(governance.criticality),
        "safeVariant": governance.safe,
        "onError": str(governance.on_error),
        "bucketing": str(governance.bucketing),
        "gate": {"rollout": governance.rollout, "weight": governance.rollout_weight}
        if governance.rollout
        else None,
        "drillEvery": governance.drill_every,
        "description": governance.description,
        "environments": sorted(flag.environments),
        "file": flag.place.file,
        "line": flag.place.line,
    }


def gate(flag: Declaration) -> str:
    """Say what has to pass before a flag may be on in production."""
    governance = flag.governance
    return f"{governance.rollout} at {governance.rollout_weight}%" if governance.rollout else "-"


def _row(flag: Declaration, now: float) -> tuple[Any, ...]:
    governance = flag.governance
    expired = is_expired(flag, now)
    return (
        cell(flag.key, "strong"),
        cell(str(flag.type)),
        cell(str(governance.kind)),
        cell(governance.owner or "-"),
        cell(governance.jira or "-"),
        cell(f"{governance.expiry or '-'}{' (past)' if expired else ''}", "bad" if expired else ""),
        cell(str(governance.exposure)),
        cell(str(governance.criticality)),
        cell(gate(flag)),
    )
