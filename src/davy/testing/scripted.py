"""An engine that answers from a script, for trying whatever talks to one."""

from collections.abc import Callable

from davy.control.requests import AnyRequest
from davy.control.views import AnyView

Answer = Callable[[AnyRequest, str], AnyView]


class Scripted:
    """Answers every request with what a function makes of it, and remembers what was asked and by whom."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[tuple[AnyRequest, str]] = []

    def handle(self, request: AnyRequest, actor: str) -> AnyView:
        """Answer a request, or raise what the script raises."""
        self.asked.append((request, actor))
        return self.answer(request, actor)
