"""The code of a template as a function: from a review and parameters to what it finds."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from davy.policy import rego
from davy.policy.gatekeeper.case import Case
from davy.policy.gatekeeper.malformed import Malformed
from davy.policy.gatekeeper.reach import check_reach
from davy.policy.rego.parser import parse_module
from davy.policy.rego.values import UNDEFINED, RegoSet, Value, to_json, type_name
from davy.policy.review import Json, Object
from davy.policy.validating.native import Native, compile_native

KEPT = 1024
"""How many compiled templates are remembered: a set that is read again is compiled once."""


LIMITS = rego.Limits(steps=2_000_000, size=16 * 1024 * 1024)
"""What a template may spend on one object: a second or two, while an API server waits."""

Version = Literal["v0", "v1"]


class Broken(Exception):
    """The code could not be evaluated; the message says why. Whoever asks refuses."""


class Result(Struct, frozen=True):
    """One violation as the code tells it; a `broken` one could not be evaluated, and says why.

    With `of_kind` the code has looked at nothing of the object but its kind, name and namespace.
    """

    message: str
    details: Mapping[str, Json] = {}
    broken: bool = False
    of_kind: bool = False


Evaluator = Callable[[Case, Json], Sequence[Result]]
"""Asks the code about a review, with the parameters of a constraint. Raises `Broken`."""


def rego_evaluator(code: str, libs: tuple[str, ...], version: Version, path: str) -> Evaluator:
    """Compile a template's Rego.

    Raises:
        Malformed: it cannot be compiled, or reaches for what it may not see.
    """
    found = _compiled(code, libs, version)
    if isinstance(found, str):
        raise Malformed(f"{path}.rego", found)
    return found


def native_evaluator(source: Object, path: str) -> Evaluator:
    """Compile a template's CEL.

    Raises:
        Malformed: it cannot be compiled.
    """
    found = _native(json.dumps(source, sort_keys=True, default=str), path)
    if isinstance(found, Malformed):
        raise Malformed(found.path, found.message, found.fix)

    def evaluate(case: Case, parameters: Json) -> Sequence[Result]:
        objections = found.judge(case.review, parameters, case.inventory)
        return [Result(objection.message, broken=objection.broken) for objection in objections]

    return evaluate


@lru_cache(KEPT)
def _native(source: str, path: str) -> Native | Malformed:
    """Compile CEL, or say what is wrong with it; the same source is compiled once."""
    try:
        return compile_native(json.loads(source), path)
    except Malformed as error:
        return error


@lru_cache(KEPT)
def _compiled(code: str, libs: tuple[str, ...], version: Version) -> Evaluator | str:
    """Compile Rego, or say what is wrong with it; the same text is compiled once."""
    modules = {"template": code, **{f"libs[{at}]": text for at, text in enumerate(libs)}}
    try:
        policy, of_kind = _reaching(modules, version)
    except rego.BadRego as error:
        return error.message
    path = (*policy.program.compiler.modules[0].package, "violation")
    document = policy.program.compiler.document(path)
    if document is None or not policy.program.compiler.may_make_set(document):
        return 'the rule violation has to be there, and to make a set: violation[{"msg": msg}] { … }'
    return _evaluator(policy.rule(".".join(path)), of_kind=of_kind)


def _reaching(modules: Mapping[str, str], version: Version) -> tuple[rego.Policy, bool]:
    """Compile modules that reach for nothing they may not see; that is told before anything else.

    Returns:
        The policy, and whether it looks at nothing of an object but what it is.

    Raises:
        BadRego: they do, or cannot be compiled.
    """
    try:
        policy = rego.compile(modules, version, limits=LIMITS)
    except rego.BadRego:
        for at, (name, text) in enumerate(modules.items()):
            check_reach(parse_module(text, name, v1=version == "v1"), library=at > 0)
        raise
    outside = [check_reach(module, library=at > 0) for at, module in enumerate(policy.program.compiler.modules)]
    return policy, all(outside)


def _evaluator(violation: rego.Prepared, *, of_kind: bool) -> Evaluator:
    def evaluate(case: Case, parameters: Json) -> Sequence[Result]:
        asked = {"review": case.document, "parameters": parameters}
        try:
            found = violation(asked, case.data, case.context)
        except rego.EvaluationError as error:
            raise Broken(error.message) from error
        if found is UNDEFINED:
            return ()
        if not isinstance(found, RegoSet):
            raise Broken(f"the rule violation has to make a set, and makes {type_name(found)}")
        return [_result(each, of_kind) for each in found.elements()]

    return evaluate


def _result(found: Value, of_kind: bool) -> Result:
    """Read what a template says of a violation.

    Raises:
        Broken: it has no message. Gatekeeper passes over such a violation; it is one nevertheless.
    """
    message = found.get("msg") if isinstance(found, dict) else None
    if not isinstance(message, str):
        raise Broken(f"the template finds a violation without a text for msg: {to_json(found)}")
    details = to_json(found.get("details", {}))
    return Result(message, details if isinstance(details, dict) else {"details": details}, of_kind=of_kind)
