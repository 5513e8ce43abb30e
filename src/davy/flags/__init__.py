"""Flags: definitions and what governs them, compiled evaluation, the gate, the linter.

`load` reads flagd's documents into a `FlagSet`; `FlagSet.evaluate` answers with `Details`.
"""

from davy.flags.definition import Definition, Definitions
from davy.flags.details import Details, ErrorCode, FlagType, Reason
from davy.flags.flagset import FlagSet
from davy.flags.reading import load

__all__ = ["Definition", "Definitions", "Details", "ErrorCode", "FlagSet", "FlagType", "Reason", "load"]
