"""What a provider may need of the engine that it is made for.

An entry point of `davy.providers` names a callable that takes these tools and returns a provider. There is one
of each for a whole engine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from davy.adapters.addresses import Addresses
from davy.adapters.clock import Clock
from davy.analysis.promql.evaluate import Engine
from davy.errors import NotFound
from davy.model.pod import PodTemplateSpec
from davy.rollout.platform import Launch


def _nobody(namespace: str, name: str) -> Mapping[str, object]:
    raise NotFound(f"nobody judges rollout {namespace}/{name}")


@dataclass(frozen=True, slots=True)
class Tools:
    """What there is.

    Args:
        clock: of the engine. At another speed than 1 nobody else lives in its time.
        addresses: which addresses may be asked; hand its `admit` to `davy.adapters.http.request`.
        queries: evaluates PromQL over the samples of this process.
        in_process: whether nobody else is asked for PromQL.
        jobs: the directory for what runs on without the engine.
        launch: says how an image is started here.
        built: says whether what is to be started has been built, and sees to it.
        environment: what a process finds in its environment.
        check: raises where another engine has taken over; for a moment before a process is started or ended.
        verdict: returns what the judge of a rollout says, by namespace and name; raises where it has none.
    """

    clock: Clock
    addresses: Addresses
    queries: Engine
    in_process: bool
    jobs: Path
    launch: Callable[[PodTemplateSpec], Launch]
    built: Callable[[Launch], bool]
    environment: Mapping[str, str]
    check: Callable[[], None] = lambda: None
    verdict: Callable[[str, str], Mapping[str, object]] = _nobody
