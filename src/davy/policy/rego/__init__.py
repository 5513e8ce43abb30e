"""Rego, as Open Policy Agent understands it: values, arithmetic, builtins and the compiler."""

from davy.policy.rego.answer import Answer
from davy.policy.rego.builtin import Context
from davy.policy.rego.errors import BadRego, EvaluationError, OverBudget, RegoError
from davy.policy.rego.policy import Limits, Policy, Prepared, compile
from davy.policy.rego.values import UNDEFINED

__all__ = [
    "UNDEFINED",
    "Answer",
    "BadRego",
    "Context",
    "EvaluationError",
    "Limits",
    "OverBudget",
    "Policy",
    "Prepared",
    "RegoError",
    "compile",
]
