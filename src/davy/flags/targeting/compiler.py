"""From a rule to a Python function: what is the same for everybody is decided once, when it is compiled.

The text that is compiled is made of names that are counted here, of names of functions of Davy's, and, where
a rule has very many, of literals through `repr`: nothing that a user writes can become code. What a rule looks
up and compares with is handed to what was compiled, so that rules of one shape share it. A branch that is too
deep for one expression becomes a function of its own, so that neither the parser nor the stack meets anything
deep.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

from davy.flags import bucketing, semver
from davy.flags.details import Json
from davy.flags.governance import Bucketing
from davy.flags.targeting import operators, values
from davy.flags.targeting.tree import Tree

Choose: TypeAlias = Callable[[Mapping[str, Any]], Any]
"""From a context to what a rule says: the name of a variant, null, or anything else that a rule can say.

Raises `RuleError` where what was reached has no meaning.
"""

_CONSTANTS = 64
"""Constants that are handed in; what are more stand in the text."""

_SPILL = 8
"""Operators within each other in one expression; Python's own parser gives up at a hundred."""


class Code(NamedTuple):
    """An expression of Python; `plain` values are true in Python exactly where they are in JsonLogic."""

    text: str
    plain: bool = False


def compile_rule(
    rule: Json, key: str, drawing: Bucketing, shared: Mapping[str, Json], clock: Callable[[], float]
) -> Choose:
    """Compile the targeting of a flag.

    Args:
        rule: JsonLogic.
        key: the flag's, which `fractional` draws with and `$flagd.flagKey` is.
        drawing: how `fractional` draws.
        shared: rules by the names that `$ref` gives them.
        clock: what `$flagd.timestamp` looks at, in seconds since the epoch.

    Raises:
        BadRule: it is beyond the bounds.
    """
    source, constants = written(rule, key, drawing, shared)
    return shape(source)(clock, *constants)


@lru_cache(maxsize=4096)
def shape(source: str) -> Callable[..., Choose]:
    """Compile a text, once for all rules of its shape: into what makes a rule of a clock and of constants."""
    scope: dict[str, Any] = {}
    exec(compile(source, "<flag>", "exec"), RUNTIME, scope)  # noqa: S102 - the text is the compiler's own, see above
    made: Callable[..., Choose] = scope["made"]
    return made


def written(rule: Json, key: str, drawing: Bucketing, shared: Mapping[str, Json]) -> tuple[str, list[Any]]:
    """Return the text of a function that makes a rule, and the constants that it is called with after a clock.

    Raises:
        BadRule: it is beyond the bounds.
    """
    tree = Tree(rule, shared)
    compiler = Compiler(tree, key, drawing)
    main = compiler.function(tree.root, outer=True)
    names = ", ".join(("clock", *compiler.constants))
    functions = "".join(compiler.functions)
    made = f"counted({main})" if compiler.iterates else main
    return f"def made({names}):{functions}\n    return {made}", list(compiler.constants.values())


class Compiler:
    """Compiles one rule; its methods return expressions.

    `outer` says whether `c`, the argument of each function, is the context, and not an item that `map` and its
    like are at; `level` is how many operators of the same expression a node is in. A rule that `iterates` has
    its steps counted, since how many there are is up to whoever sends the context.
    """

    def __init__(self, tree: Tree, key: str, drawing: Bucketing) -> None:
        self.key = key
        self.drawing = drawing
        self.functions: list[str] = []
        self.iterates = False
        self.constants: dict[str, Any] = {"drawing": drawing, "key": key}
        self._tree = tree
        self._names = 0

    def name(self, letter: str) -> str:
        """Make a name that nothing else has."""
        self._names += 1
        return f"{letter}{self._names}"

    def function(self, rule: Json, *, outer: bool) -> str:
        """Write a function for a rule, and return its name."""
        name = self.name("f")
        lines = "\n        ".join(self._body(rule, outer))
        self.functions.append(f"\n    def {name}(c, steps=None):\n        {lines}")
        return name

    def _body(self, rule: Json, outer: bool) -> list[str]:
        """Write a rule as statements, so that many branches are not nested, however many they are."""
        name, arguments = operation(rule)
        if name in ("if", "?:") and arguments:
            last = arguments[-1] if len(arguments) % 2 else None
            lines = []
            for condition, then in zip(arguments[::2], arguments[1::2], strict=False):
                value = self.expression(then, outer).text
                lines.append(f"if {self.condition(condition, outer)}: return {value}")
            return [*lines, f"return {self.expression(last, outer).text}"]
        if name in ("and", "or") and len(arguments) > 1:
            return self._junction(name, arguments, outer)
        return [f"return {self.expression(rule, outer).text}"]

    def _junction(self, name: str, arguments: list[Json], outer: bool) -> list[str]:
        """Write `and` or `or`, whose value is that of the argument that decided."""
        codes = [self.expression(each, outer) for each in arguments]
        if all(code.plain for code in codes[:-1]):
            return [f"return {f' {name} '.join(code.text for code in codes)}"]
        decided = "not truthy" if name == "and" else "truthy"
        lines = [f"if {decided}(t := {code.text}): return t" for code in codes[:-1]]
        return [*lines, f"return {codes[-1].text}"]

    def expression(self, node: Json, outer: bool, level: int = 0) -> Code:
        """Write the value of a node."""
        if isinstance(node, list) and not self._tree.is_literal(node):
            return Code(f"[{self.all(node, outer, level + 1)}]")
        name, arguments = operation(node)
        if not name:
            return Code(self.constant(node), isinstance(node, str | int | None))
        if level >= _SPILL:
            return Code(f"{self.function(node, outer=outer)}(c, steps)")
        return WRITERS.get(name, _call)(self, name, arguments, outer, level + 1)

    def condition(self, node: Json, outer: bool, level: int = 0) -> str:
        """Write a node where only its truth counts."""
        name, arguments = operation(node)
        if name in ("and", "or") and arguments and level < _SPILL:
            return f"({f' {name} '.join(self.condition(each, outer, level + 1) for each in arguments)})"
        code = self.expression(node, outer, level)
        return code.text if code.plain else f"truthy({code.text})"

    def all(self, nodes: Sequence[Json], outer: bool, level: int) -> str:
        """Write the values of several nodes with commas between them."""
        return ", ".join([self.expression(node, outer, level).text for node in nodes])

    def is_literal(self, items: list[Json]) -> bool:
        """Say whether there is no operator in a list."""
        return self._tree.is_literal(items)

    def constant(self, value: Any) -> str:
        """Write a value that is always the same."""
        if value is None or value is True or value is False:
            return repr(value)
        if len(self.constants) >= _CONSTANTS and _is_written(value):
            return repr(value)
        name = self.name("k")
        self.constants[name] = value
        return name


def _is_written(value: Any) -> bool:
    """Say whether a value can stand in a text of Python."""
    kind = type(value)
    small = kind is int and abs(value) < 2**64
    return kind is str or small or (kind is float and math.isfinite(value))


def operation(node: Json) -> tuple[str, list[Json]]:
    """Return the operator of a node and its arguments; an empty name where it is none."""
    if not isinstance(node, dict) or len(node) != 1:
        return "", []
    ((name, arguments),) = node.items()
    return name, arguments if isinstance(arguments, list) else [arguments]


def _pair(arguments: Sequence[Json]) -> tuple[Json, Json]:
    left, right, *_ = (*arguments, None, None)
    return left, right


def _is_number(node: Json) -> bool:
    return type(node) in (int, float)


def _choice(compiler: Compiler, name: str, arguments: list[Json], outer: bool, level: int) -> Code:
    if len(arguments) > 3 or level > 2:
        return Code(f"{compiler.function({name: arguments}, outer=outer)}(c, steps)")
    condition, then, other = (*arguments, None, None, None)[:3]
    if len(arguments) < 2:
        return compiler.expression(condition, outer, level)
    yes, no = compiler.expression(then, outer, level), compiler.expression(other, outer, level)
    text = f"({yes.text} if {compiler.condition(condition, outer, level)} else {no.text})"
    return Code(text, yes.plain and no.plain)


def _junction(compiler: Compiler, name: str, arguments: list[Json], outer: bool, level: int) -> Code:
    if len(arguments) < 2:
        return compiler.expression(arguments[0] if arguments else None, outer, level)
    if len(arguments) > 4:
        return Code(f"{compiler.function({name: list(arguments)}, outer=outer)}(c, steps)")
    *codes, last = [compiler.expression(each, outer, level) for each in arguments]
    for code in reversed(codes):
        if code.plain:
            last = Code(f"({code.text} {name} {last.text})", last.plain)
        else:
            t = compiler.name("t")
            yes, no = (last.text, t) if name == "and" else (t, last.text)
            last = Code(f"({yes} if truthy({t} := {code.text}) else {no})")
    return last


def _variable(compiler: Compiler, _: str, arguments: list[Json], outer: bool, level: int) -> Code:
    name, default = _pair(arguments)
    if isinstance(name, list | dict):
        whole = _WHOLE if outer else "c"
        return Code(f"variable({whole}, {compiler.all((name, default), outer, level)})")
    if name is None or name == "":
        return Code(_WHOLE if outer else "c")
    steps = values.text(name).split(".")
    if outer and steps[0] == "$flagd":
        return _about_itself(compiler, steps[1:], default, level)
    if not outer or len(steps) > 1:
        given = "" if default is None else f", {compiler.expression(default, outer, level).text}"
        return Code(f"reach(c, {compiler.constant(tuple(steps))}{given})")
    found = f"c.get({compiler.constant(steps[0])})"
    if default is None:
        return Code(found)
    t = compiler.name("t")
    return Code(f"({compiler.expression(default, outer, level).text} if ({t} := {found}) is None else {t})")


_WHOLE = "{**c, '$flagd': {'flagKey': key, 'timestamp': int(clock())}}"


def _about_itself(compiler: Compiler, steps: list[str], default: Json, level: int) -> Code:
    match steps:
        case ["flagKey"]:
            return Code("key", plain=True)
        case ["timestamp"]:
            return Code("int(clock())")
        case []:
            return Code(f"{_WHOLE}['$flagd']")
        case _:
            return compiler.expression(default, True, level)


def _equal(compiler: Compiler, name: str, arguments: list[Json], outer: bool, level: int) -> Code:
    left, right = _pair(arguments)
    if isinstance(left, str) or _is_number(left):
        left, right = right, left
    this, other = (compiler.expression(each, outer, level).text for each in (left, right))
    strict = len(name) == 3
    if right is None or (strict and isinstance(right, str)):
        text = f"({this} {'is' if right is None else '=='} {other})"
    elif not strict and (isinstance(right, str) or _is_number(right)):
        t, kind = compiler.name("t"), type(right).__name__
        text = f"({t} == {other} if type({t} := {this}) is {kind} else loosely_equal({t}, {other}))"
    else:
        text = f"{'strictly' if strict else 'loosely'}_equal({this}, {other})"
    return Code(f"(not {text})" if name[0] == "!" else text, plain=True)


def _compare(compiler: Compiler, name: str, arguments: list[Json], outer: bool, level: int) -> Code:
    equal = "_equal" if name[1:] else ""
    if len(arguments) > 2:
        three = arguments[:3] if name[0] == "<" else arguments[2::-1]
        return Code(f"between{equal}({compiler.all(three, outer, level)})", plain=True)
    left, right = _pair(arguments)
    this, other = (compiler.expression(each, outer, level).text for each in (left, right))
    if not _is_number(right):
        ordered = (this, other) if name[0] == "<" else (other, this)
        return Code(f"less{equal}({', '.join(ordered)})", plain=True)
    t = compiler.name("t")
    fast = f"{t} {name} {other} if type({t} := {this}) is int or type({t}) is float"
    slow = f"{t}, {other}" if name[0] == "<" else f"{other}, {t}"
    return Code(f"({fast} else less{equal}({slow}))", plain=True)


def _not(compiler: Compiler, name: str, arguments: list[Json], outer: bool, level: int) -> Code:
    condition = compiler.condition(arguments[0] if arguments else None, outer, level)
    return Code(f"(not {condition})" if name == "!" else f"(not not {condition})", plain=True)


def _in(compiler: Compiler, _: str, arguments: list[Json], outer: bool, level: int) -> Code:
    needle, haystack = _pair(arguments)
    this, other = (compiler.expression(each, outer, level).text for each in (needle, haystack))
    if isinstance(haystack, list) and haystack and all(isinstance(each, str) for each in haystack):
        t, among = compiler.name("t"), compiler.constant(frozenset(haystack))
        return Code(f"({t} in {among} if type({t} := {this}) is str else False)", plain=True)
    return Code(f"contains({this}, {other})", plain=True)


def _affix(compiler: Compiler, name: str, arguments: list[Json], outer: bool, level: int) -> Code:
    if len(arguments) != 2:
        return Code("None", plain=True)
    affix = arguments[1]
    this, other = (compiler.expression(each, outer, level).text for each in arguments)
    if not isinstance(affix, str):
        return Code(f"{name}({this}, {other})", plain=True)
    t = compiler.name("t")
    return Code(f"({t}.{name.replace('_', '')}({other}) if type({t} := {this}) is str else None)", plain=True)


def _sem_ver(compiler: Compiler, _: str, arguments: list[Json], outer: bool, level: int) -> Code:
    if len(arguments) != 3:
        return Code("None", plain=True)
    if isinstance(arguments[2], list | dict):
        return Code(f"compare_versions({compiler.all(arguments, outer, level)})", plain=True)
    known = compiler.constant(semver.version(arguments[2]))
    return Code(f"compare_version({compiler.all(arguments[:2], outer, level)}, {known})", plain=True)


def _each(compiler: Compiler, name: str, arguments: list[Json], outer: bool, level: int) -> Code:
    """Write an operator that has a rule for each item of a list."""
    items, rule, initial = (*arguments, None, None, None)[:3]
    compiler.iterates = True
    listed = compiler.expression(items, outer, level).text
    code = f"{_EACH[name]}({listed}, {compiler.function(rule, outer=False)}, steps"
    if name == "reduce":
        return Code(f"{code}, {compiler.expression(initial, outer, level).text})")
    return Code(f"(not {code}))" if name == "none" else f"{code})")


def _log(compiler: Compiler, _: str, arguments: list[Json], outer: bool, level: int) -> Code:
    """Write what `log` returns; nothing is logged while a flag is evaluated."""
    return compiler.expression(arguments[0] if arguments else None, outer, level)


def _fractional(compiler: Compiler, _: str, arguments: list[Json], outer: bool, level: int) -> Code:
    start, shares = ("", arguments) if arguments and isinstance(arguments[0], list) else ("t", arguments[1:])
    weights = [bucketing.weight(share) for share in shares]
    known = [share[0] for share in shares if isinstance(share, list) and share and compiler.is_literal(share)]
    total = sum(each for each in weights if each is not None)
    if len(known) < len(shares) or None in weights or not 0 < total <= bucketing.MOST:
        return Code(f"fractional(drawing, key, c, [{compiler.all(arguments, outer, level)}])")
    bounds = compiler.constant(tuple(accumulate(each or 0 for each in weights)))
    variants = compiler.constant(tuple(known))
    drawing = f"{compiler.drawing is Bucketing.V3}, {{}}, {bounds}, {variants}, {total})"
    if not start:
        salt = compiler.constant(bucketing.prefix(compiler.drawing, compiler.key))
        user = "c.get('targetingKey')" if outer else "reach(c, ('targetingKey',))"
        return Code(f"drawn({salt}, {drawing.format(user)}")
    t = compiler.name("t")
    slow = f"fractional(drawing, key, c, [{t}, {compiler.all(shares, outer, level)}])"
    asked = compiler.expression(arguments[0], outer, level).text
    return Code(f"(drawn(b'', {drawing.format(t)} if type({t} := {asked}) is str and {t} else {slow})")


def _call(compiler: Compiler, name: str, arguments: list[Json], outer: bool, level: int) -> Code:
    """Write a call of what does the work, with as many arguments as it takes."""
    if name not in CALLS:
        return Code(f"unknown({name!r})")
    function, least, most = CALLS[name]
    given = [*arguments, *[None] * (least - len(arguments))][:most]
    if name == "-" and len(given) == 1:
        function = "negate"
    data = ("c, " if given else "c") if name.startswith("missing") else ""
    return Code(f"{function}({data}{compiler.all(given, outer, level)})", plain=name in ("cat", "substr"))


CALLS: dict[str, tuple[str, int, int | None]] = {
    "missing": ("missing", 0, None),
    "missing_some": ("missing_some", 2, 2),
    "+": ("add", 0, None),
    "*": ("multiply", 0, None),
    "-": ("subtract", 1, 2),
    "/": ("divide", 2, 2),
    "%": ("remainder", 2, 2),
    "min": ("least", 0, None),
    "max": ("greatest", 0, None),
    "merge": ("merge", 0, None),
    "cat": ("cat", 0, None),
    "substr": ("substr", 2, 3),
}
"""Operators that are a call: of what, with how many arguments at least and at most."""

_EACH = {
    "map": "mapped",
    "filter": "filtered",
    "reduce": "reduced",
    "all": "every",
    "some": "some",
    "none": "some",
}

WRITERS: dict[str, Callable[[Compiler, str, list[Json], bool, int], Code]] = {
    "if": _choice,
    "?:": _choice,
    "and": _junction,
    "or": _junction,
    "var": _variable,
    **dict.fromkeys(("==", "!=", "===", "!=="), _equal),
    **dict.fromkeys(("<", "<=", ">", ">="), _compare),
    **dict.fromkeys(("!", "!!"), _not),
    "in": _in,
    "starts_with": _affix,
    "ends_with": _affix,
    "sem_ver": _sem_ver,
    "fractional": _fractional,
    "log": _log,
    **dict.fromkeys(_EACH, _each),
}
"""Operators that are written in a way of their own."""

RUNTIME: dict[str, Any] = {
    "__builtins__": {},
    **{each.__name__: each for each in (type, str, int, float)},
    **{
        each.__name__: each
        for each in (
            values.truthy,
            values.loosely_equal,
            values.strictly_equal,
            values.less,
            values.less_equal,
            operators.unknown,
            operators.reach,
            operators.variable,
            operators.missing,
            operators.missing_some,
            operators.contains,
            operators.starts_with,
            operators.ends_with,
            operators.cat,
            operators.substr,
            operators.merge,
            operators.add,
            operators.multiply,
            operators.subtract,
            operators.negate,
            operators.divide,
            operators.remainder,
            operators.least,
            operators.greatest,
            operators.between,
            operators.between_equal,
            operators.counted,
            operators.mapped,
            operators.filtered,
            operators.reduced,
            operators.every,
            operators.some,
            bucketing.drawn,
            bucketing.fractional,
        )
    },
    "compare_versions": semver.compare,
    "compare_version": semver.compared,
}
"""All that the text of a rule can call."""
