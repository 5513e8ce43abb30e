"""`davy flag diff`: what differs between two environments, or since a commit."""

import json
from collections.abc import Iterator, Sequence

import click
import msgspec

from davy.cli.flag_registry import declared, declared_in, environment_of, sources
from davy.cli.manifests import read_manifests
from davy.cli.options import common, output
from davy.cli.output import show_data, show_lines
from davy.cli.paint import Line, span
from davy.cli.setting import Setting, talk
from davy.control.views import API_VERSION
from davy.errors import Refused, UsageError
from davy.flags.difference import FlagChange, between_environments, between_registries

_LOOKS = {"added": "good", "removed": "bad", "retired": "wait", "changed": "busy"}


@click.command("diff")
@sources
@click.option("--from", "before", metavar="NAME", help="The environment that is compared.")
@click.option("--to", "after", metavar="NAME", help="The environment that it is compared with.")
@click.option("--base", metavar="REF", help="A commit to compare with, whatever the environment.")
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(
    setting: Setting,
    sources: tuple[str, ...],
    before: str | None,
    after: str | None,
    base: str | None,
    form: str,
) -> None:
    """Say what differs between two environments, or what became of flags since a commit; needs no engine.

    Exits 1 when something differs, and 3 when Git cannot say what there was.
    """
    if base is not None and before is None and after is None:
        changes = _since(setting, sources, base)
    elif base is None and before is not None and after is not None:
        registry = declared(setting, sources)
        one, other = environment_of(registry, before), environment_of(registry, after)
        changes = between_environments(registry, one, other)
    else:
        raise UsageError(
            "compare two environments, or with a commit",
            hint="--from staging --to production, or --base origin/main",
        )
    if form == "text":
        show_lines(line for change in changes for line in _lines(change))
    else:
        items = [msgspec.to_builtins(change) for change in changes]
        show_data({"apiVersion": API_VERSION, "kind": "FlagDiff", "changes": items}, form)
    if changes:
        count = len(changes)
        raise Refused(f"{count} {'flag differs' if count == 1 else 'flags differ'}")
    talk("no flag differs")


def _since(setting: Setting, named: Sequence[str], base: str) -> tuple[FlagChange, ...]:
    from davy.cli.comparing import base_of

    texts = read_manifests(named)
    then = base_of(base, named, texts)
    return between_registries(declared_in(setting, then.texts), declared_in(setting, texts))


def _lines(change: FlagChange) -> Iterator[Line]:
    yield (span(change.key, "strong"), span(f"  {change.change}", _LOOKS[change.change]))
    for each in change.fields:
        yield (span(f"  {each.field}: {_shown(each.before)} → {_shown(each.after)}"),)


def _shown(value: object) -> str:
    return "-" if value is None else json.dumps(value, ensure_ascii=False)
