"""One measurement: secrets are read, the provider is asked, its answer is judged, no secret is left in it."""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from davy.analysis.arguments import substitute
from davy.analysis.metric import Measurement, blind, judge
from davy.analysis.probe import decides_itself
from davy.analysis.provider import Answer, Asking, Provider, ProviderError
from davy.model.analysis import Metric, SecretKeyRef

Providers = Mapping[str, Provider]
"""Who can be asked, by name; one that cannot be made raises a ProviderError when it is looked up."""


def measure(
    metric: Metric,
    secrets: Mapping[str, SecretKeyRef],
    asking: Asking,
    providers: Providers,
    clock: Callable[[], float],
    *,
    asked_at: float,
) -> Measurement:
    """Take a measurement; whatever goes wrong is one that saw nothing.

    Args:
        metric: what to measure, with `{{args.name}}` where a secret goes.
        secrets: where the value of each such argument is kept.
        asking: reads secrets, and remembers what to hide.
        providers: whom to ask.
        clock: tells the time when the answer is there.
        asked_at: what the provider takes for now.
    """
    try:
        provider = providers.get(metric.provider.name)
        if provider is None:
            raise ProviderError(f"the provider {metric.provider.name} is not installed")
        question = substitute(metric.provider, _Revealed(secrets, asking))
        said = asking.cover(provider.measure(question, now=asked_at, asking=asking))
        if isinstance(said, Answer) and decides_itself(metric.provider) and not _has_condition(metric):
            raise ProviderError(f"{metric.provider.name} gives a value, and the metric has no condition")
        return judge(metric, said, clock(), started_at=asked_at)
    except Exception as error:  # noqa: BLE001  a plug-in may raise anything; it is never a pass
        unseen = blind(error, clock(), started_at=asked_at)
        return msgspec.structs.replace(unseen, message=asking.hide(unseen.message))


class _Revealed(Mapping[str, str]):
    """The arguments that are secrets, each read when it is needed."""

    def __init__(self, references: Mapping[str, SecretKeyRef], asking: Asking) -> None:
        self._references, self._asking = references, asking

    def __getitem__(self, name: str) -> str:
        reference = self._references[name]
        return self._asking.secret(reference.name, reference.key).reveal()

    def __contains__(self, name: object) -> bool:
        return name in self._references

    def __iter__(self) -> Iterator[str]:
        return iter(self._references)

    def __len__(self) -> int:
        return len(self._references)


def _has_condition(metric: Metric) -> bool:
    return bool(metric.success_condition or metric.failure_condition)
