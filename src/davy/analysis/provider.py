"""The provider seam: whoever can be asked for a measurement."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from davy.errors import Undecided
from davy.model.analysis import MetricProvider


class Answer(msgspec.Struct, frozen=True):
    """What a provider said.

    `result` is what conditions see as `result`: for Prometheus a float (scalar) or a tuple of floats (vector
    values, or a matrix flattened). `text` is how Argo prints it in the measurement's value. `metadata` holds
    what a reader wants beside it (the resolved query, warnings).
    """

    result: object
    text: str
    metadata: Mapping[str, str] = {}


class ProviderError(Undecided):
    """The provider could not be asked, or what it said cannot be read. Never a value."""

    code = "provider"


class Provider(Protocol):
    """Answers one kind of metric question."""

    def measure(self, provider: MetricProvider, *, now: float) -> Answer:
        """Ask once and wait for the answer.

        May block up to the time-out that the question names. Called from several threads at once.

        Raises:
            ProviderError: an error, a time-out, garbage.
        """
        ...
