"""The builtins of Rego, by name, and those that are refused, with the reason."""

from collections.abc import Mapping

from davy.policy.rego.builtin import Builtin, BuiltinError, Context

__all__ = ["BUILTINS", "REFUSED", "Builtin", "BuiltinError", "Context"]

BUILTINS: Mapping[str, Builtin] = {}

REFUSED: Mapping[str, str] = {}
