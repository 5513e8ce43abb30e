"""The rules of the flag linter: pure functions of what is declared, what code reads, and what time it is."""

from davy.flags.lint.rules.every import lint
from davy.flags.lint.rules.settings import LintSettings
from davy.flags.lint.rules.table import RULES
from davy.flags.lint.rules.view import View

__all__ = ["RULES", "LintSettings", "View", "lint"]
