"""`davy get`: look at rollouts."""

import json
import sys
from collections.abc import Callable
from typing import TypeVar

import click

from davy.cli.listing import listing
from davy.cli.options import common, is_rollout_kind, output, rollout_name
from davy.cli.output import as_data, show_data, show_lines, show_view
from davy.cli.paint import Line, visible
from davy.cli.setting import Setting, shows_symbols, talk
from davy.cli.symbols import Symbols
from davy.cli.tree import tree
from davy.cli.watch import leaving, looks, print_changes, redraw
from davy.control.requests import Get, List, Manifest
from davy.control.views import ManifestView, RolloutList, RolloutView
from davy.errors import UsageError

Drawn = TypeVar("Drawn", RolloutView, RolloutList)

FORMS = ("tree", "wide", "json", "yaml", "name", "manifest")


@click.command("get")
@click.argument("words", nargs=-1, required=True, metavar="rollouts | rollout NAME | rollout/NAME")
@output(*FORMS)
@click.option("-w", "--watch", is_flag=True, help="Go on looking, until Ctrl-C.")
@click.option("-A", "--all-namespaces", is_flag=True, help="List the rollouts of all namespaces.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with words and ASCII, without symbols.")
@common
@click.pass_obj
def command(
    setting: Setting, words: tuple[str, ...], form: str, watch: bool, all_namespaces: bool, ascii_only: bool
) -> None:
    """Look at rollouts.

    `get rollouts` lists them, `get rollout NAME` draws one with its revisions, replicas and what was measured.
    `-o manifest` prints the rollout as the Kubernetes API would. With `-w` a terminal is redrawn in place;
    elsewhere every change is one line (one JSON document with `-o json`).
    """
    symbols = Symbols(ascii_only or not shows_symbols())
    name = _read(words)
    if name:
        if all_namespaces:
            raise UsageError("--all-namespaces lists rollouts; it does not go with a name")
        _one(setting, name, form, symbols, watch=watch)
    else:
        _list(setting, "" if all_namespaces else setting.namespace, form, watch=watch)


def _read(words: tuple[str, ...]) -> str:
    """Return the rollout that the words name, an empty string for all of them."""
    kind, slash, name = words[0].partition("/")
    if not is_rollout_kind(kind):
        raise UsageError(
            f"there is nothing called {kind!r} to get", hint="davy get rollouts, davy get rollout NAME"
        )
    names = [name, *words[1:]] if slash else list(words[1:])
    if len(names) > 1:
        raise UsageError("one name at a time, please", hint=f"davy get rollout {names[0] or names[1]}")
    return rollout_name(names[0]) if names else ""


def _one(setting: Setting, name: str, form: str, symbols: Symbols, *, watch: bool) -> None:
    """Look at one rollout."""

    def look() -> RolloutView:
        return setting.ask(Get(setting.namespace, name), RolloutView)

    def draw(view: RolloutView) -> list[Line]:
        return tree(view, wide=form == "wide", symbols=symbols)

    if form == "manifest":
        if watch:
            raise UsageError("a manifest cannot be watched", hint=f"davy get rollout {name} -w -o json")
        show_data(setting.ask(Manifest(setting.namespace, name), ManifestView).manifest, "yaml")
    elif watch:
        with leaving(f'rollout "{name}" goes on'):
            _watch(setting, look, draw, summary, form)
    elif form in ("json", "yaml"):
        show_view(look(), form)
    elif form == "name":
        click.echo(f"rollout/{look().name}")
    else:
        show_lines(draw(look()))


def _list(setting: Setting, namespace: str, form: str, *, watch: bool) -> None:
    """Look at all rollouts of a namespace, or of all of them."""

    def look() -> RolloutList:
        return setting.ask(List(namespace), RolloutList)

    def draw(view: RolloutList) -> list[Line]:
        return listing(view.items, namespaces=not namespace, wide=form == "wide")

    if form == "manifest":
        raise UsageError("-o manifest wants one rollout", hint="davy get rollout NAME -o manifest")
    if watch:
        with leaving("the rollouts go on"):
            _watch(setting, look, draw, lambda view: "\n".join(summary(item) for item in view.items), form)
    elif form in ("json", "yaml"):
        show_view(look(), form)
    elif form == "name":
        for item in look().items:
            click.echo(f"rollout/{item.name}")
    elif not (view := look()).items:
        where = f'in namespace "{namespace}"' if namespace else "in any namespace"
        talk(f"there are no rollouts {where}; davy apply -f FILE makes one")
    else:
        show_lines(draw(view))


def _watch(
    setting: Setting,
    look: Callable[[], Drawn],
    draw: Callable[[Drawn], list[Line]],
    summarize: Callable[[Drawn], str],
    form: str,
) -> None:
    """Look again and again, in the way that standard output can show."""
    if form in ("json", "yaml"):
        print_changes(json.dumps(as_data(view), ensure_ascii=False) for view in looks(look, setting))
    elif sys.stdout and sys.stdout.isatty() and setting.environment.get("TERM") != "dumb":
        redraw((draw(view) for view in looks(look, setting)), setting)
    else:
        print_changes(summarize(view) for view in looks(look, setting))


def summary(view: RolloutView) -> str:
    """Say in one line how a rollout is; the line changes when something happens, not as time goes by."""
    parts = [view.name, view.status]
    if view.step is not None:
        parts.append(f"step {view.step}/{len(view.steps)}")
    if view.actual_weight is not None:
        parts.append(f"weight {view.actual_weight}")
    parts += [
        run.name.removeprefix(f"{view.name}-") + f" {run.phase}" for run in view.revisions[0].all_runs[-1:]
    ]
    parts += [text for text in (view.message, view.trouble) if text]
    return visible("  ".join(parts))
