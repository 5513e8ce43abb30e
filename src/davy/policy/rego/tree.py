"""The documents that rules make, in the tree of `data`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal as Choice

from davy.policy.rego.errors import NOWHERE, BadRego, Place
from davy.policy.rego.terms import Literal, Rule

Path = tuple[str, ...]
Kind = Choice["complete", "function", "set", "object"]


@dataclass(slots=True)
class Document:
    """What the rules with one path make together."""

    path: Path
    number: int
    kind: Kind = "complete"
    arity: int = 0
    rules: list["Entry"] = field(default_factory=list)
    default: "Entry | None" = None
    place: Place = NOWHERE

    @property
    def name(self) -> str:
        """Its path as OPA writes it."""
        return ".".join(("data", *self.path))


@dataclass(slots=True)
class Entry:
    """A rule with its module and the part of its path that is constant."""

    rule: Rule
    package: Path
    path: Path
    module: int

    def below(self, document: Document) -> Path:
        """Return what of the constant path is within the document."""
        return self.path[len(document.path) :]

    @property
    def constants(self) -> int:
        """How many of what is behind the name are constant."""
        return len(self.path) - len(self.package) - 1


@dataclass(slots=True)
class Node:
    """A place in the tree: a package, or a document."""

    children: dict[str, "Node"] = field(default_factory=dict)
    document: Document | None = None

    def documents(self) -> Iterator[Document]:
        """List every document at or below this place."""
        if self.document is not None:
            yield self.document
        for child in self.children.values():
            yield from child.documents()


def entry(rule: Rule, package: Path, module: int) -> Entry:
    """Say where in the tree a rule belongs."""
    names = [rule.name]
    for operand in rule.ref[1:]:
        if not isinstance(operand, Literal) or not isinstance(operand.value, str):
            break
        names.append(operand.value)
    return Entry(rule, package, (*package, *names), module)


def constant(rule: Rule) -> bool:
    """Whether all of the path of a rule is constant."""
    return all(isinstance(operand, Literal) and isinstance(operand.value, str) for operand in rule.ref[1:])


def grow(entries: Iterable[Entry], packages: Mapping[Path, Place]) -> tuple[Node, list[Document]]:
    """Make the tree. Rules below a rule belong to the document of that rule.

    Raises:
        BadRego: rules of one path do not go together, or a package stands where a rule does.
    """
    root = Node()
    for package in packages:
        _descend(root, package)
    documents: list[Document] = []
    for found in sorted(entries, key=lambda each: len(each.path)):
        node, rest = root, found.path
        while rest and node.document is None:
            node, rest = node.children.setdefault(rest[0], Node()), rest[1:]
        if node.document is None:
            node.document = Document(found.path, len(documents), place=found.rule.place)
            documents.append(node.document)
        _join(node.document, found)
    for package, place in packages.items():
        if any(node.document is not None for node in _descend(root, package)):
            raise BadRego("rego_type_error", f"package {'.'.join(package)} conflicts with a rule", place)
    return root, documents


def _descend(node: Node, path: Path) -> list[Node]:
    passed = []
    for name in path:
        node = node.children.setdefault(name, Node())
        passed.append(node)
    return passed


def _join(document: Document, found: Entry) -> None:
    rule = found.rule
    kind = kind_of(rule, found.below(document))
    arity = len(rule.arguments or ())
    if not document.rules and document.default is None:
        document.kind, document.arity = kind, arity
    if rule.default:
        if document.default is not None:
            raise BadRego("rego_type_error", f"multiple default rules {document.name} found", rule.place)
        document.default = found
    else:
        document.rules.append(found)
    if kind != document.kind or arity != document.arity:
        raise BadRego("rego_type_error", f"conflicting rules {document.name} found", rule.place)


def kind_of(rule: Rule, below: Path) -> Kind:
    """Say what sort of document a rule makes."""
    if rule.arguments is not None:
        return "function"
    if below or not constant(rule):
        return "object"
    return "set" if rule.element is not None else "complete"
