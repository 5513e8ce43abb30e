"""The plug-in provider `davy/judge`: what the judge of the rollout says now is what was measured.

It asks nobody but the engine that it is in. The result is the verdict as it is over HTTP
(docs/reference/judge.md).
"""

import json
from collections.abc import Callable, Mapping

import msgspec

from davy.adapters.tools import Tools
from davy.adapters.vendor import config_of
from davy.analysis.provider import Answer, Asking, ProviderError
from davy.errors import DavyError
from davy.model.judge import PLUGIN, JudgeQuery
from davy.model.providers import MetricProvider

NAME = PLUGIN


def provider(tools: Tools) -> "JudgeProvider":
    """Make the provider for an engine."""
    return JudgeProvider(tools.verdict)


class JudgeProvider:
    """Answers with the verdict on the rollout whose metric it is.

    Args:
        verdict: returns the verdict on a rollout, by namespace and name.
    """

    def __init__(self, verdict: Callable[[str, str], Mapping[str, object]]) -> None:
        self._verdict = verdict

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Answer:
        """Ask the engine."""
        config_of(provider, NAME, JudgeQuery)
        if not asking.rollout:
            raise ProviderError("a judge judges a rollout, and this is no measurement of one")
        try:
            found = self._verdict(asking.namespace, asking.rollout)
        except DavyError as error:
            raise ProviderError(error.message, hint=error.hint) from error
        body = msgspec.json.encode(found)
        result = json.loads(body, parse_int=float)  # conditions know no other numbers
        return Answer(result, str(found["verdict"]), {"reason": str(found["reason"])})
