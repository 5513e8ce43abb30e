"""Rollouts in a table, in the columns of `kubectl argo rollouts list rollouts`."""

from collections.abc import Sequence

from davy.cli.ages import age
from davy.cli.paint import Line, cell, columns
from davy.cli.symbols import Symbols
from davy.control.views import RolloutView

_TITLES = (
    "NAME",
    "STRATEGY",
    "STATUS",
    "STEP",
    "SET-WEIGHT",
    "READY",
    "DESIRED",
    "UP-TO-DATE",
    "AVAILABLE",
    "AGE",
)


def listing(items: Sequence[RolloutView], *, namespaces: bool = False, wide: bool = False) -> list[Line]:
    """Lay rollouts out, one a line."""
    titles = (*(("NAMESPACE",) if namespaces else ()), *_TITLES, *(("IMAGES", "URL") if wide else ()))
    rows = [tuple(cell(title, "faint") for title in titles)]
    return columns([*rows, *(_row(view, namespaces=namespaces, wide=wide) for view in items)])


def _row(view: RolloutView, *, namespaces: bool, wide: bool) -> tuple[Line, ...]:
    _, look = Symbols().status(view.status)
    numbers = view.replicas
    row: list[Line] = [cell(view.namespace)] if namespaces else []
    row += [cell(view.name), cell(view.strategy), cell(view.status, look)]
    row.append(cell("-" if view.step is None else f"{view.step}/{len(view.steps)}"))
    row.append(cell("-" if view.set_weight is None else view.set_weight))
    row += [cell(f"{numbers.ready}/{numbers.current}"), cell(numbers.desired)]
    row += [cell(numbers.updated), cell(numbers.available), cell(age(view.age_s))]
    if wide:
        row += [cell(",".join(image.image for image in view.images)), cell(view.url or "-")]
    return tuple(row)
