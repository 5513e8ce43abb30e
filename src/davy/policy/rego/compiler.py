"""From modules to a policy: the tree of documents, each of which becomes a Python function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from davy.policy.rego import runtime
from davy.policy.rego.answer import Answer
from davy.policy.rego.builtin import Builtin, BuiltinError
from davy.policy.rego.checks import check_module, check_recursion, globals_of
from davy.policy.rego.emit_documents import DocumentWriter
from davy.policy.rego.errors import NOWHERE, BadRego
from davy.policy.rego.lower import Lowering
from davy.policy.rego.lowered import Block, Definition
from davy.policy.rego.overriding import overridden
from davy.policy.rego.parser import parse_module
from davy.policy.rego.sorts import Sorting
from davy.policy.rego.terms import Term
from davy.policy.rego.tree import Document, Node, Path, entry, grow
from davy.policy.rego.values import UNDEFINED, RegoSet, Value, equal, key_of

MOST_MODULES = 2000

OPERATORS = {
    "internal.member_2": 2,
    "internal.member_3": 3,
    "equal": 2,
    "neq": 2,
    "lt": 2,
    "lte": 2,
    "gt": 2,
    "gte": 2,
}


@dataclass(slots=True)
class Program:
    """What modules become: documents, and the Python functions that make them."""

    tree: Node
    documents: list[Document]
    functions: dict[int, Callable[..., Value]]
    compiler: "Compiler"


class Compiler:
    """Compiles modules, and then questions about them."""

    def __init__(self, modules: Mapping[str, str], *, v1: bool, builtins: Mapping[str, Builtin]) -> None:
        if len(modules) > MOST_MODULES:
            raise BadRego("rego_compile_error", f"there are more than {MOST_MODULES} modules", NOWHERE)
        self.builtins = builtins
        self.v1 = v1
        self.modules = [parse_module(text, name, v1=v1) for name, text in modules.items()]
        entries = [
            entry(rule, module.package, at) for at, module in enumerate(self.modules) for rule in module.rules
        ]
        for module in self.modules:
            check_module(module)
        self.tree, self.documents = grow(entries, {module.package: module.place for module in self.modules})
        self.lowerings = [
            Lowering(globals_of(module, entries), self.is_function, self.arity) for module in self.modules
        ]

    def is_function(self, path: tuple[str, ...]) -> bool:
        """Whether a path is the path of a function."""
        if path[0] != "data":
            return ".".join(path) in self.builtins
        document = self.document(path[1:])
        return document is not None and document.kind == "function"

    def arity(self, path: tuple[str, ...]) -> int:
        """Say how many arguments a function takes, -2 where it is not known."""
        if path[0] == "data":
            document = self.document(path[1:])
            return document.arity if document is not None else -2
        name = ".".join(path)
        if name in self.builtins:
            return self.builtins[name].arity
        return OPERATORS.get(name, -2)

    def document(self, path: Path) -> Document | None:
        """Find the document with a path."""
        node: Node | None = self.tree
        for part in path:
            node = node.children.get(part) if node is not None else None
        return node.document if node is not None else None

    def program(self) -> Program:
        """Compile all documents.

        Raises:
            BadRego: something in them makes no sense.
        """
        self.all_lowered = {document.number: self.lowered(document) for document in self.documents}
        blocks = [
            alternative.body
            for definitions, default in self.all_lowered.values()
            for definition in (*definitions, *((default,) if default else ()))
            for alternative in definition.alternatives
        ]
        self.mocked, self.plain_input = overridden(blocks)
        self.scope = self.written(self.mocked, plain_input=self.plain_input)
        self.sorting = Sorting(self.tree, self.documents, self.all_lowered)
        self.sorting.check()
        return Program(self.tree, self.documents, self.functions(self.scope), self)

    def may_make_set(self, document: Document) -> bool:
        """Whether a document is a set, or a rule that may give one."""
        return document.kind in ("set", "complete") and "t" in self.sorting.made(document)

    def functions(self, scope: Mapping[str, Any]) -> dict[int, Callable[..., Value]]:
        """Pick the functions of documents out of what was executed."""
        return {document.number: scope[f"r{document.number}"] for document in self.documents}

    def written(self, mocked: frozenset[str], *, plain_input: bool) -> dict[str, Any]:
        """Write and execute all documents."""
        writer = self.writer(mocked, plain_input=plain_input)
        for document in self.documents:
            writer.define(document, *self.all_lowered[document.number])
        check_recursion(self.documents, writer.edges)
        return self.executed(writer, {})

    def lowered(self, document: Document) -> tuple[list[Definition], Definition | None]:
        """Lower the rules of a document."""
        definitions = [self.lowerings[found.module].rule(found.rule) for found in document.rules]
        default = document.default
        return definitions, None if default is None else self.lowerings[default.module].rule(default.rule)

    def question(
        self, block: Block, values: list[Term], names: Mapping[str, str]
    ) -> tuple[Callable[..., None], Mapping[int, Callable[..., Value]]]:
        """Compile a query: a function that adds its answers to a list, and the documents it has to see.

        A query that mocks what no rule mocks needs the documents compiled anew.
        """
        mocked, plain_input = overridden([block])
        mocked, plain_input = mocked | self.mocked, plain_input and self.plain_input
        scope = self.scope
        if (mocked, plain_input) != (self.mocked, self.plain_input):
            scope = self.written(mocked, plain_input=plain_input)
        writer = self.writer(mocked, plain_input=plain_input)
        writer.constants.update(
            {name: value for name, value in scope.items() if name.startswith("k") and name[1:].isdigit()}
        )
        writer.question(block, values, names)
        return self.executed(writer, scope)["q"], self.functions(scope)

    def writer(self, mocked: frozenset[str], *, plain_input: bool) -> DocumentWriter:
        """Make what writes the Python of this policy."""
        return DocumentWriter(self.tree, self.builtins, plain_input=plain_input, mocked=mocked)

    def executed(self, writer: DocumentWriter, more: Mapping[str, Any]) -> dict[str, Any]:
        """Return the functions that were written."""
        scope: dict[str, Any] = {**SCOPE, **more, **writer.constants}
        for name, builtin in self.builtins.items():
            plain = name.replace(".", "_")
            scope[f"b_{plain}"] = builtin.call
        for name in writer.mocked:
            if name in self.builtins:
                scope[f"m_{name.replace('.', '_')}"] = _mockable(self.builtins[name])
        for name in writer.used_as_mocks:
            scope[f"m_{name.replace('.', '_')}"] = _mockable(self.builtins[name])
        for name, lines in writer.functions():
            scope[name] = deferred(name, lines, scope)
        return scope


def deferred(name: str, lines: list[str], scope: dict[str, Any]) -> Callable[..., Any]:
    """Make a function that Python compiles when it is first called: most objects never meet most rules.

    Two threads may both come first; then both compile the same.
    """

    def function(*arguments: Any) -> Any:
        if scope[name] is function:
            code = compile("\n".join(lines), "<rego>", "exec", dont_inherit=True)
            exec(code, scope)  # noqa: S102 - the text is the writer's own: counters, and literals through repr
        return scope[name](*arguments)

    return function


def _mockable(builtin: Builtin) -> Callable[..., Value]:
    """Make a builtin callable as rules are: with the evaluation first."""
    if builtin.contextual:
        return lambda evaluation, *arguments: builtin.call(evaluation.builtin, *arguments)
    return lambda evaluation, *arguments: builtin.call(*arguments)


SCOPE: dict[str, Any] = {
    "__builtins__": {known.__name__: known for known in (type, len, list, dict, str, int, float, bool, any)},
    "U": UNDEFINED,
    "ONCE": runtime.ONCE,
    "LOOKUP": runtime.LOOKUP,
    "COLLECTIONS": runtime.COLLECTIONS,
    "SIZED": runtime.SIZED,
    "LARGE": runtime.LARGE,
    "HUGE": runtime.HUGE,
    "KEPT": runtime.KEPT,
    "RegoSet": RegoSet,
    "BuiltinError": BuiltinError,
    "Answer": Answer,
    "equal": equal,
    "key_of": key_of,
    **{
        function.__name__: function
        for function in (
            runtime.conflict,
            runtime.constantly,
            runtime.follow,
            runtime.grown,
            runtime.index,
            runtime.items,
            runtime.laboured,
            runtime.less,
            runtime.less_equal,
            runtime.member,
            runtime.member_pair,
            runtime.mocked,
            runtime.put,
            runtime.readable,
            runtime.said,
            runtime.put_deep,
            runtime.put_element,
            runtime.template,
            runtime.turns,
            runtime.values,
            runtime.values_unordered,
            runtime.virtual,
            runtime.virtual_get,
            runtime.virtual_items,
            runtime.virtual_value,
        )
    },
}
"""All that compiled rules can name."""
