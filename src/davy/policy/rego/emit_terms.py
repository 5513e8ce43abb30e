"""Terms as Python: each becomes an expression, with the lines before it that make it.

All of it stands in a `for`: by `continue` a body says that it does not hold, and a term that it is undefined.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from davy.policy.rego.builtin import Builtin
from davy.policy.rego.errors import BadRego, Place
from davy.policy.rego.lowered import Block
from davy.policy.rego.safety import variables, written
from davy.policy.rego.terms import (
    Array,
    Collect,
    Literal,
    Object,
    Ref,
    SetOf,
    Term,
    Var,
)
from davy.policy.rego.tree import Document, Node
from davy.policy.rego.values import RegoSet, key_of
from davy.policy.rego.writer import Writer

MOST_UNASKED = 80
"""Size of what is made without asking whether there is any left: the next loop asks."""

Names = dict[str, str]
"""The variables that have a value, and which Python name or literal that is."""


class TermWriter(Writer, ABC):
    """Writes terms."""

    def __init__(
        self, tree: Node, builtins: Mapping[str, Builtin], *, plain_input: bool, mocked: frozenset[str]
    ) -> None:
        super().__init__()
        self.tree = tree
        self.builtins = builtins
        self.plain_input = plain_input
        self.mocked = mocked
        self.evaluation = "C"
        self.in_order = False
        self.plain: set[str] = set()
        self.small: set[str] = set()
        self.used_as_mocks: set[str] = set()
        self.current = -1
        self.edges: dict[int, dict[int, Place]] = {}

    @abstractmethod
    def block(self, block: Block, names: Names, place: Place) -> Names:
        """Write the steps of a body, and return the variables that have a value then."""
        ...

    # Values

    def value(self, term: Term, names: Names) -> str:
        """Write what makes a value, and return the expression for it."""
        match term:
            case Literal(value):
                return self.literal(value)
            case Var(name, place):
                if name not in names:
                    raise BadRego("rego_unsafe_var_error", f"var {written(name)} is unsafe", place)
                return names[name]
            case Ref():
                return self.reference(term, names)
            case Array() | SetOf() | Object():
                return self.composite(term, names)
            case _:
                assert isinstance(term, Collect), "terms are lowered before they are written"
                return self.comprehension(term, names)

    def composite(self, term: Array | SetOf | Object, names: Names, *, kept: bool = True) -> str:
        """Write an array, a set or an object; one that is constant is made once, one that is `kept` counts."""
        if fixed(term):
            return self.constant(made(term))
        found = self.fresh()
        self.small.add(found)
        if kept:
            size = 16 + 8 * width(term)
            small = f"{self.evaluation}.budget.size-={size}"
            self.write(small if size < MOST_UNASKED else f"{self.evaluation}.budget.grow({size})")
        match term:
            case Array(items):
                self.write(f"{found}=[{','.join([self.value(item, names) for item in items])}]")
            case SetOf(items):
                self.write(f"{found}=RegoSet([{','.join([self.value(item, names) for item in items])}])")
            case _:
                pairs = term.pairs
                parts = [(self.key(key, names), self.value(value, names)) for key, value in pairs]
                self.write(f"{found}={{{','.join(f'{key}:{value}' for key, value in parts)}}}")
        return found

    def key(self, term: Term, names: Names) -> str:
        """Write what stands for the key of an object."""
        if isinstance(term, Literal) and isinstance(term.value, str):
            return self.literal(term.value)
        return f"key_of({self.value(term, names)})"

    def comprehension(self, term: Collect, names: Names) -> str:
        """Write a comprehension."""
        found, in_order = self.fresh(), self.in_order
        self.in_order = term.kind == "array"
        self.write(f"{found}={ {'array': '[]', 'set': 'RegoSet()', 'object': '{}'}[term.kind] }")
        if term.kind != "array":
            budget = self.fresh()
            self.write(f"{budget}={self.evaluation}.budget")
        depth, blocks = self.depth, self.blocks
        inner = self.block(term.body, names, term.place)
        value = self.value(term.value, inner) if term.key is None else ""
        match term.kind:
            case "array":
                self.write(f"{found}.append({value})")
            case "set":
                self.write(f"{budget}.steps-=KEPT")
                self.write(f"{found}.add({value})")
            case _:
                self.write(f"{budget}.steps-=KEPT")
                assert term.key is not None
                key, value = self.value(term.key, inner), self.value(term.value, inner)
                self.write(f"put({found},{key},{value},{self.constant(term.place)})")
        self.depth, self.blocks, self.in_order = depth, blocks, in_order
        self.write(f"grown({self.evaluation},{found})")
        return found

    # References

    def reference(self, term: Ref, names: Names) -> str:
        """Write a reference: what is unknown in its brackets is gone through."""
        operands = tuple(self.settled(operand, names) for operand in term.operands)
        match term.head:
            case Var("input"):
                root = f"{self.evaluation}.input"
                if not operands:
                    found = self.fresh()
                    self.write(f"{found}={root}")
                    self.write(f"if {found} is U: continue")
                    return found
                if self.plain_input:
                    self.plain.add(root)
                return self.path(root, operands, names)
            case Var("data"):
                return self.document(operands, names, term.place)
            case head:
                found = self.value(head, names)
                return self.path(found, operands, names) if operands else found

    def settled(self, term: Term, names: Names) -> Term:
        """Write a reference that is used in another one before that; variables may be unknown still."""
        match term:
            case Ref() | Collect():
                var = Var(f"#s{self.fresh()}", term.place)
                names[var.name] = self.value(term, names)
                return var
            case Array(items, place):
                return Array(tuple(self.settled(item, names) for item in items), place)
            case SetOf(items, place):
                return SetOf(tuple(self.settled(item, names) for item in items), place)
            case Object(pairs, place):
                return Object(tuple((self.settled(k, names), self.settled(v, names)) for k, v in pairs), place)
            case _:
                return term

    def path(self, found: str, operands: tuple[Term, ...], names: Names) -> str:
        """Write the way into a value."""
        at = 0
        while at < len(operands):
            keys: list[str] = []
            while at < len(operands) and (text := text_of(operands[at])) is not None:
                keys.append(text)
                at += 1
            if keys:
                found = self.keys(found, keys)
                continue
            found = self.step_into(found, operands[at], names)
            at += 1
        return found

    def keys(self, base: str, keys: list[str]) -> str:
        """Write how to follow constant keys: in JSON as Python does, sets are asked in their own way."""
        found = self.fresh()
        self.write(f"try: {found}={base}{''.join(f'[{key!r}]' for key in keys)}")
        if base in self.plain:
            self.write("except LOOKUP: continue")
            self.plain.add(found)
            return found
        self.write("except LOOKUP:")
        self.write(f" {found}=follow({base},{self.listed(map(repr, keys))})")
        self.write(f" if {found} is U: continue")
        return found

    def step_into(self, base: str, operand: Term, names: Names) -> str:
        """Write how to look up one key, or to go through all of them where it is unknown."""
        found = self.fresh()
        unknown = [name for name in variables(operand) if name not in names]
        if not unknown:
            self.write(f"{found}=index({base},{self.value(operand, names)})")
            self.write(f"if {found} is U: continue")
        elif isinstance(operand, Var) and operand.wildcard:
            order = "values" if self.in_order else "values_unordered"
            self.into(f"for {found} in {order}({self.evaluation},{base}):", operand.place, block=True)
        else:
            key = self.fresh()
            self.into(f"for {key},{found} in items({self.evaluation},{base}):", operand.place, block=True)
            self.match(operand, key, names)
        if base in self.plain:
            self.plain.add(found)
        return found

    # Documents

    def document(self, operands: tuple[Term, ...], names: Names, place: Place) -> str:
        """Write a reference into `data`: rules, what is beside them, or packages of both."""
        node, at = self.tree, 0
        while at < len(operands) and node.document is None:
            text = text_of(operands[at])
            child = node.children.get(text) if text is not None else None
            if text is not None and child is None:
                return self.base(operands, names)
            if child is None:
                break
            node, at = child, at + 1
        if node.document is None:
            return self.package(node, operands, at, names, place)
        if node.document.kind == "function":
            sentence = f"function {node.document.name} used as reference, not called"
            raise BadRego("rego_type_error", sentence, place)
        found = self.rule(node.document, place)
        return self.path(found, operands[at:], names)

    def base(self, operands: tuple[Term, ...], names: Names) -> str:
        """Write a reference into what no rule makes."""
        return self.path(f"{self.evaluation}.data", operands, names)

    def rule(self, document: Document, place: Place) -> str:
        """Write the value of a document."""
        self.depends(document, place)
        found = self.fresh()
        self.write(f"{found}=r{document.number}({self.evaluation})")
        self.write(f"if {found} is U: continue")
        return found

    def depends(self, document: Document, place: Place) -> None:
        """Remember who asks for what."""
        self.edges.setdefault(self.current, {}).setdefault(document.number, place)

    def package(self, node: Node, operands: tuple[Term, ...], at: int, names: Names, place: Place) -> str:
        """Write a reference to a package, or through the packages in one."""
        for document in node.documents():
            if document.kind != "function":
                self.depends(document, place)
        path = self.listed(repr(text_of(operand)) for operand in operands[:at])
        found = self.fresh()
        self.write(f"{found}=virtual({self.evaluation},{self.constant(node)},{path})")
        for operand in operands[at:]:
            base, found = found, self.fresh()
            if any(name not in names for name in variables(operand)):
                key = self.fresh()
                self.into(f"for {key},{found} in virtual_items({self.evaluation},{base}):", place, block=True)
                self.match(operand, key, names)
            else:
                self.write(f"{found}=virtual_get({self.evaluation},{base},{self.value(operand, names)})")
                self.write(f"if {found} is U: continue")
        base, found = found, self.fresh()
        self.write(f"{found}=virtual_value({self.evaluation},{base})")
        return found

    # Patterns

    def match(self, pattern: Term, found: str, names: Names) -> None:
        """Write what compares a value with a pattern, and gives what is unknown in it a value."""
        if not found.isidentifier() or found in ("None", "True", "False"):
            expression, found = found, self.fresh()
            self.write(f"{found}={expression}")
        match pattern:
            case Var(name) if name not in names:
                names[name] = found
            case Literal(value):
                self.write(f"if {unequal(found, value)}: continue")
            case Array(items):
                self.write(f"if type({found}) is not list or len({found})!={len(items)}: continue")
                for at, item in enumerate(items):
                    self.match_at(item, f"{found}[{at}]", names)
            case Object(pairs):
                self.match_object(pairs, found, names)
            case _:
                self.write(f"if not equal({self.value(pattern, names)},{found}): continue")

    def match_object(self, pairs: tuple[tuple[Term, Term], ...], found: str, names: Names) -> None:
        """Write what compares an object: it has these keys and no others."""
        self.write(f"if type({found}) is not dict or len({found})!={len(pairs)}: continue")
        for key, value in pairs:
            inner = self.fresh()
            self.write(f"{inner}={found}.get({self.key(key, names)},U)")
            self.write(f"if {inner} is U: continue")
            self.match(value, inner, names)

    def match_at(self, pattern: Term, expression: str, names: Names) -> None:
        """Write what compares a part of a value, which gets a name first."""
        if isinstance(pattern, Var) and pattern.wildcard and pattern.name not in names:
            names[pattern.name] = "U"
            return
        self.match(pattern, expression, names)


def text_of(term: Term) -> str | None:
    """Return the text that a constant key is."""
    return term.value if isinstance(term, Literal) and isinstance(term.value, str) else None


def unequal(found: str, value: Any) -> str:
    """Write whether a value is another than a scalar."""
    if value is None or value is True or value is False:
        return f"{found} is not {value}"
    if isinstance(value, str):
        return f"{found}!={value!r}"
    return f"not equal({found},{value!r})"


def width(term: Array | SetOf | Object) -> int:
    """Count what a collection is written out with."""
    return 2 * len(term.pairs) if isinstance(term, Object) else len(term.items)


def fixed(term: Term) -> bool:
    """Whether a term is made of literals only."""
    match term:
        case Literal():
            return True
        case Array(items) | SetOf(items):
            return all(map(fixed, items))
        case Object(pairs):
            return all(fixed(part) for pair in pairs for part in pair)
        case _:
            return False


def made(term: Term) -> Any:
    """Make the value of a term that is fixed."""
    match term:
        case Literal(value):
            return value
        case Array(items):
            return [made(item) for item in items]
        case SetOf(items):
            return RegoSet(made(item) for item in items)
        case _:
            assert isinstance(term, Object)
            return {key_of(made(key)): made(value) for key, value in term.pairs}
