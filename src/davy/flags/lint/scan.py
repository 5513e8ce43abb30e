"""Read one file on its own: what `davy.flags.lint.linking` does with many, without the others."""

from davy.flags.lint.extract import extract
from davy.flags.lint.linking import MemorySources, link
from davy.flags.lint.prefilter import language_of, may_hold
from davy.flags.lint.usage import Scan


def scan(text: bytes, file: str) -> Scan:
    """Return what a text holds; constants of other files stay unknown. Never raises for any text."""
    facts = extract(text, file) if may_hold(text) else None
    if facts is None:
        return Scan(file, language_of(file))
    return link([facts], MemorySources({file: text}))[0]


def scan_texts(texts: dict[str, bytes]) -> list[Scan]:
    """Return what several texts hold together, by their names; in the order of those."""
    from davy.flags.lint.linking import wrapper_names

    sources = MemorySources(texts)
    facts = [
        found for file in texts if may_hold(texts[file]) and (found := extract(texts[file], file)) is not None
    ]
    names = wrapper_names(facts)
    again = (
        [found for file in texts if (found := extract(texts[file], file, names)) is not None]
        if names
        else facts
    )
    return link(again, sources)
