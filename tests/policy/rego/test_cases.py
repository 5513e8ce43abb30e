"""Answers that a real OPA gave: tests/cases/rego, recorded by asking OPA 1.22."""

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from davy.policy.rego import BadRego, EvaluationError, compile

CASES = Path(__file__).parents[2] / "cases" / "rego"
LIBRARY = {
    "v0": 'package lib.u\nx = 1\nf(a) = a + 1\ns["q"]\n',
    "v1": 'package lib.u\nx := 1\nf(a) := a + 1\ns contains "q"\n',
}


def recorded() -> list[Any]:
    found = []
    for path in sorted(CASES.glob("*.yaml")):
        document = YAML(typ="safe").load(path)
        given = json.loads(document["input"]), json.loads(document["data"])
        found += [
            pytest.param(case, *given, id=f"{path.stem}-{at}")
            for at, case in enumerate(document["cases"], start=1)
        ]
    return found


RECORDED = recorded()


@pytest.mark.parametrize(("case", "given", "data"), RECORDED)
def test_the_answer_is_that_of_opa(case: dict[str, str], given: Any, data: Any) -> None:
    version = "v0" if case.get("version") == "v0" else "v1"
    text = case["rego"] if case["rego"].startswith("package a\n") else f"package a\n{case['rego']}"
    modules = {"m.rego": text, "lib.rego": LIBRARY[version]}
    if "error" in case:
        with pytest.raises((BadRego, EvaluationError)):
            compile(modules, version).query("data.a", given, data)  # type: ignore[arg-type]
        return
    answer = compile(modules, version).query("data.a", given, data)  # type: ignore[arg-type]
    answer.pop("lib", None)
    assert json.loads(json.dumps(answer)) == json.loads(case["want"])
    assert json.dumps(answer, sort_keys=True) == json.dumps(json.loads(case["want"]), sort_keys=True)


def test_there_are_cases_of_every_sort() -> None:
    assert len(RECORDED) > 500
