"""Verdicts of an engine: it judges what it rolls out, and says so to whoever asks over HTTP, too."""

from collections.abc import Callable

import msgspec

from davy.control import requests, views
from davy.control.court.asked import Answer, Asked


class EngineVerdicts:
    """A `Verdicts` of an engine that runs; versions and weights are its own, whatever the question says.

    Args:
        handle: answers a request of somebody.
    """

    def __init__(self, handle: Callable[[requests.AnyRequest, str], views.AnyView]) -> None:
        self._handle = handle

    def verdict(self, asked: Asked) -> Answer:
        """Answer what the engine's judge says of a rollout.

        Raises:
            DavyError: what the engine says instead.
        """
        view = self._handle(requests.Verdict(asked.key.namespace, asked.key.name), "davy")
        assert isinstance(view, views.VerdictView)
        return msgspec.convert(msgspec.to_builtins(view), Answer)
