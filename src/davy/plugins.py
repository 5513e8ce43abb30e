"""Find an implementation of a seam by its name, ours in the same way as anyone's."""

from functools import cache
from typing import Any

from davy.errors import NotFound


def load(seam: str, name: str) -> Any:
    """Import and return what `name` stands for in the entry-point group `davy.<seam>`.

    Nothing is imported but the one asked for, so a broken plug-in hurts only its users.

    Raises:
        NotFound: nothing of that name is installed; the hint lists what is.
    """
    from importlib.metadata import entry_points  # most commands need none of it, and it is slow to import

    found = {entry.name: entry for entry in entry_points(group=f"davy.{seam}")}
    if name not in found:
        known = ", ".join(sorted(found)) or "none installed"
        raise NotFound(f"no plug-in of davy.{seam} is called {name!r}", hint=f"known: {known}")
    return found[name].load()


@cache
def names(seam: str) -> tuple[str, ...]:
    """List what is installed for a seam, sorted; nothing of it is imported."""
    from importlib.metadata import entry_points

    return tuple(sorted({entry.name for entry in entry_points(group=f"davy.{seam}")}))
