"""What OPA refuses though it can be read: names that hide others, and rules that need themselves."""

from collections.abc import Mapping, Sequence

from davy.policy.rego.errors import BadRego, Place
from davy.policy.rego.scope import names_in
from davy.policy.rego.terms import Module
from davy.policy.rego.tree import Document, Entry, Path

ROOTS = ("input", "data")


def check_module(module: Module) -> None:
    """Refuse rules that hide input or data, and in v1 imports that hide imports.

    Raises:
        BadRego: there is one.
    """
    for rule in module.rules:
        if rule.name in ROOTS:
            sentence = f"rules must not shadow {rule.name} (use a different rule name)"
            raise BadRego("rego_compile_error", sentence, rule.place)
        for name in names_in(*(rule.arguments or ())):
            if name in ROOTS:
                sentence = f"args must not shadow {name} (use a different variable name)"
                raise BadRego("rego_compile_error", sentence, rule.place)
    seen: dict[str, Path] = {}
    for found in module.imports:
        if module.v1 and found.alias in seen:
            sentence = f"import must not shadow import {'.'.join(seen[found.alias])}"
            raise BadRego("rego_compile_error", sentence, found.place)
        seen[found.alias] = found.path


def globals_of(module: Module, entries: Sequence[Entry]) -> Mapping[str, Path]:
    """Say what the names are that a module can use without declaring them."""
    names: dict[str, Path] = {}
    for found in entries:
        if found.package == module.package:
            names[found.rule.name] = ("data", *module.package, found.rule.name)
    names |= {given.alias: given.path for given in module.imports}
    return names | {root: (root,) for root in ROOTS}


def check_recursion(documents: Sequence[Document], edges: Mapping[int, Mapping[int, Place]]) -> None:
    """Refuse rules that need themselves.

    Raises:
        BadRego: there is one; the sentence shows the way round.
    """
    done: set[int] = set()
    for document in documents:
        trail: list[tuple[int, list[int]]] = [(document.number, list(edges.get(document.number, {})))]
        on_trail = {document.number}
        if document.number in done:
            continue
        while trail:
            number, left = trail[-1]
            if not left:
                trail.pop()
                on_trail.discard(number)
                done.add(number)
                continue
            following = left.pop(0)
            if following in on_trail:
                numbers = [each for each, _ in trail]
                way = [documents[each].name for each in (*numbers[numbers.index(following) :], following)]
                sentence = f"rule {way[0]} is recursive: {' -> '.join(way)}"
                raise BadRego("rego_recursion_error", sentence, documents[following].place)
            if following not in done:
                on_trail.add(following)
                trail.append((following, list(edges.get(following, {}))))
