"""The languages, each imported when a text of it is read; so are the grammars."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from davy.flags.lint.languages.syntax import Syntax
from davy.flags.lint.usage import Language

if TYPE_CHECKING:
    from tree_sitter import Parser, Query

_PLACES: dict[Language, tuple[str, str, str]] = {
    Language.PYTHON: ("python", "tree_sitter_python", "language"),
    Language.JAVASCRIPT: ("script", "tree_sitter_javascript", "language"),
    Language.TYPESCRIPT: ("script", "tree_sitter_typescript", "language_typescript"),
    Language.TSX: ("script", "tree_sitter_typescript", "language_tsx"),
    Language.GO: ("go", "tree_sitter_go", "language"),
    Language.JAVA: ("java", "tree_sitter_java", "language"),
    Language.CSHARP: ("csharp", "tree_sitter_c_sharp", "language"),
    Language.RUBY: ("ruby", "tree_sitter_ruby", "language"),
}
"""Where the syntax of a language is, its grammar, and the function there."""


@cache
def syntax_of(language: Language) -> Syntax:
    """Return what is particular to a language."""
    found: dict[Language, Syntax] = import_module(f"{__name__}.{_PLACES[language][0]}").SYNTAXES
    return found[language]


@cache
def parser_of(language: Language) -> tuple[Parser, Query]:
    """Return the parser of a language, and a query for the nodes that have a role."""
    from tree_sitter import Language as Grammar
    from tree_sitter import Parser, Query

    _, module, function = _PLACES[language]
    grammar = Grammar(getattr(import_module(module), function)())
    pattern = "".join(f"({kind})" for kind in syntax_of(language).roles)
    return Parser(grammar), Query(grammar, f"[{pattern}] @found")
