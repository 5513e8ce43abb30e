"""A client for hot paths: OpenFeature's methods without hooks and merges; the same gate, the same counts."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from openfeature.evaluation_context import EvaluationContext

from davy.flags.details import Details, FlagType
from davy.openfeature.provider import DavyProvider, flat

T = TypeVar("T")

_NONE: Mapping[str, Any] = MappingProxyType({})


class Client:
    """Evaluates by a provider, directly. The provider has to be initialised, by OpenFeature or by `start`.

    A context is a mapping of JSON values in which `targetingKey` is the targeting key, or OpenFeature's own.
    Nothing is raised: what goes wrong is the caller's default with an error, as OpenFeature has it.

    Args:
        provider: by whose definitions.
        context: what every evaluation knows; the context of a call comes before it.
    """

    __slots__ = ("_context", "_evaluate")

    _evaluate: Callable[[str, FlagType, Any, Mapping[str, Any]], Any]  # Any, so that no cast costs time

    def __init__(
        self, provider: DavyProvider, context: Mapping[str, Any] | EvaluationContext | None = None
    ) -> None:
        self._evaluate = provider.evaluate
        self._context = _flat(context)

    def get_boolean_value(
        self, flag_key: str, default_value: bool, context: Mapping[str, Any] | EvaluationContext | None = None
    ) -> bool:
        """Return the value of a flag of booleans."""
        value: bool = self._evaluate(flag_key, _BOOLEAN, default_value, self._merged(context)).value
        return value

    def get_string_value(
        self, flag_key: str, default_value: str, context: Mapping[str, Any] | EvaluationContext | None = None
    ) -> str:
        """Return the value of a flag of texts."""
        value: str = self._evaluate(flag_key, _STRING, default_value, self._merged(context)).value
        return value

    def get_integer_value(
        self, flag_key: str, default_value: int, context: Mapping[str, Any] | EvaluationContext | None = None
    ) -> int:
        """Return the value of a flag of integers."""
        value: int = self._evaluate(flag_key, _INTEGER, default_value, self._merged(context)).value
        return value

    def get_float_value(
        self, flag_key: str, default_value: float, context: Mapping[str, Any] | EvaluationContext | None = None
    ) -> float:
        """Return the value of a flag of numbers."""
        value: float = self._evaluate(flag_key, _FLOAT, default_value, self._merged(context)).value
        return value

    def get_object_value(
        self, flag_key: str, default_value: T, context: Mapping[str, Any] | EvaluationContext | None = None
    ) -> T:
        """Return the value of a flag of structures; it is the caller's own copy."""
        value: T = self._evaluate(flag_key, _OBJECT, default_value, self._merged(context)).value
        return value

    def get_boolean_details(
        self, flag_key: str, default_value: bool, context: Mapping[str, Any] | EvaluationContext | None = None
    ) -> Details:
        """Return the value of a flag of booleans, and all that is said of it."""
        details: Details = self._evaluate(flag_key, _BOOLEAN, default_value, self._merged(context))
        return details

    def get_string_details(
        self, flag_key: str, default_value: str, context: Mapping[str, Any] | EvaluationContext | None = None
    ) -> Details:
        """Return the value of a flag of texts, and all that is said of it."""
        details: Details = self._evaluate(flag_key, _STRING, default_value, self._merged(context))
        return details

    def get_integer_details(
        self, flag_key: str, default_value: int, context: Mapping[str, Any] | EvaluationContext | None = None
    ) -> Details:
        """Return the value of a flag of integers, and all that is said of it."""
        details: Details = self._evaluate(flag_key, _INTEGER, default_value, self._merged(context))
        return details

    def get_float_details(
        self, flag_key: str, default_value: float, context: Mapping[str, Any] | EvaluationContext | None = None
    ) -> Details:
        """Return the value of a flag of numbers, and all that is said of it."""
        details: Details = self._evaluate(flag_key, _FLOAT, default_value, self._merged(context))
        return details

    def get_object_details(
        self, flag_key: str, default_value: Any, context: Mapping[str, Any] | EvaluationContext | None = None
    ) -> Details:
        """Return the value of a flag of structures, and all that is said of it."""
        details: Details = self._evaluate(flag_key, _OBJECT, default_value, self._merged(context))
        return details

    def _merged(self, context: Mapping[str, Any] | EvaluationContext | None) -> Mapping[str, Any]:
        given = context if type(context) is dict else _flat(context)
        return {**self._context, **given} if self._context else given


_BOOLEAN, _STRING, _INTEGER = FlagType.BOOLEAN, FlagType.STRING, FlagType.INTEGER
_FLOAT, _OBJECT = FlagType.FLOAT, FlagType.OBJECT


def _flat(context: Mapping[str, Any] | EvaluationContext | None) -> Mapping[str, Any]:
    if context is None:
        return _NONE
    return flat(context) if isinstance(context, EvaluationContext) else context
