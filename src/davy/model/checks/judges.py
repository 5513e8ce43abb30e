"""The Judges that rollouts and templates name: that they are there, that there is something to compare."""

from collections.abc import Iterator, Mapping

from davy.model.analysis import AnalysisTemplate, ClusterAnalysisTemplate, Metric
from davy.model.check import nearest
from davy.model.checks.complaints import Complaints
from davy.model.checks.gates import gates, with_nested
from davy.model.index import Index
from davy.model.judge import ANNOTATION, PLUGIN, Judge
from davy.model.judges import asked, bound, service_of
from davy.model.rollout import Rollout
from davy.model.source import join

_NOTHING_TO_COMPARE = "blue/green gives all traffic to one version, and so a judge has nothing to compare"
_CANARY = "use a canary, or leave it out"


def check_judges(rollout: Rollout, index: Index, complaints: Complaints) -> None:
    """Check which Judge a rollout has; it comes with its template filled in."""
    name = rollout.metadata.annotations.get(ANNOTATION)
    if name is not None:
        path = join("metadata.annotations", ANNOTATION)
        if rollout.spec.strategy.canary is None:
            complaints.add(path, _NOTHING_TO_COMPARE, fix=_CANARY)
        elif index.get("Judge", rollout.metadata.namespace, name) is None:
            _complain(path, name, rollout.metadata.namespace, index, complaints)
    below = join("spec.template.metadata.annotations", ANNOTATION)
    if complaints.document.has(below):
        title = f"`{ANNOTATION}` of a pod template chooses no judge"
        complaints.add(below, title, severity="warning", part="key", fix="write it into metadata.annotations")
    _check_metrics(rollout, index, complaints)


def check_template(
    template: AnalysisTemplate | ClusterAnalysisTemplate, index: Index, complaints: Complaints
) -> None:
    """Check the Judges that the metrics of a template of a namespace ask."""
    if isinstance(template, ClusterAnalysisTemplate):
        return  # it depends on who uses it
    namespace = template.metadata.namespace
    for number, metric in enumerate(template.spec.metrics):
        if _is_missing(name := asked(metric) or "", namespace, index):
            path = f"{join(f'spec.metrics[{number}].provider.plugin', PLUGIN)}.judge"
            _complain(path, name, namespace, index, complaints)


def first_judges(index: Index) -> dict[tuple[str, str], str]:
    """Name the Judge of each namespace and service; where there are several, the one that was there first."""
    first: dict[tuple[str, str], str] = {}
    for judge in _judges(index):
        first.setdefault((judge.metadata.namespace, judge.spec.service), judge.metadata.name)
    return first


def judged_services(index: Index) -> dict[tuple[str, str], set[str]]:
    """Name the Judges of each namespace that its rollouts name, and the services of its other canaries."""
    found: dict[tuple[str, str], set[str]] = {}
    for rollout in index.all("Rollout"):
        assert isinstance(rollout, Rollout)
        namespace = rollout.metadata.namespace
        services = found.setdefault((namespace, "service"), set())
        named = {asked(metric) or "" for _, metric in _asking(rollout, index)}
        named.add(rollout.metadata.annotations.get(ANNOTATION, ""))
        found.setdefault((namespace, "name"), set()).update(named)
        if rollout.spec.strategy.canary is not None:
            services.add(service_of(rollout))
    return found


def check_one_judge(
    judge: Judge,
    first: Mapping[tuple[str, str], str],
    judged: Mapping[tuple[str, str], set[str]],
    complaints: Complaints,
) -> None:
    """Refuse a second Judge of one service, and tell of one that judges nothing of what is there."""
    other = first[judge.metadata.namespace, judge.spec.service]
    if other != judge.metadata.name:
        title = f"{judge.spec.service} has a Judge already, {other}, and would have two"
        fix = f"keep one of them; or give this one another service, and let rollouts name it: {ANNOTATION}"
        complaints.add("spec.service", title, part="value", fix=fix)
    namespace, service = judge.metadata.namespace, judge.spec.service
    services = judged.get((namespace, "service"))
    if services is None or service in services or judge.metadata.name in judged[namespace, "name"]:
        return
    meant = nearest(service, services)
    title = f"no canary is {service}'s or names this Judge: it judges nothing"
    label = f"did you mean {meant}?" if meant else ""
    fix = f"write {meant}" if meant else f"annotate the rollout that it is for with davy.dev/service: {service}"
    complaints.add("spec.service", title, severity="warning", part="value", label=label, fix=fix)


def _check_metrics(rollout: Rollout, index: Index, complaints: Complaints) -> None:
    """Check metrics that ask a Judge, at the place where the rollout names their template."""
    namespace = rollout.metadata.namespace
    found = list(_asking(rollout, index))
    own = bound(rollout, _judges(index), [metric for _, metric in found])
    for path, metric in found:
        name = asked(metric)
        if rollout.spec.strategy.canary is None:
            complaints.add(path, _NOTHING_TO_COMPARE, part="value", label=metric.name, fix=_CANARY)
        elif not name and own is None and ANNOTATION not in rollout.metadata.annotations:
            title = f"nobody judges {service_of(rollout)}: {metric.name} asks the Judge of the service"
            fix = "apply one first, or with this: kind: Judge, spec: {service: " + service_of(rollout) + "}"
            complaints.add(path, title, code="DV010", part="value", fix=fix)
        elif name and _is_missing(name, namespace, index):
            _complain(path, name, namespace, index, complaints)
        elif name and own is not None and own.metadata.name != name:
            title = f"{metric.name} asks the Judge {name}, and this rollout is judged by {own.metadata.name}"
            complaints.add(path, title, part="value", fix=f"let the metric ask {own.metadata.name}")


def _asking(rollout: Rollout, index: Index) -> Iterator[tuple[str, Metric]]:
    """Go through the metrics that ask a Judge, each with the place where the rollout names its template."""
    for gate in gates(rollout):
        for number, reference in enumerate(gate.analysis.templates):
            path = f"{gate.path}.templates[{number}].templateName"
            for template in with_nested(reference, rollout.metadata.namespace, index):
                yield from ((path, metric) for metric in template.spec.metrics if asked(metric) is not None)


def _judges(index: Index) -> Iterator[Judge]:
    return (each for each in index.all("Judge") if isinstance(each, Judge))


def _is_missing(name: str, namespace: str, index: Index) -> bool:
    """Say whether a name is that of no Judge; a placeholder is told of where it stands."""
    return bool(name) and "{{" not in name and index.get("Judge", namespace, name) is None


def _complain(path: str, name: str, namespace: str, index: Index, complaints: Complaints) -> None:
    """Tell of a Judge that is not there, and of the one that may be meant."""
    known = index.names("Judge", namespace)
    meant = nearest(name, known)
    if meant is not None:
        label, fix = f"did you mean {meant}?", f"write {meant}, or apply {name} first"
    else:
        label = f"there is {', '.join(known)}" if known else "there is no Judge at all"
        fix = f"apply the Judge {name} first, or with this"
    complaints.add(path, f"Judge '{name}' not found", code="DV010", part="value", label=label, fix=fix)
