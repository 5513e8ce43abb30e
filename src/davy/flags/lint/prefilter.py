"""Tell at the speed of memory which files may read flags; the rest is never parsed.

One pattern holds every name that `davy.flags.lint.calls` knows. It runs on RE2, whose time is linear in any
text; a file that it does not match has nothing to find in it.
"""

import re2

from davy.flags.lint.usage import Language

SUFFIXES: dict[str, Language] = {
    ".py": Language.PYTHON,
    ".pyi": Language.PYTHON,
    ".js": Language.JAVASCRIPT,
    ".jsx": Language.JAVASCRIPT,
    ".mjs": Language.JAVASCRIPT,
    ".cjs": Language.JAVASCRIPT,
    ".ts": Language.TYPESCRIPT,
    ".mts": Language.TYPESCRIPT,
    ".cts": Language.TYPESCRIPT,
    ".tsx": Language.TSX,
    ".go": Language.GO,
    ".java": Language.JAVA,
    ".cs": Language.CSHARP,
    ".rb": Language.RUBY,
    ".rake": Language.RUBY,
}
"""What is read, by the end of its name."""

_NAMES = re2.compile(
    rb"(?i:open[-_]?feature)|davy: *flags"
    rb"|[gG]et(?:Boolean|String|Number|Integer|Double|Object)(?:Value|Details)"
    rb"|get_(?:boolean|string|integer|float|object)_(?:value|details)"
    rb"|fetch_(?:boolean|string|number|integer|float|object)_(?:value|details)"
    rb"|(?:Boolean|String|Float|Int|Object)Value"
    rb"|use(?:Suspense)?(?:(?:Boolean|String|Number|Object)?Flag)\b"
    rb"|use(?:Suspense)?(?:Boolean|String|Number|Object)Flag"
    rb"|(?i:launch[-_]?darkly|ld_?client|unleash|split(?:io|software|_?client|[-_.]io))"
    rb"|(?i:\b_?ld\W+\w*variation|\bsplit\W+get_?treatment)"
    rb"|(?i:set_?(?:named_?)?provider)"
)


def language_of(file: str) -> Language | None:
    """Return what a file is written in, by its name; None for what is not read."""
    _, dot, suffix = file.rpartition(".")
    return SUFFIXES.get(dot + suffix.lower())


def may_hold(text: bytes) -> bool:
    """Say whether a text may have something to find in it. Never says no to one that has."""
    return _NAMES.search(text) is not None
