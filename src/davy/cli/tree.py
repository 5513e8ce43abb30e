"""A rollout drawn as a tree: what `kubectl argo rollouts get rollout` prints, and what was measured.

The lines that Argo prints are printed the same, to the column (`pkg/kubectl-argo-rollouts/cmd/get` of
argoproj/argo-rollouts, Apache-2.0). Davy adds a line for each metric under its analysis run, and the guard's
or the judge's sentence under the canary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from davy.cli.ages import age
from davy.cli.paint import Line, cell, columns, span
from davy.cli.symbols import Symbols
from davy.control.views import (
    ExperimentView,
    GuardView,
    JudgeView,
    MeasurementView,
    PodView,
    RevisionView,
    RolloutView,
    RunView,
    SideView,
)

LABEL_WIDTH = 17
ENDED_BADLY = ("Failed", "Error", "Inconclusive")


@dataclass(frozen=True, slots=True)
class Node:
    """A line of the tree: what stands beside the branches, its columns (none for free text), what is below."""

    label: Line
    columns: tuple[Line, ...] = ()
    below: tuple["Node", ...] = ()


def tree(view: RolloutView, *, wide: bool = False, symbols: Symbols | None = None) -> list[Line]:
    """Draw a rollout."""
    symbols = symbols or Symbols()
    lines = _head(view, symbols)
    if wide:
        lines += _plan(view, symbols)
    return [*lines, (), *_table(_root(view, symbols, wide=wide), symbols)]


def _head(view: RolloutView, symbols: Symbols) -> list[Line]:
    """Draw the block of labels above the tree."""
    status, look = symbols.status(view.status)
    lines = [
        _labelled("Name", view.name),
        _labelled("Namespace", view.namespace),
        _labelled("Status", status, look),
    ]
    if view.message:
        lines.append(_labelled("Message", view.message))
    if view.trouble:
        lines.append(_labelled("Trouble", view.trouble, "bad"))
    lines.append(_labelled("Strategy", view.strategy))
    if view.step is not None:
        lines.append(_labelled("  Step", f"{view.step}/{len(view.steps)}"))
    if view.set_weight is not None:
        lines.append(_labelled("  SetWeight", view.set_weight))
    if view.actual_weight is not None:
        lines.append(_labelled("  ActualWeight", view.actual_weight))
    for number, image in enumerate(view.images):
        roles = f" ({', '.join(map(symbols.role, image.roles))})" if image.roles else ""
        lines.append(_labelled("" if number else "Images", image.image + roles))
    numbers = view.replicas
    lines.append(_labelled("Replicas", ""))
    for label in ("desired", "current", "updated", "ready", "available"):
        lines.append(_labelled(f"  {label.capitalize()}", getattr(numbers, label)))
    return lines + _around(view)


def _around(view: RolloutView) -> list[Line]:
    """Draw what Argo has no lines for: a restart, routes beside the split, and where it can be reached."""
    lines = []
    if view.restart is not None:
        lines.append(_labelled("Restart", f"{view.restart.replaced}/{view.restart.of} replaced", "busy"))
    for number, route in enumerate(view.routes):
        lines.append(_labelled("" if number else "Routes", f"{route.name}: {route.what}"))
    urls = [view.url] if view.url else []
    urls += [f"{service.url} ({service.role}: {service.name})" for service in view.services if service.url]
    for number, url in enumerate(urls):
        lines.append(_labelled("" if number else "URL", url))
    return lines


def _plan(view: RolloutView, symbols: Symbols) -> list[Line]:
    """Draw what only the wide form has: the steps."""
    lines = [_labelled("Steps", "")] if view.steps else []
    for number, step in enumerate(view.steps, start=1):
        mark, look = symbols.step(step.state)
        lines.append((span("  "), span(mark, look), span(f" {number}/{len(view.steps)} {step.what}")))
    return lines


def _labelled(label: str, value: object, look: str = "") -> Line:
    start = f"{label}:" if label else ""
    return (span(f"{start:<{LABEL_WIDTH}}", "faint"), span(str(value), look))


def _root(view: RolloutView, symbols: Symbols, *, wide: bool) -> Node:
    """Make the tree."""
    watched = next((revision.number for revision in view.revisions if "canary" in revision.roles), None)
    if watched is None and view.revisions:
        watched = view.revisions[0].number
    revisions = tuple(
        _revision(view, revision, symbols, watched=revision.number == watched, wide=wide)
        for revision in view.revisions
    )
    label = cell(symbols.kind("⟳") + view.name, "strong")
    waits = [f"paused:{age(view.paused_for_s)}"] if view.paused_for_s is not None else []
    waits += [f"left:{age(view.pause_left_s)}"] if view.pause_left_s is not None else []
    return Node(label, _row("Rollout", symbols.status(view.status), view.age_s, ",".join(waits)), revisions)


def _revision(
    view: RolloutView, revision: RevisionView, symbols: Symbols, *, watched: bool, wide: bool
) -> Node:
    """Draw a revision: its replicas, its analysis runs, and the guard or the judge that watches it."""
    row = _row(
        "ReplicaSet",
        symbols.status(revision.status),
        revision.age_s,
        _about(revision.roles, revision, wide=wide),
    )
    replicas = _replicas(view, revision, row, symbols, wide=wide)
    below = [replicas, *(_experiment(view, each, symbols, wide=wide) for each in revision.experiments)]
    below += [_run(run, symbols) for run in revision.runs]
    below += [_guard(view.guard)] if watched and view.guard else []
    below += [_judge(view.judge, symbols)] if watched and view.judge else []
    images = f"  {', '.join(revision.images)}" if wide else ""
    return Node(cell(f"# revision:{revision.number}{images}"), below=tuple(below))


def _experiment(view: RolloutView, experiment: ExperimentView, symbols: Symbols, *, wide: bool) -> Node:
    """Draw an experiment: the versions that it runs, and what was measured of them."""
    left = "" if experiment.left_s is None else f"left:{age(experiment.left_s)}"
    row = _row("Experiment", symbols.status(experiment.status), experiment.age_s, left)
    below = []
    for side in experiment.sides:
        about = _about((side.name,), side, wide=wide)
        looks = _row("ReplicaSet", symbols.status(side.status), experiment.age_s, about)
        below.append(_replicas(view, side, looks, symbols, wide=wide))
    below += [_run(run, symbols) for run in experiment.runs]
    return Node(cell(symbols.kind("Σ") + experiment.name), row, tuple(below))


def _replicas(
    view: RolloutView, version: RevisionView | SideView, row: tuple[Line, ...], symbols: Symbols, *, wide: bool
) -> Node:
    """Draw the replicas of one version."""
    pods = tuple(_pod(pod, symbols, wide=wide) for pod in version.pods)
    return Node(cell(symbols.kind("⧉") + f"{view.name}-{version.hash}"), row, pods)


def _about(roles: Sequence[str], version: RevisionView | SideView, *, wide: bool) -> str:
    """Say what parts a version plays, when it goes, and what its users got."""
    about = list(roles)
    if version.scale_down_in_s is not None:
        about.append(f"delay:{age(version.scale_down_in_s)}" if version.scale_down_in_s > 0 else "delay:passed")
    if wide:
        about += [f"weight:{version.weight}", f"requests:{version.requests}", f"errors:{version.errors}"]
    return ",".join(about)


def _pod(pod: PodView, symbols: Symbols, *, wide: bool) -> Node:
    """Draw a replica."""
    about = [f"ready:{int(pod.ready)}/1"]
    about += [f"restarts:{pod.restarts}"] if pod.restarts else []
    about += [f"port:{pod.port}"] if wide and pod.port else []
    below = (Node(cell(pod.message, "wait")),) if pod.message and (wide or not pod.ready) else ()
    row = _row("Pod", symbols.pod(pod.status), pod.age_s, ",".join(about))
    return Node(cell(symbols.kind("□") + pod.name), row, below)


def _run(run: RunView, symbols: Symbols) -> Node:
    """Draw an analysis run and what was measured for it."""
    counts = {
        "✔": sum(metric.successful for metric in run.metrics),
        "✖": sum(metric.failed for metric in run.metrics),
        "?": sum(metric.inconclusive for metric in run.metrics),
        "⚠": sum(metric.errors for metric in run.metrics),
    }
    about = ",".join(symbols.count(symbol, number) for symbol, number in counts.items() if number)
    rows = [_metric(metric, symbols) for metric in run.metrics]
    row = _row("AnalysisRun", symbols.status(run.phase), run.age_s, about)
    lines = columns(rows)
    ended_early = run.phase == "Successful" and run.verdict == "unknown"
    if (run.phase in ENDED_BADLY or ended_early) and run.sentence:
        look = "wait" if ended_early or run.phase == "Inconclusive" else "bad"
        lines.append((span("why: ", "strong"), span(run.sentence, look)))
    return Node(cell(symbols.kind("α") + run.name), row, tuple(Node(line) for line in lines))


def _metric(metric: MeasurementView, symbols: Symbols) -> tuple[Line, ...]:
    """Say what was measured; what a narrow terminal cuts off comes last."""
    taken = metric.successful + metric.failed + metric.inconclusive + metric.errors
    status, look = symbols.status(metric.phase)
    return (
        cell(metric.metric),
        cell(status, look),
        cell(metric.value or "no value", "" if metric.value else "wait"),
        cell(f"n={taken}" if metric.count is None else f"n={taken}/{metric.count}"),
        cell(f"limit: {metric.limit}", "faint"),
        cell(metric.message, "wait"),
    )


def _guard(guard: GuardView) -> Node:
    """Say what the built-in guard makes of the errors that users met."""
    return Node((span("guard: ", "strong"), span(guard.sentence, "bad" if guard.alarm else "")))


def _judge(judge: JudgeView, symbols: Symbols) -> Node:
    """Say what the judge makes of an update; what a narrow terminal cuts off comes last."""
    evidence, look = judge.verdict.evidence, "bad" if judge.alarm else ""
    bar = symbols.bar(evidence.log10 / evidence.abort_at)
    sentence = symbols.text(judge.sentence)
    return Node((span("judge: ", "strong"), span(bar, look or "busy"), span(f" {sentence}", look)))


def _row(kind: str, status: tuple[str, str], seconds: float, about: str) -> tuple[Line, ...]:
    return cell(kind), cell(*status), cell(age(seconds)), cell(about)


def _table(root: Node, symbols: Symbols) -> list[Line]:
    """Lay the tree out in columns; free text stands beside the branches and widens no column."""
    title = tuple(cell(word, "faint") for word in ("NAME", "KIND", "STATUS", "AGE", "INFO"))
    flat = _flat(root, (), (), symbols)
    rows = iter(columns([title, *((branch, *node.columns) for branch, node in flat if node.columns)]))
    lines = [next(rows)]
    for branch, node in flat:
        lines.append(next(rows) if node.columns else branch)
    return lines


def _flat(node: Node, here: Line, below: Line, symbols: Symbols) -> list[tuple[Line, Node]]:
    """List a tree's lines, each with its branches before it."""
    child, last_child, beside, blank = symbols.branches
    lines = [((*here, *node.label), node)]
    for number, lower in enumerate(node.below, start=1):
        last = number == len(node.below)
        lines += _flat(
            lower,
            (*below, span(last_child if last else child, "faint")),
            (*below, span(blank if last else beside, "faint")),
            symbols,
        )
    return lines
