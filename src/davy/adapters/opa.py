"""A real Open Policy Agent, where there is one: it is asked, and never relied upon."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from davy.errors import Undecided

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Opa:
    """An `opa` program."""

    program: str

    @classmethod
    def found(cls, path: str) -> "Opa":
        """Find it.

        Raises:
            Undecided: there is none.
        """
        program = shutil.which("opa", path=path or None)
        if program is None:
            raise Undecided("there is no opa on this machine", hint="put the opa program on $PATH")
        return cls(program)

    def eval(self, query: str, paths: Sequence[str], given: str | None, version: str) -> dict[str, Any]:
        """Evaluate a query.

        Raises:
            Undecided: it says nothing that can be read, or nothing within a minute.
        """
        words = [self.program, "eval", "--format", "json", *(word for path in paths for word in ("-d", path))]
        words += ["--input", given] if given is not None else []
        words += ["--v0-compatible"] if version == "v0" else []
        try:
            ran = subprocess.run(
                [*words, "--", query],
                capture_output=True,
                timeout=PATIENCE_S,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            found = json.loads(ran.stdout)
        except (OSError, subprocess.TimeoutExpired, ValueError) as error:
            raise Undecided(f"{self.program} gives no answer: {type(error).__name__}") from error
        if not isinstance(found, dict):
            raise Undecided(f"{self.program} gives no answer that can be read")
        return found
