"""`davy check`: hold manifests to the gates and to policies, without an engine."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from davy import __version__
from davy.cli.comparing import Base, base_of
from davy.cli.excusing import read_waivers
from davy.cli.findings import refuse, refuse_nothing, summary, tell
from davy.cli.manifests import read_manifests
from davy.cli.mending import mend
from davy.cli.options import common, output
from davy.cli.output import show_view
from davy.cli.setting import Setting, talk
from davy.control import admission
from davy.control.admission import Admitted
from davy.control.catalog import Catalog
from davy.control.governance import Governance, governed
from davy.control.views import ApplyView
from davy.errors import UsageError
from davy.model.kinds import is_cluster_scoped
from davy.policy import pack
from davy.policy.engine import Point

FORMS = ("text", "json", "yaml", "sarif", "junit", "github", "gitlab")


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
@click.option(
    "--profile",
    type=click.Choice(pack.PROFILES),
    default=pack.PROFILES[0],
    show_default=True,
    help="How much the rules of Davy's own pack ask for.",
)
@click.option(
    "--waivers", "excuses", multiple=True, metavar="FILE|DIR", help="Waivers; those among the files count, too."
)
@click.option(
    "--base", metavar="REF", help="A commit to compare with, so that rules about changes can be asked."
)
@click.option("--changed-only", is_flag=True, help="Only tell of what is new since --base.")
@click.option("--fix", "mending", is_flag=True, help="Mend what can be mended by machine first; shows a diff.")
@output(*FORMS)
@common
@click.pass_obj
def command(
    setting: Setting,
    paths: tuple[str, ...],
    sources: tuple[str, ...],
    profile: pack.Profile,
    excuses: tuple[str, ...],
    base: str | None,
    changed_only: bool,
    mending: bool,
    form: str,
) -> None:
    """Hold manifests to every rule that `apply` holds them to, and to policies; needs no engine.

    Policies are the rules of Davy's pack, and whatever templates, constraints and policies are among the files.
    With -n, manifests that name no namespace are judged as in that one.

    Exits 1 when a gate or a policy says no, 2 when something cannot be read (DV…) and 3 when Git cannot say
    what there was before.
    """
    named = (*sources, *paths)
    if not named:
        raise click.UsageError("nothing to check: name files or directories", click.get_current_context())
    if changed_only and base is None:
        raise UsageError("--changed-only needs --base: changed since when?", hint="--base origin/main")
    texts = read_manifests(named)
    before = None if base is None else base_of(base, named, texts)
    governance = _governance(setting, profile, excuses)

    def admit(texts: Sequence[tuple[str, bytes]]) -> Admitted:
        return admission.admit(
            texts,
            str(Path.cwd()),
            Catalog(),
            governance,
            namespace=setting.chosen_namespace,
            base=before.texts if before else None,
        )

    admitted = admit(texts)
    if mending and (fresh := mend(texts, admitted.findings)) != texts:
        texts = fresh
        admitted = admit(texts)
    if changed_only and before:
        admitted = _only(admitted, before, admit(before.texts))
    view = admission.answer(admitted, Catalog())
    if not changed_only:
        refuse_nothing(view, [name for name, _ in texts])
    _show(setting, view, admitted, before, form)
    refuse(view.findings, "this does not pass")


def _governance(setting: Setting, profile: pack.Profile, excuses: Sequence[str]) -> Governance:
    """Put together what judges here."""
    governance, problems = governed(
        pack.objects(profile), waivers=read_waivers(excuses), point=Point.CHECK, now=setting.wall()
    )
    assert not problems, f"the pack is whole: {problems}"
    return governance


def _only(admitted: Admitted, base: Base, then: Admitted) -> Admitted:
    """Leave out files that did not change, unless something is told of them that was not told before.

    A gate that is taken out of one file leaves a rollout without it in another.
    """
    told = {(finding.place.file, finding.code, finding.title) for finding in then.findings}
    findings = tuple(
        finding
        for finding in admitted.findings
        if finding.place.file in base.changed or (finding.place.file, finding.code, finding.title) not in told
    )
    files = {*base.changed, *(finding.place.file for finding in findings)}
    return replace(
        admitted, findings=findings, judged=tuple(each for each in admitted.judged if each.file in files)
    )


def _show(setting: Setting, view: ApplyView, admitted: Admitted, base: Base | None, form: str) -> None:
    """Print what was asked for to standard output, and what a person wants to know beside it to the other."""
    if form in ("json", "yaml"):
        show_view(view, form)
    elif form != "text":
        from davy.cli.reports import write
        from davy.cli.reports.report import Report

        changed = base.changed if base else None
        write(
            setting, Report(admitted.findings, admitted.judged, __version__, changed), dict(view.results), form
        )
    else:
        tell(setting, view.findings)
    if form == "text" and view.accepted:
        talk(_passed(view))
    if view.accepted and not setting.chosen_namespace and (lost := _without_namespace(admitted)):
        names = "names" if lost == 1 else "name"
        talk(f"note: {_counted(lost, 'object')} {names} no namespace: -n NAMESPACE says where that goes")
    results = view.results
    if results and results["not-applicable"] == sum(results.values()):
        talk(f"note: no policy looks at any of {_counted(sum(results.values()), 'object')}: nothing was judged")


def _without_namespace(admitted: Admitted) -> int:
    """Count objects that policies about namespaces do not see, for they say nowhere where they go."""
    return sum(
        review.namespace == "" and not is_cluster_scoped(review.kind.api_version, review.kind.kind)
        for review, _ in admitted.decisions
    )


def _passed(view: ApplyView) -> str:
    """Say what passes, and that nobody judged some of it."""
    results = view.results
    count = sum(results.values())
    told = f"{_counted(count, 'object')} {'passes' if count == 1 else 'pass'}"
    if results.get("waived"):
        told += f", {results['waived']} by a waiver"
    if results.get("not-applicable"):
        told += f", no policy is about {results['not-applicable']} of them"
    found = summary(view.findings)
    return told + (f" ({found})" if found else "")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
