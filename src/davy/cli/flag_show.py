"""`davy flag show KEY`: one flag, what governs it, and what it is in each environment."""

import json
from collections.abc import Iterator
from typing import Any

import click

from davy.cli.flag_list import gate, told
from davy.cli.flag_registry import declared, flag_of, sources
from davy.cli.options import common, output
from davy.cli.output import show_data, show_lines
from davy.cli.paint import Line, span
from davy.cli.setting import Setting
from davy.control.views import API_VERSION
from davy.flags.declaration import Declaration
from davy.flags.definition import Definition
from davy.flags.gate import PRODUCTION

_LABEL = 14


@click.command("show")
@click.argument("key")
@sources
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, key: str, sources: tuple[str, ...], form: str) -> None:
    """Show one flag that files declare; needs no engine."""
    flag = flag_of(declared(setting, sources), key)
    view = told(flag, setting.wall())
    if form == "text":
        show_lines(_lines(flag, view))
        return
    names = sorted({PRODUCTION, *flag.environments})
    view["environments"] = {name: _environment(flag.in_environment(name)) for name in names}
    show_data({"apiVersion": API_VERSION, "kind": "FlagView", **view}, form)


def _environment(flag: Definition) -> dict[str, Any]:
    return {
        "state": "ENABLED" if flag.enabled else "DISABLED",
        "variants": dict(flag.variants),
        "defaultVariant": flag.default_variant,
        "targeting": flag.targeting,
    }


def _lines(flag: Declaration, view: dict[str, Any]) -> Iterator[Line]:
    yield (span(flag.key, "strong"), span(f"  ({flag.type})"))
    if flag.governance.description:
        yield (span(flag.governance.description),)
    expiry = f"{view['expiry'] or '-'}{' (past)' if view['expired'] else ''}"
    for name, value in (
        ("owner", view["owner"] or "-"),
        ("jira", view["jira"] or "-"),
        ("expiry", expiry),
        ("kind", f"{view['kind']}, criticality {view['criticality']}"),
        ("exposure", view["exposure"]),
        ("gate", gate(flag)),
        ("safe", view["safeVariant"] or "-"),
        ("on error", view["onError"]),
        ("bucketing", view["bucketing"]),
        ("drilled every", view["drillEvery"] or "-"),
        ("declared", str(flag.place)),
    ):
        yield (span(f"{name:<{_LABEL}}", "faint"), span(str(value)))
    yield (span(f"{'variants':<{_LABEL}}", "faint"), span(_shown(flag.definition.variants)))
    yield from _answers("as declared", flag.definition)
    for name in sorted(flag.environments):
        yield from _answers(name, flag.environments[name])


def _answers(name: str, flag: Definition) -> Iterator[Line]:
    state = "" if flag.enabled else ", DISABLED"
    yield (span(f"{name:<{_LABEL}}", "faint"), span(f"{flag.default_variant or 'the default in code'}{state}"))
    if flag.targeting:
        yield (span(" " * _LABEL), span(_shown(flag.targeting)))


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
