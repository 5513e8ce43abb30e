"""Flags: definitions and what governs them, compiled evaluation, the gate, the linter.

`load` reads flagd's documents into a `FlagSet`; `FlagSet.evaluate` answers with `Details`.
"""

from davy.flags.details import Details, ErrorCode, FlagType, Reason

__all__ = ["Details", "ErrorCode", "FlagType", "Reason"]
