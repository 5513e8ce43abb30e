"""The recorded cases: what an API server answers, and what is answered here."""

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest

from davy.policy.cel import CelError, Duration, Instant, Optional, compile
from davy.policy.cel.library.moments import string_of_timestamp
from davy.policy.cel.values import TypeName, sort_of

CASES = Path(__file__).parents[2] / "cases" / "cel"
X = {"a": 1, "s": "str", "l": [1, 2, 3], "n": None, "m": {"k": "v"}, "f": 1.5, "b": True}
NAMES = ["object", "oldObject", "params", "x", "y", "z", "variables", "namespaceObject", "request"]


def groups() -> list[Any]:
    found = []
    for file in sorted(CASES.glob("*.yaml")):
        for group in msgspec.yaml.decode(file.read_bytes()):
            found.append(pytest.param(group, id=f"{file.stem}: {group['group']}"))
    return found


def written(value: Any) -> Any:
    """Write a value as the cases do."""
    match sort_of(type(value)):
        case "null_type" | "bool" | "string":
            return value
        case "int" | "uint" as sort:
            return {sort: str(int(value))}
        case "double":
            return {"double": repr(value)}
        case "bytes":
            return {"bytes": base64.b64encode(value).decode()}
        case "list":
            return [written(part) for part in value]
        case "map":
            return {"map": sorted([[written(key), written(part)] for key, part in value.items()], key=str)}
    match value:
        case Optional():
            return {"optional": [written(value.value)] if value.present else []}
        case Instant():
            return {"timestamp": string_of_timestamp(value)}
        case Duration():
            return {"duration": str(value.ns)}
        case TypeName():
            return {"type": value.name}
        case _:
            return {"opaque": sort_of(type(value))}


def answer(expression: str, environment: Any) -> dict[str, Any]:
    try:
        program = compile(expression, NAMES, environment)
    except CelError as error:
        return {"refused": str(error).split("\n")[0].removeprefix("ERROR: <input>:")}
    try:
        return {"value": written(program.evaluate({"x": X}))}
    except CelError as error:
        return {"error": error.message}


@pytest.mark.parametrize("group", groups())
def test_answers_what_an_api_server_answers(group: dict[str, Any]) -> None:
    wrong = []
    for expression, wanted in group["cases"]:
        found = answer(expression, group["environment"])
        if found != wanted and not (set(found) == set(wanted) and "" in wanted.values()):
            wrong.append((expression, wanted, found))
    assert wrong == []
