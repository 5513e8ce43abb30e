"""In which order the steps of a body run: each one when every variable it needs has a value.

This is OPA's `reorderBodyForSafety`, word for word where it can be seen: arrays keep the order in which a body
finds their elements.
"""

from collections.abc import Iterator, Set
from typing import assert_never

from davy.policy.rego.errors import BadRego, Place
from davy.policy.rego.lowered import Block, ForAll, Invoke, Step, Test, Unify
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

ROOTS = frozenset({"input", "data"})


def variables(*terms: Term, keys: bool = True, heads: bool = True, sets: bool = True) -> Iterator[str]:
    """Name the variables of terms, those of comprehensions left out."""
    left = list(terms)
    while left:
        term = left.pop()
        match term:
            case Literal():
                pass
            case Var(name):
                if name not in ROOTS:
                    yield name
            case Ref(head, operands):
                if heads or not isinstance(head, Var):
                    left.append(head)
                left += operands
            case Array(items):
                left += items
            case SetOf(items):
                left += items if sets else ()
            case Object(pairs):
                for key, value in pairs:
                    left += (key, value) if keys else (value,)
            case _:
                pass


def terms_of(step: Step) -> tuple[Term, ...]:
    """List the terms of a step, those of `with` left out."""
    match step:
        case Test(term):
            return (term,)
        case Unify(left, right):
            return (left, right)
        case Invoke(_, arguments, output):
            return arguments if output is None else (*arguments, output)
        case ForAll(domain=domain):
            return (domain,)
        case _:
            assert_never(step)


def needs(step: Step) -> set[str]:
    """Name the variables of a step itself."""
    return set(variables(*terms_of(step), *(given.value for given in step.overrides)))


def closures(step: Step) -> Iterator[str]:
    """Name every variable in the bodies within a step."""
    if isinstance(step, ForAll):
        yield from everything(step.body)
    for term in (*terms_of(step), *(given.value for given in step.overrides)):
        yield from within(term)


def within(term: Term) -> Iterator[str]:
    """Name every variable in the comprehensions of a term."""
    match term:
        case Collect(_, key, value, body):
            for part in (value,) if key is None else (key, value):
                yield from variables(part)
                yield from within(part)
            yield from everything(body)
        case Ref(head, operands):
            for part in (head, *operands):
                yield from within(part)
        case Array(items) | SetOf(items):
            for item in items:
                yield from within(item)
        case Object(pairs):
            for pair in pairs:
                for part in pair:
                    yield from within(part)
        case _:
            pass


def everything(body: Block) -> Iterator[str]:
    """Name every variable of a body, however deep."""
    for step in body:
        yield from needs(step)
        yield from closures(step)
        if isinstance(step, ForAll):
            yield from variables(step.value, *((step.key,) if step.key else ()))


def outputs(step: Step, safe: Set[str]) -> set[str]:
    """Name what a step gives a value to, once what is safe has one."""
    if step.negated:
        return set()
    if step.overrides and not set(variables(*(given.value for given in step.overrides))) <= safe:
        return set()
    found = found_by(terms_of(step), safe)
    match step:
        case Unify(left, right):
            known = found | safe
            return (found | unified(known, left, right)) - safe
        case Invoke(_, arguments, output):
            if output is None:
                return found
            unknown = set(variables(*arguments, keys=False, heads=False, sets=False)) - found - safe
            if unknown:
                return set()
            return found | set(variables(output, keys=False, heads=False, sets=False))
        case Test() | ForAll():
            return found
        case _:
            assert_never(step)


def found_by(terms: tuple[Term, ...], safe: Set[str]) -> set[str]:
    """Name what is found by going through a collection: the unknown in the brackets of a reference."""
    found: set[str] = set()
    for term in terms:
        match term:
            case Literal() | Var():
                pass
            case Ref(head, operands):
                if isinstance(head, Var):
                    if head.name not in ROOTS and head.name not in safe:
                        continue
                else:
                    found |= found_by((head,), safe)
                found |= set(variables(*operands, heads=False))
                found |= found_by(operands, safe)
            case Array(items) | SetOf(items):
                found |= found_by(items, safe)
            case Object(pairs):
                for pair in pairs:
                    found |= found_by(pair, safe)
            case _:
                pass
    return found


def unified(safe: Set[str], left: Term, right: Term) -> set[str]:
    """Name what an equation gives a value to."""
    known = set(safe)
    while True:
        before = len(known)
        _unify(known, left, right)
        if len(known) == before:
            return known - safe


def _unify(known: set[str], left: Term, right: Term) -> None:
    if isinstance(left, Array) and isinstance(right, Array):
        if len(left.items) == len(right.items):
            for pair in zip(left.items, right.items, strict=True):
                _unify(known, *pair)
    elif isinstance(left, Object) and isinstance(right, Object):
        there = {bare(key): value for key, value in right.pairs}
        if there.keys() == {bare(key) for key, _ in left.pairs}:
            for key, value in left.pairs:
                _unify(known, value, there[bare(key)])
    else:
        if _known(known, left):
            _bind(known, right)
        if _known(known, right):
            _bind(known, left)


def bare(term: Term) -> object:
    """Return what a key is, without its place: two are the same where they are written alike."""
    match term:
        case Literal(value):
            return (type(value).__name__, value)
        case Var(name):
            return ("var", name)
        case Array(items) | SetOf(items):
            return (type(term).__name__, tuple(map(bare, items)))
        case Object(pairs):
            return ("object", tuple((bare(key), bare(value)) for key, value in pairs))
        case _:
            return ("other", id(term))


def _known(known: Set[str], term: Term) -> bool:
    """Whether a term has a value: a reference does once its head has one."""
    match term:
        case Ref(head, _):
            return (head.name in ROOTS or head.name in known) if isinstance(head, Var) else _known(known, head)
        case Array(items) | SetOf(items):
            return all(_known(known, item) for item in items)
        case Object(pairs):
            return all(_known(known, part) for pair in pairs for part in pair)
        case Var(name):
            return name in known
        case _:
            return True


def _bind(known: set[str], term: Term) -> None:
    """Count what a pattern binds as known."""
    match term:
        case Var(name):
            known.add(name)
        case Array(items):
            for item in items:
                _bind(known, item)
        case Object(pairs):
            for _, value in pairs:
                _bind(known, value)
        case _:
            pass


def ordered(body: Block, bound: Set[str]) -> Block:
    """Put the steps of a body in the order in which they run.

    Raises:
        BadRego: a variable gets a value nowhere.
    """
    needed = [needs(step) for step in body]
    own = set().union(*needed)
    safe = set(bound)
    unsafe = [names - safe for names in needed]
    inner = [set(closures(step)) & own - bound for step in body]
    order: list[Step] = []
    left = list(range(len(body)))
    while True:
        before = len(order)
        for at in list(left):
            step = body[at]
            found = outputs(step, safe)
            missing = inner[at] - safe
            if missing:
                if missing == found:
                    continue
                unsafe[at] |= missing
            unsafe[at] -= found | safe
            if not unsafe[at]:
                left.remove(at)
                order.append(step)
                safe |= found
        if len(order) == before:
            break
    if left:
        raise unsafe_error([(body[at], sorted(unsafe[at] or inner[at] - safe)) for at in left])
    return tuple(order)


def written(name: str) -> str:
    """Return a name as it was written; a `_` and what nobody wrote are `_`."""
    return name.partition("#")[0] if not name.startswith("$") else "_"


def unsafe_error(found: list[tuple[Step, list[str]]]) -> BadRego:
    """Say which variables get a value nowhere, those first that somebody wrote."""
    told: list[tuple[str, Place]] = []
    for step, names in found:
        told += [(written(name), step.place) for name in names if written(name)]
    told = told or [("_", found[0][0].place)]
    errors = [
        BadRego("rego_unsafe_var_error", f"var {name} is unsafe", place) for name, place in sorted(set(told))
    ]
    errors[0].others = tuple(errors[1:])
    return errors[0]
