"""`davy check`: hold manifests to the gates, without an engine."""

from pathlib import Path

import click

from davy.cli.findings import refuse, refuse_nothing, summary, tell
from davy.cli.manifests import read_manifests
from davy.cli.options import common, output, refuse_namespace
from davy.cli.output import show_view
from davy.cli.setting import Setting, talk
from davy.control import admission
from davy.control.catalog import Catalog


@click.command("check")
@click.argument("paths", nargs=-1, metavar="[FILE|DIR|-]…")
@click.option(
    "-f",
    "--filename",
    "sources",
    multiple=True,
    metavar="FILE|DIR|-",
    help="A file, a directory with all below it, or - for standard input; may be given again.",
)
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, paths: tuple[str, ...], sources: tuple[str, ...], form: str) -> None:
    """Hold manifests to every rule that `apply` holds them to; needs no engine and changes nothing.

    Exits 1 when a gate says no (PD…) and 2 when something is no valid manifest (DV…).
    """
    if not (sources or paths):
        raise click.UsageError("nothing to check: name files or directories", click.get_current_context())
    refuse_namespace(setting)
    texts = read_manifests((*sources, *paths))
    view = admission.answer(admission.admit(texts, str(Path.cwd()), Catalog()), Catalog())
    refuse_nothing(view, [name for name, _ in texts])
    if form != "text":
        show_view(view, form)
    else:
        tell(setting, view.findings)
        if view.accepted:
            found = summary(view.findings)
            count = len(view.applied)
            told = "1 object passes" if count == 1 else f"{count} objects pass"
            talk(told + (f" ({found})" if found else ""))
    refuse(view.findings, "an engine would refuse them")
