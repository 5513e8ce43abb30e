"""Take one flag out of one file."""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
from tree_sitter import Node

from davy.flags.details import FlagType, Json
from davy.flags.lint.cleanup.dialect import Dialect, Unsafe
from davy.flags.lint.cleanup.ecma import Ecma
from davy.flags.lint.cleanup.edit import Edit, apply
from davy.flags.lint.cleanup.marks import PREFIX, Marks, marked, text
from davy.flags.lint.cleanup.python import Python
from davy.flags.lint.usage import How, Language, Scan, Usage, Vendor
from davy.model.finding import Place

_DIALECTS: dict[Language, Callable[[], Dialect]] = {
    Language.PYTHON: Python,
    Language.JAVASCRIPT: lambda: Ecma(Language.JAVASCRIPT),
    Language.TYPESCRIPT: lambda: Ecma(Language.TYPESCRIPT),
    Language.TSX: lambda: Ecma(Language.TSX),
}
_WRITTEN = (How.LITERAL, How.CONSTANT, How.IMPORT, How.TEMPLATE)
_BY_HAND = "Davy rewrites Python, JavaScript and TypeScript; here a person has to"


class Left(msgspec.Struct, frozen=True):
    """A place that is left to a person, and why."""

    place: Place
    why: str


class Cleaned(msgspec.Struct, frozen=True):
    """A file without a flag.

    Args:
        text: the file as it is now.
        taken: reads that are gone.
        left: reads that are still there, and values that something still depends on.
    """

    text: bytes
    taken: tuple[Place, ...] = ()
    left: tuple[Left, ...] = ()


def clean(
    scan: Scan, source: bytes, key: str, value: Json, used_elsewhere: Callable[[str], bool] = lambda name: True
) -> Cleaned:
    """Take a flag out of a file, as if every read of it answered with one value.

    `used_elsewhere` says whether another file may refer to a name of this one. What comes out is parsed again;
    where that fails nothing is changed. Never raises for any text that was scanned.
    """
    concerned = [usage for usage in scan.usages if key in usage.keys and usage.how is not How.PARAMETER]
    if not concerned:
        return Cleaned(source)
    if scan.language not in _DIALECTS:
        return Cleaned(source, left=tuple(Left(usage.place, _BY_HAND) for usage in concerned))
    dialect = _DIALECTS[scan.language]()
    if why := _unfit(dialect, source):
        return Cleaned(source, left=tuple(Left(usage.place, why) for usage in concerned))
    try:
        return _cleaned(dialect, concerned, source, key, value, used_elsewhere)
    except RecursionError:
        return Cleaned(source, left=tuple(Left(usage.place, "it is nested too deep") for usage in concerned))


def _unfit(dialect: Dialect, source: bytes) -> str:
    """Say why nothing in a text can be changed, or nothing."""
    try:
        source.decode()
    except UnicodeDecodeError as error:
        return f"the file is not UTF-8 ({error.reason})"
    if PREFIX in source or dialect.parse(source).root_node.has_error:
        return "part of the file cannot be parsed"
    return ""


def _cleaned(
    dialect: Dialect,
    concerned: Sequence[Usage],
    source: bytes,
    key: str,
    value: Json,
    used_elsewhere: Callable[[str], bool],
) -> Cleaned:
    marks, left = Marks(), list[Left]()
    taken: list[Usage] = []
    edits: list[Edit] = []
    root = dialect.parse(source).root_node
    for usage in concerned:
        try:
            node = _read(dialect, root, usage, key, value)
        except Unsafe as unsafe:
            left.append(Left(usage.place, str(unsafe)))
            continue
        edits.append(Edit(node.start_byte, node.end_byte, marks.put(value, origin=len(taken))))
        taken.append(usage)
    if not taken:
        return Cleaned(source, left=tuple(left))
    fresh, whys = simplify(dialect, apply(source, edits), marks)
    before = _names(root)
    fresh = _without_unused(dialect, spelled(dialect, fresh, marks), before, used_elsewhere)
    if dialect.parse(fresh).root_node.has_error or (wrong := dialect.check(fresh)):
        why = wrong if not dialect.parse(fresh).root_node.has_error else "what would come out cannot be parsed"
        return Cleaned(source, left=tuple(Left(usage.place, why) for usage in concerned))
    left += [Left(taken[origin].place, why) for origin, why in whys]
    return Cleaned(
        fresh,
        tuple(usage.place for usage in taken),
        tuple(sorted(dict.fromkeys(left), key=lambda each: each.place)),
    )


def _read(dialect: Dialect, root: Node, usage: Usage, key: str, value: Json) -> Node:
    """Return the expression that a value may take the place of.

    Raises:
        Unsafe: it may not.
    """
    if len(usage.keys) > 1:
        others = ", ".join(f"`{each}`" for each in usage.keys if each != key)
        raise Unsafe(f"it may read {others} as well")
    if usage.how not in _WRITTEN:
        raise Unsafe(f"`{usage.function}` may do more than to read the flag")
    if usage.types and not any(_is_of(value, each) for each in usage.types):
        raise Unsafe(f"it asks for {' or '.join(usage.types)}, and gets its default")
    if usage.vendor is not Vendor.OPENFEATURE and usage.types != (FlagType.BOOLEAN,):
        raise Unsafe(f"what {usage.vendor} answers with is more than the value")
    node = root.descendant_for_byte_range(usage.call.start, usage.call.end)
    assert node is not None
    assert node.type in ("call", "call_expression"), node.type
    return dialect.read(node, details=usage.details)


_CLASSES: dict[FlagType, tuple[type, ...]] = {
    FlagType.BOOLEAN: (bool,),
    FlagType.STRING: (str,),
    FlagType.INTEGER: (int,),
    FlagType.FLOAT: (int, float),
    FlagType.OBJECT: (dict, list),
}


def _is_of(value: Json, type_: FlagType) -> bool:
    return type(value) in _CLASSES[type_]


def simplify(dialect: Dialect, source: bytes, marks: Marks) -> tuple[bytes, list[tuple[int, str]]]:
    """Decide whatever marks decide, one after the other, and say what is not decided and why."""
    while True:
        whys = []
        for mark in marked(dialect.parse(source).root_node):
            fold = dialect.fold(mark, marks, source)
            if fold.edits:
                source = apply(source, fold.edits)
                break
            if fold.why:
                whys.append((marks.origin(text(mark)), fold.why))
        else:
            return source, whys


def spelled(dialect: Dialect, source: bytes, marks: Marks) -> bytes:
    """Write the values of the marks that are left."""
    found = marked(dialect.parse(source).root_node)
    edits = [
        Edit(each.start_byte, each.end_byte, dialect.spell(marks.value(text(each)), each)) for each in found
    ]
    return apply(source, edits)


def _without_unused(
    dialect: Dialect, source: bytes, before: Counter[bytes], used_elsewhere: Callable[[str], bool]
) -> bytes:
    """Take away imports, constants and variables that only the flag needed."""
    while True:
        root = dialect.parse(source).root_node
        now = _names(root)
        shrunk = {name for name, count in before.items() if now[name] < count}
        for leftover in dialect.unused(root, source, shrunk):
            if not leftover.outside or not used_elsewhere(leftover.name):
                source = apply(source, [leftover.edit])
                break
        else:
            return source


def _names(root: Node) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    stack = [root]
    while stack:
        each = stack.pop()
        if each.child_count == 0 and each.is_named:
            found[text(each)] += 1
        stack += each.children
    return found
