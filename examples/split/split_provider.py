"""A provider of OpenFeature for Split (Harness FME), by its own SDK: small enough to read, and to be yours.

factory = get_factory("SDK-KEY")
api.set_provider_and_wait(DavyProvider.from_file("flags.json").govern(SplitProvider(factory)))
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import (
    FlagNotFoundError,
    ParseError,
    ProviderNotReadyError,
    TargetingKeyMissingError,
)
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata
from splitio.client.factory import SplitFactory
from splitio.exceptions import TimeoutException

T = TypeVar("T")

CONTROL = "control"
"""What Split answers where it knows no such flag, or can say nothing."""

_BOOLEANS = {"on": True, "true": True, "off": False, "false": False}


class SplitProvider(AbstractProvider):
    """Asks Split's SDK: the variant is the treatment, and structures are its configuration.

    Args:
        factory: as `splitio.get_factory` makes it.
        wait_s: how long it may take to be ready, in seconds.
    """

    def __init__(self, factory: SplitFactory, wait_s: float = 5.0) -> None:
        super().__init__()
        self._factory, self._wait_s = factory, wait_s
        self._client = factory.client()

    def get_metadata(self) -> Metadata:
        """Return its name."""
        return Metadata(name="Split")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Wait until there are flags.

        Raises:
            ProviderNotReadyError: there are none in time.
        """
        try:
            self._factory.block_until_ready(self._wait_s)
        except TimeoutException as error:
            raise ProviderNotReadyError("Split was not ready in time") from error

    def shutdown(self) -> None:
        """Let go of the SDK."""
        self._factory.destroy()

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Evaluate a flag whose treatments are on and off."""
        return self._resolve(flag_key, evaluation_context, lambda treatment, _: _BOOLEANS[treatment])

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Evaluate a flag whose treatments are its values."""
        return self._resolve(flag_key, evaluation_context, lambda treatment, _: treatment)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Evaluate a flag whose treatments are integers."""
        return self._resolve(flag_key, evaluation_context, lambda treatment, _: int(treatment))

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Evaluate a flag whose treatments are numbers."""
        return self._resolve(flag_key, evaluation_context, lambda treatment, _: float(treatment))

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Evaluate a flag whose treatments have JSON as their configuration."""
        return self._resolve(flag_key, evaluation_context, lambda _, config: json.loads(config or ""))

    def _resolve(
        self, key: str, context: EvaluationContext | None, value: Callable[[str, str | None], T]
    ) -> FlagResolutionDetails[T]:
        if context is None or not context.targeting_key:
            raise TargetingKeyMissingError("Split needs a targeting key")
        attributes: dict[str, Any] = dict(context.attributes)
        treatment, config = self._client.get_treatment_with_config(context.targeting_key, key, attributes)
        if treatment == CONTROL:
            raise FlagNotFoundError(f"Split has no flag {key}, or cannot say anything of it")
        try:
            found = value(treatment, config)
        except (KeyError, ValueError) as error:
            raise ParseError(f"the treatment {treatment!r} of {key} is no value of that type") from error
        return FlagResolutionDetails(found, variant=treatment, reason=Reason.TARGETING_MATCH)
