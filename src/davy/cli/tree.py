"""A rollout drawn as a tree: what `kubectl argo rollouts get rollout` prints, and what was measured.

The lines that Argo prints are printed the same, to the column (`pkg/kubectl-argo-rollouts/cmd/get` of
argoproj/argo-rollouts, Apache-2.0). Davy adds a line for each metric under its analysis run, and the guard's
sentence under the canary.
"""

from dataclasses import dataclass

from davy.cli.ages import age
from davy.cli.paint import Line, cell, columns, span
from davy.cli.symbols import Symbols
from davy.control.views import GuardView, MeasurementView, PodView, RevisionView, RolloutView, RunView

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
        roles = f" ({', '.join(image.roles)})" if image.roles else ""
        lines.append(_labelled("" if number else "Images", image.image + roles))
    numbers = view.replicas
    lines.append(_labelled("Replicas", ""))
    for label in ("desired", "current", "updated", "ready", "available"):
        lines.append(_labelled(f"  {label.capitalize()}", getattr(numbers, label)))
    return lines


def _plan(view: RolloutView, symbols: Symbols) -> list[Line]:
    """Draw what only the wide form has: where users reach it, and the steps."""
    lines = [_labelled("URL", view.url)] if view.url else []
    if view.steps:
        lines.append(_labelled("Steps", ""))
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
        _revision(view, revision, view.guard if revision.number == watched else None, symbols, wide=wide)
        for revision in view.revisions
    )
    label = cell(symbols.kind("⟳") + view.name, "strong")
    waits = [f"paused:{age(view.paused_for_s)}"] if view.paused_for_s is not None else []
    waits += [f"left:{age(view.pause_left_s)}"] if view.pause_left_s is not None else []
    return Node(label, _row("Rollout", symbols.status(view.status), view.age_s, ",".join(waits)), revisions)


def _revision(
    view: RolloutView, revision: RevisionView, guard: GuardView | None, symbols: Symbols, *, wide: bool
) -> Node:
    """Draw a revision: its replicas, its analysis runs, and the guard that watches it."""
    about = list(revision.roles)
    if revision.scale_down_in_s is not None:
        about.append(
            f"delay:{age(revision.scale_down_in_s)}" if revision.scale_down_in_s > 0 else "delay:passed"
        )
    if wide:
        about += [f"weight:{revision.weight}", f"requests:{revision.requests}", f"errors:{revision.errors}"]
    replicas = Node(
        cell(symbols.kind("⧉") + f"{view.name}-{revision.hash}"),
        _row("ReplicaSet", symbols.status(revision.status), revision.age_s, ",".join(about)),
        tuple(_pod(pod, symbols, wide=wide) for pod in revision.pods),
    )
    below = [replicas, *(_run(run, symbols) for run in revision.runs)]
    below += [_guard(guard)] if guard else []
    images = f"  {', '.join(revision.images)}" if wide else ""
    return Node(cell(f"# revision:{revision.number}{images}"), below=tuple(below))


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
    if run.phase in ENDED_BADLY and run.sentence:
        look = "wait" if run.phase == "Inconclusive" else "bad"
        lines.append((span("why: ", "strong"), span(run.sentence, look)))
    return Node(cell(symbols.kind("α") + run.name), row, tuple(Node(line) for line in lines))


def _metric(metric: MeasurementView, symbols: Symbols) -> tuple[Line, ...]:
    """Say what was measured: name, value, limit, number of measurements, verdict, and what went wrong."""
    taken = metric.successful + metric.failed + metric.inconclusive + metric.errors
    status, look = symbols.status(metric.phase)
    return (
        cell(metric.metric),
        cell(metric.value or "no value", "" if metric.value else "wait"),
        cell(f"limit: {metric.limit}", "faint"),
        cell(f"n={taken}" if metric.count is None else f"n={taken}/{metric.count}"),
        cell(status, look),
        cell(metric.message, "wait"),
    )


def _guard(guard: GuardView) -> Node:
    """Say what the built-in guard makes of the errors that users met."""
    return Node((span("guard: ", "strong"), span(guard.sentence, "bad" if guard.alarm else "")))


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
