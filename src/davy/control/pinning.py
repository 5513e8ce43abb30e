"""The analysis templates that an update is held to: those that there were when it began.

A gate that is swapped while the release is on its way to it is no gate. So the templates of an update are named
in the record by their digests when it begins, and while it is under way none of them changes.
"""

from collections.abc import Callable, Iterable, Iterator

from davy.analysis.resolve import Templates
from davy.control.held import Held
from davy.errors import Refused
from davy.model.analysis import AnalysisTemplate, AnalysisTemplateRef, ClusterAnalysisTemplate
from davy.model.checks.gates import gates
from davy.model.judge import Judge
from davy.model.meta import Manifest
from davy.model.rollout import Rollout
from davy.policy.digest import sha256
from davy.rollout.state import UNDERWAY, Promoting, RolloutState


def pins(rollout: Rollout, templates: Templates, judge: Judge | None = None) -> dict[str, str]:
    """Return the templates that the analyses of a rollout name, with those that these name, by digest.

    The Judge that it is held to is one of them.
    """
    found = {_shown(each): sha256(templates[each]) for each in used(rollout, templates)}
    return found if judge is None else {**found, f"Judge/{judge.key.name}": sha256(judge.spec)}


def used(rollout: Rollout, templates: Templates) -> tuple[AnalysisTemplateRef, ...]:
    """List the templates that the analyses of a rollout name, and those that these measure along."""
    found: dict[AnalysisTemplateRef, None] = {}
    waiting = [each for gate in gates(rollout) for each in gate.analysis.templates]
    while waiting:
        reference = waiting.pop(0)
        if reference in templates and reference not in found:
            found[reference] = None
            waiting += templates[reference].templates
    return tuple(sorted(found, key=_shown))


def is_held_to_templates(state: RolloutState) -> bool:
    """Say whether an update is under way that has something to show yet; a quick way back has not."""
    progress = state.progress
    return isinstance(progress, UNDERWAY) and not (isinstance(progress, Promoting) and progress.quick)


def swapped(
    held: Iterable[Held], changed: Iterable[Manifest], templates: Callable[[str], Templates]
) -> Iterator[tuple[Held, str]]:
    """Find the updates under way whose templates would change, each with the name of one of those.

    Args:
        held: the rollouts.
        changed: manifests that differ from what is held under their names.
        templates: by namespace, as they are now.
    """
    names = {_name(each) for each in changed if isinstance(each, AnalysisTemplate | ClusterAnalysisTemplate)}
    if not names:
        return
    for each in held:
        if not is_held_to_templates(each.state):
            continue
        namespace = each.key.namespace
        for reference in used(each.manifest, templates(namespace)):
            if (reference, "" if reference.cluster_scope else namespace) in names:
                yield each, _shown(reference)
                break


def refusal(held: Held, template: str) -> Refused:
    """Say why a template does not change now."""
    name = held.key.name
    return Refused(
        f"{template} is what revision {held.state.newest.number} of rollout '{name}' is being held to: "
        "a gate does not change while a release is on its way to it",
        hint=f"wait for {name}, or davy abort {name}; davy up --on-template-change restart has it start again",
    )


def _name(template: AnalysisTemplate | ClusterAnalysisTemplate) -> tuple[AnalysisTemplateRef, str]:
    cluster = isinstance(template, ClusterAnalysisTemplate)
    return AnalysisTemplateRef(template.key.name, cluster), "" if cluster else template.key.namespace


def _shown(reference: AnalysisTemplateRef) -> str:
    kind = "ClusterAnalysisTemplate" if reference.cluster_scope else "AnalysisTemplate"
    return f"{kind}/{reference.template_name}"
