"""The provider that answers with what the judge of a rollout says."""

from collections.abc import Mapping, Sequence

from davy.adapters.judge import JudgeProvider
from davy.analysis.provider import Provider
from davy.errors import NotFound
from davy.model.providers import MetricProvider
from davy.testing.provider import Expected, ProviderContract

VERDICT = {
    "verdict": "advance",
    "weight": 5,
    "reason": "worst plausible damage at 25 % is 3 requests, budget 20",
    "data": {"age_s": None, "windows": 12, "state": "ok"},
}
SEEN = {**VERDICT, "weight": 5.0, "data": {"age_s": None, "windows": 12.0, "state": "ok"}}


def asked(namespace: str, name: str) -> Mapping[str, object]:
    if (namespace, name) != ("default", "payments"):
        raise NotFound(f"rollout {name} is not there")
    return VERDICT


class TestJudge(ProviderContract):
    def provider(self) -> Provider:
        return JudgeProvider(asked)

    def answers(self) -> Sequence[Expected]:
        return [Expected("a verdict", MetricProvider(plugin={"davy/judge": {}}), SEEN, "advance")]

    def troubles(self) -> Mapping[str, MetricProvider]:
        return {
            "for somebody else": MetricProvider(),
            "no name": MetricProvider(plugin={"davy/judge": {"judge": 7}}),
        }


class TestNobodyIsJudged(ProviderContract):
    rollout = "catalog"

    def provider(self) -> Provider:
        return JudgeProvider(asked)

    def answers(self) -> Sequence[Expected]:
        return []

    def troubles(self) -> Mapping[str, MetricProvider]:
        return {"no such rollout": MetricProvider(plugin={"davy/judge": {}})}


class TestNoRollout(TestNobodyIsJudged):
    rollout = ""
