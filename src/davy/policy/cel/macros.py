"""The macros of CEL written as Python: loops over lists and maps, optionals, and `cel.bind`."""

from davy.policy.cel import tree
from davy.policy.cel.errors import CelError
from davy.policy.cel.pieces import Code, Local, Pieces
from davy.policy.cel.types import BOOL, DYN, INT, Type, fits, list_of, map_of, optional_of

Made = tuple[str, Type, tuple[Code, ...]]
"""A loop as it is to be put together where its own names are not in scope any more."""


def _made(text: str, kind: Type, *parts: Code) -> Made:
    return text, kind, parts


class Macros(Pieces):
    """The part of a compilation that is about macros."""

    def loop(self, node: tree.Loop) -> Code:
        """Write a macro that evaluates something with names of its own."""
        over = self.code(node.range)
        if node.macro in ("optMap", "optFlatMap"):
            return self.option(node, over)
        kinds = self.loop_types(node, over.type)
        two = len(kinds) == 2
        source = self.call(node.at, "turns" if two else "elements", DYN, over, metered=True)
        before = self.scope
        names = [self.fresh("x") for _ in node.names]
        self.scope = {
            **before,
            **{name: Local(fresh, kind) for name, fresh, kind in zip(node.names, names, kinds, strict=True)},
        }
        try:
            text, kind, parts = self.turned(node, names, kinds, source, over)
        finally:
            self.scope = before
        return self.made(text, kind, *parts)

    def loop_types(self, node: tree.Loop, kind: Type) -> tuple[Type, ...]:
        """Return the types of the names of a loop."""
        two = len(node.names) == 2
        match kind.name:
            case "list":
                return (INT, kind.of[0]) if two else (kind.of[0],)
            case "map":
                return (kind.of[0], kind.of[1]) if two else (kind.of[0],)
            case name if name == "dyn" or name.isupper():
                return (DYN, DYN) if two else (DYN,)
            case _:
                raise CelError(
                    f"expression of type '{kind}' cannot be range of a comprehension "
                    "(must be list, map, or dynamic)",
                    node.range.at,
                )

    def turned(
        self, node: tree.Loop, names: list[str], kinds: tuple[Type, ...], source: Code, over: Code
    ) -> Made:
        """Write what a loop does in each of its turns, its names being in scope."""
        turn = f"for {', '.join(names)} in {source.text}"
        guard = self.test(node.steps[0]) if len(node.steps) == 2 else None
        condition = f" if {guard.text}" if guard is not None else ""
        parts = [source] if guard is None else [source, guard]
        match node.macro:
            case "all" | "exists" | "exists_one" | "existsOne":
                return self.quantified(node, names, turn, source)
            case "filter":
                test = self.test(node.steps[0])
                kind = over.type if over.type.name == "list" else list_of(kinds[0])
                return _made(f"[{names[0]} {turn} if {test.text}]", kind, source, test)
            case "sortBy":
                body = self.code(node.steps[0])
                return _made(
                    f"in_order({source.text}, lambda {names[0]}: {body.text})", over.type, source, body
                )
            case "map" | "transformList":
                body = self.code(node.steps[-1])
                return _made(f"[{body.text} {turn}{condition}]", list_of(body.type), *parts, body)
            case "transformMap":
                body = self.code(node.steps[-1])
                text = f"mapped([({names[0]}, {body.text}) {turn}{condition}])"
                return _made(text, map_of(kinds[0], body.type), *parts, body)
            case _:
                body = self.code(node.steps[-1])
                if not fits(body.type, map_of(DYN, DYN), {}):
                    raise CelError(f"expected a map but found '{body.type}'", node.steps[-1].at)
                return _made(f"entered([{body.text} {turn}{condition}])", body.type, *parts, body)

    def quantified(self, node: tree.Loop, names: list[str], turn: str, source: Code) -> Made:
        """Write `all`, `exists` and `exists_one`; only carefully are errors of single turns absorbed."""
        test = self.test(node.steps[0])
        if not self.careful:
            text = {"all": f"all({test.text} {turn})", "exists": f"any({test.text} {turn})"}.get(
                node.macro, f"(sum([{test.text} {turn}]) == 1)"
            )
            return _made(text, BOOL, source, test)
        run = {"all": "every", "exists": "some"}.get(node.macro, "one")
        over = source.text if len(names) == 2 else f"singles({source.text})"
        return _made(f"{run}({over}, lambda {', '.join(names)}: {test.text})", BOOL, source, test)

    def option(self, node: tree.Loop, over: Code) -> Code:
        """Write `optMap` and `optFlatMap`."""
        if over.type != DYN and over.type.name != "optional_type":
            raise self.no_overload("hasValue", node.at, (over,), True)
        held = over.type.of[0] if over.type.of else DYN
        body, name = self.within(node.names[0], held, node.steps[0])
        flat = node.macro == "optFlatMap"
        if flat and not fits(body.type, optional_of(DYN), {}):
            raise self.no_overload("optFlatMap", node.at, (over, body), True)
        run = "then_present" if flat else "if_present"
        kind = body.type if flat else optional_of(body.type)
        lambda_ = Code(f"lambda {name}: {body.text}", DYN, body.depth)
        return self.call(node.at, run, kind, over, lambda_)

    def bind(self, node: tree.Bind) -> Code:
        """Write `cel.bind`."""
        if not self.environment.bindings:
            raise self.undeclared("cel", node.at)
        value = self.code(node.value)
        body, name = self.within(node.name, value.type, node.body)
        return self.made(f"(lambda {name}: {body.text})({value.text})", body.type, value, body)
