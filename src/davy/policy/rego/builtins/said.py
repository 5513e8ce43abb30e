"""What a policy says for people, and what only the caller can answer."""

from davy.policy.rego.budget import check_text
from davy.policy.rego.builtin import Builtin, BuiltinError, Context, text
from davy.policy.rego.builtins.aggregates import array
from davy.policy.rego.builtins.objects import mapping
from davy.policy.rego.builtins.sprintf import operand
from davy.policy.rego.values import UNDEFINED, RegoSet, Value, to_text


def say(context: Context, *values: Value) -> bool:
    """`print`: collect a line. Unlike other builtins it takes what is undefined too."""
    line = " ".join("<undefined>" if value is UNDEFINED else _shown(value) for value in values)
    context.budget.grow(len(line))
    context.printed.append(line)
    return True


def _shown(value: Value) -> str:
    return value if type(value) is str else to_text(value)


def trace(context: Context, note: Value) -> bool:
    """`trace`: collect a note."""
    return say(context, text(note, 1))


def template_string(parts: Value) -> str:
    """Put the parts of a template string together; a part is a text, or a set of the one value that it has."""
    made = []
    for part in array(parts, 1):
        if type(part) is not RegoSet:
            made.append(str(operand(part)))
        elif len(part) > 1:
            raise BuiltinError("a part of a template string has more than one value")
        else:
            made.append("".join(map(_shown, part)) if part else "<undefined>")
    check_text(sum(map(len, made)))
    return "".join(made)


def now_ns(context: Context) -> int:
    """The time, the same all through an evaluation."""
    return context.now_ns


def external_data(context: Context, request: Value) -> Value:
    """Ask a provider of Gatekeeper's external data, if the caller has a way to."""
    mapping(request, 1)
    if context.external_data is None:
        raise BuiltinError("external data is asked for, and there is nobody here to ask")
    return context.external_data(request)


FAMILY = (
    Builtin("print", -1, say, contextual=True),
    Builtin("trace", 1, trace, contextual=True),
    Builtin("internal.template_string", 1, template_string),
    Builtin("time.now_ns", 0, now_ns, contextual=True),
    Builtin("external_data", 1, external_data, contextual=True),
)
