"""Targeting: JsonLogic with flagd's operators, compiled to Python."""

from davy.flags.targeting.compiler import Choose, compile_rule
from davy.flags.targeting.operators import RuleError
from davy.flags.targeting.tree import BadRule, references

__all__ = ["BadRule", "Choose", "RuleError", "compile_rule", "references"]
