"""What one evaluation stands on while it runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from davy.analysis.expression.meter import Meter


@dataclass(slots=True)
class Frame:
    """The variables, the locals, the budget, and the element that the innermost predicate looks at."""

    variables: Mapping[str, object]
    meter: Meter
    locals: list[object]
    element: object = field(default=None)
    index: int = 0
    gathered: object = None


Run = Callable[[Frame], object]
