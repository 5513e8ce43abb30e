"""Documents as Python: one function each, with everything its rules say."""

from collections.abc import Mapping
from operator import attrgetter

from davy.policy.rego.emit_steps import StepWriter
from davy.policy.rego.emit_terms import Names
from davy.policy.rego.errors import NOWHERE
from davy.policy.rego.lowered import Alternative, Block, Definition
from davy.policy.rego.terms import Literal, Term, Var
from davy.policy.rego.tree import Document, Entry


class DocumentWriter(StepWriter):
    """Writes documents."""

    def define(self, document: Document, definitions: list[Definition], default: Definition | None) -> None:
        """Write the function that makes a document."""
        self.current = document.number
        self.plain.clear()
        self.edges.setdefault(document.number, {})
        parameters = [f"a{at}" for at in range(document.arity)]
        self.write(f"def r{document.number}({','.join(['C', *parameters])}):")
        self.depth += 1
        if document.kind == "function":
            self.write("b=C.budget")
            self.write("b.steps-=1")
            self.write("if b.steps<0: b.spend()")
        else:
            self.write("m=C.memo")
            self.write(f"if {document.number} in m: return m[{document.number}]")
        if document.kind in ("complete", "function"):
            self.single(document, definitions, default, parameters)
        else:
            self.gathered(document, definitions)
        if document.kind != "function":
            self.write(f"m[{document.number}]=o")
        self.write("return o")
        self.depth -= 1

    def single(
        self,
        document: Document,
        definitions: list[Definition],
        default: Definition | None,
        parameters: list[str],
    ) -> None:
        """Write rules that have one value together."""
        self.write("o=U")
        same = alike(definitions)
        for at, definition in enumerate(definitions):
            depth = self.depth
            if same and at:
                self.into("if o is U:", definition.place)
            alone = same or len(definitions) == 1
            target = "o" if alone else self.fresh()
            if not alone:
                self.write(f"{target}=U")
            self.branches(definition, document, target, parameters)
            self.depth = depth
            if not alone:
                self.write(f"if o is U: o={target}")
                self.write(
                    f"elif {target} is not U and not equal(o,{target}): {self.conflict(document, definition)}"
                )
        if default is not None:
            depth = self.depth
            self.into("if o is U:", default.place)
            self.branches(default, document, "o", parameters)
            self.depth = depth

    def conflict(self, document: Document, definition: Definition | Alternative) -> str:
        """Write that rules contradict each other."""
        return f"conflict({document.kind!r},{self.constant(definition.place)})"

    def branches(self, definition: Definition, document: Document, target: str, parameters: list[str]) -> None:
        """Write a rule with its `else`."""
        depth = self.depth
        for at, alternative in enumerate(definition.alternatives):
            if at:
                self.into(f"if {target} is U:", alternative.place)
            self.branch(alternative, document, target, parameters)
        self.depth = depth

    def branch(self, alternative: Alternative, document: Document, target: str, parameters: list[str]) -> None:
        """Write one branch of a rule with one value."""
        depth, blocks = self.depth, self.blocks
        names: Names = {}
        once = 1
        if plain(alternative.arguments):
            names.update(zip(map(attrgetter("name"), alternative.arguments), parameters, strict=True))
        else:
            self.into("for _ in ONCE:", alternative.place, block=True)
            once = 2
            for pattern, parameter in zip(alternative.arguments, parameters, strict=True):
                self.match(pattern, parameter, names)
        inner = self.block(alternative.body, names, alternative.place)
        value = self.value(alternative.value, inner)
        if isinstance(alternative.value, Literal):
            self.write(f"{target}={value}")
            self.leave(f"{target} is not U", depth)
        else:
            if self.blocks > blocks + once:
                place = self.conflict(document, alternative)
                self.write(f"if {target} is U: {target}={value}")
                self.write(f"elif not equal({target},{value}): {place}")
            else:
                self.write(f"{target}={value}")
        self.depth, self.blocks = depth, blocks

    def gathered(self, document: Document, definitions: list[Definition]) -> None:
        """Write rules that add to a set or an object."""
        self.write(f"o={'RegoSet()' if document.kind == 'set' else '{}'}")
        for found, definition in zip(document.rules, definitions, strict=True):
            depth, blocks = self.depth, self.blocks
            flag = self.fresh() if len(definition.alternatives) > 1 else ""
            if flag:
                self.write(f"{flag}=False")
            for at, alternative in enumerate(definition.alternatives):
                if at:
                    self.into(f"if not {flag}:", alternative.place)
                at_depth, at_blocks = self.depth, self.blocks
                inner = self.block(alternative.body, {}, alternative.place)
                self.contribute(document, found, alternative, inner)
                if flag:
                    self.write(f"{flag}=True")
                self.depth, self.blocks = at_depth, at_blocks
            self.depth, self.blocks = depth, blocks

    def contribute(self, document: Document, found: Entry, alternative: Alternative, names: Names) -> None:
        """Write what one rule adds."""
        self.write("C.budget.steps-=KEPT")
        if document.kind == "set":
            assert alternative.element is not None
            self.write(f"o.add({self.value(alternative.element, names)})")
            return
        operands = alternative.path[found.constants :]
        keys = [*map(repr, found.below(document)), *(self.value(operand, names) for operand in operands)]
        place = self.constant(alternative.place)
        if alternative.element is not None:
            self.write(f"put_element(o,{self.listed(keys)},{self.value(alternative.element, names)},{place})")
        elif len(keys) == 1:
            self.write(f"put(o,{keys[0]},{self.value(alternative.value, names)},{place})")
        else:
            self.write(f"put_deep(o,{self.listed(keys)},{self.value(alternative.value, names)},{place})")

    def question(self, block: Block, values: list[Term], names: Mapping[str, str]) -> None:
        """Write a query: a function that adds every answer to a list."""
        self.write("def q(C,found):")
        self.depth += 1
        self.in_order = True
        inner = self.block(block, {}, NOWHERE)
        expressions = self.listed(self.value(value, inner) for value in values)
        bound = [(name, inner[unique]) for name, unique in names.items() if unique in inner]
        bindings = ",".join(f"{name!r}:{value}" for name, value in bound)
        self.write(f"found.append(Answer({expressions},{{{bindings}}}))")


def alike(definitions: list[Definition]) -> bool:
    """Whether all rules have the same constant for a value: then the first that holds is enough."""
    values = [definition.alternatives[0].value for definition in definitions]
    first = values[0] if values else None
    return all(
        isinstance(first, Literal)
        and isinstance(value, Literal)
        and type(value.value) is type(first.value)
        and value.value == first.value
        and len(definition.alternatives) == 1
        for value, definition in zip(values, definitions, strict=True)
    )


def plain(arguments: tuple[Term, ...]) -> bool:
    """Whether arguments are names that differ, so that any value will do for them."""
    names = [argument.name for argument in arguments if isinstance(argument, Var)]
    return len(set(names)) == len(arguments)
