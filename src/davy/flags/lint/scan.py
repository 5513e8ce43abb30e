"""Read one file on its own: what `davy.flags.lint.linking` does with many, without the others."""

from davy.flags.lint.extract import extract
from davy.flags.lint.linking import Calls, MemorySources, link, wrappers_of
from davy.flags.lint.prefilter import language_of, may_hold
from davy.flags.lint.usage import Scan


def scan(text: bytes, file: str) -> Scan:
    """Return what a text holds; constants of other files stay unknown. Never raises for any text."""
    facts = extract(text, file) if may_hold(text) else None
    if facts is None:
        return Scan(file, language_of(file))
    return link([facts], MemorySources({file: text}))[0]


def scan_texts(texts: dict[str, bytes]) -> list[Scan]:
    """Return what several texts hold together, in their order; those in which nothing may be are left out."""
    sources = MemorySources(texts)
    facts = [found for file in texts if may_hold(texts[file]) and (found := extract(texts[file], file))]
    calls = Calls(wrappers_of(facts))
    before = {each.file: each for each in facts}
    again = [
        extract(text, file, calls.names) if calls.may_be_in(file, text) else before.get(file)
        for file, text in texts.items()
    ]
    return link([each for each in again if each is not None], sources)
