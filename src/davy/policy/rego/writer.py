"""Lines of Python, made of our own counter and of literals through `repr`, and of nothing else."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from davy.policy.rego.errors import BadRego, Place

MOST_BLOCKS = 16
MOST_INDENT = 90


class Writer:
    """Writes the body of one function after the other."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 0
        self.blocks = 0
        self.count = 0
        self.constants: dict[str, object] = {}
        self.names: dict[int, str] = {}

    def functions(self) -> Iterator[tuple[str, list[str]]]:
        """Go through the functions that were written, each with its name."""
        starts = [at for at, line in enumerate(self.lines) if line[0] != " "]
        for start, stop in pairwise([*starts, len(self.lines)]):
            lines = self.lines[start:stop]
            yield lines[0].removeprefix("def ").partition("(")[0], lines

    def fresh(self) -> str:
        """Make a name for a value."""
        self.count += 1
        return f"v{self.count}"

    def write(self, line: str) -> None:
        """Write one line at the present depth."""
        self.lines.append(" " * self.depth + line)

    def into(self, line: str, place: Place, *, block: bool = False) -> None:
        """Write a line that the next ones are within; Python nests loops twenty deep and no deeper."""
        self.write(line)
        self.depth += 1
        self.blocks += block
        if self.blocks > MOST_BLOCKS or self.depth > MOST_INDENT:
            raise BadRego(
                "rego_compile_error", "collections are gone through within each other too deep", place
            )

    def constant(self, value: object) -> str:
        """Give a value that is made once a name."""
        name = self.names.get(id(value))
        if name is None:
            name = f"k{len(self.constants)}"
            self.constants[name] = value
            self.names[id(value)] = name
        return name

    @staticmethod
    def literal(value: object) -> str:
        """Write a scalar."""
        assert value is None or type(value) in (bool, int, float, str)
        return repr(value)

    @staticmethod
    def listed(parts: Iterable[str]) -> str:
        """Write a tuple."""
        return "(" + "".join(f"{part}," for part in parts) + ")"
