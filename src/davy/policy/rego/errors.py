"""What can go wrong with Rego: a text that cannot be compiled, and a question that cannot be answered."""

from typing import NamedTuple

from davy.errors import Undecided, UsageError


class Place(NamedTuple):
    """Where something is written; both count from one."""

    row: int
    col: int
    file: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.row}:{self.col}" if self.file else f"{self.row}:{self.col}"


NOWHERE = Place(1, 1)


class BadRego(UsageError):
    """A text is no Rego, or says what cannot be compiled; `kind` is OPA's name for the sort of error."""

    code = "rego"

    def __init__(self, kind: str, sentence: str, place: Place) -> None:
        super().__init__(f"{place}: {kind}: {sentence}")
        self.kind = kind
        self.sentence = sentence
        self.place = place
        self.others: tuple[BadRego, ...] = ()


class EvaluationError(Undecided):
    """A question has no answer: rules contradict each other. Whoever asked to be safe refuses."""

    code = "rego-evaluation"

    def __init__(self, kind: str, sentence: str, place: Place = NOWHERE) -> None:
        super().__init__(f"{place}: {kind}: {sentence}")
        self.kind = kind
        self.sentence = sentence
        self.place = place


class OverBudget(EvaluationError):
    """An evaluation took more steps or more memory than it was given."""

    code = "rego-budget"

    def __init__(self, sentence: str) -> None:
        super().__init__("eval_budget_error", sentence)


RegoError = (BadRego, EvaluationError)
"""What to catch around anything that touches Rego."""
