"""What the `with` of a policy replace, found before anything is written: the rest is called directly."""

from collections.abc import Iterable, Iterator

from davy.policy.rego.lowered import Block, ForAll, Override, Step
from davy.policy.rego.safety import terms_of
from davy.policy.rego.terms import Array, Collect, Object, Ref, SetOf, Term


def overridden(blocks: Iterable[Block]) -> tuple[frozenset[str], bool]:
    """Name the functions that are mocked anywhere, and say whether all input is as JSON gave it."""
    found = [override for block in blocks for override in _in_block(block)]
    mocked = frozenset(".".join(each.target) for each in found if each.kind != "value")
    return mocked, not any(each.target[0] == "input" for each in found)


def _in_block(block: Block) -> Iterator[Override]:
    for step in block:
        yield from step.overrides
        yield from _in_step(step)


def _in_step(step: Step) -> Iterator[Override]:
    if isinstance(step, ForAll):
        yield from _in_block(step.body)
    for term in (*terms_of(step), *(given.value for given in step.overrides)):
        yield from _in_term(term)


def _in_term(term: Term) -> Iterator[Override]:
    match term:
        case Collect(body=body):
            yield from _in_block(body)
            for part in (term.value,) if term.key is None else (term.key, term.value):
                yield from _in_term(part)
        case Ref(head, operands):
            for part in (head, *operands):
                yield from _in_term(part)
        case Array(items) | SetOf(items):
            for item in items:
                yield from _in_term(item)
        case Object(pairs):
            for pair in pairs:
                for part in pair:
                    yield from _in_term(part)
        case _:
            pass
