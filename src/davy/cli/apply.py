"""`davy apply`: accept manifests, all of them or none."""

from pathlib import Path

import click

from davy.cli.findings import outcome, refuse, refuse_nothing, tell
from davy.cli.manifests import as_text, read_manifests
from davy.cli.options import common, output, reason
from davy.cli.output import show_view
from davy.cli.setting import BUILD_S, Setting, talk
from davy.control.requests import Apply
from davy.control.views import ApplyView


@click.command("apply")
@click.option(
    "-f",
    "--filename",
    "sources",
    multiple=True,
    required=True,
    metavar="FILE|DIR|-",
    help="A file, a directory with all below it, or - for standard input; may be given again.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, sources: tuple[str, ...], dry_run: bool, reason: str, form: str) -> None:
    """Accept manifests; with one error among the findings nothing is changed at all.

    With -n, manifests that name no namespace go to that one.

    Exits 1 when a gate said no (PD…) and 2 when something is no valid manifest (DV…).
    """
    texts = as_text(read_manifests(sources))
    apply(setting, Apply(texts, str(Path.cwd()), reason, dry_run, setting.namespace), form)


def apply(setting: Setting, request: Apply, form: str) -> None:
    """Have the engine accept manifests, and say what came of it.

    Raises:
        UsageError, Refused: there is no manifest, or there are errors among the findings.
    """
    view = setting.ask(request, ApplyView, timeout_s=BUILD_S)
    refuse_nothing(view, [name for name, _ in request.texts])
    if form != "text":
        show_view(view, form)
    else:
        tell(setting, view.findings)
        for applied in view.applied:
            click.echo(outcome(applied) + (" (dry run)" if request.dry_run else ""))
            if applied.url:
                talk(f"  {applied.name} answers at {applied.url}")
    refuse(view.findings, "nothing was changed")
