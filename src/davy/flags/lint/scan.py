"""Read one file on its own: what `davy.flags.lint.linking` does with many, without the others."""

from davy.flags.lint.usage import Scan


def scan(text: bytes, file: str) -> Scan:
    """Return what a text holds; constants of other files stay unknown. Never raises for any text."""
    raise NotImplementedError
