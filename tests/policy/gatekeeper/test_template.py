"""Templates: what is accepted, what is refused with which sentence, and that a refused one refuses."""

from pathlib import Path
from typing import Any

import pytest
from tests.policy.gatekeeper.documents import ALWAYS, constraint, manifest, template

from davy.model.loader import load_raw
from davy.policy.engine import Point
from davy.policy.gatekeeper.template import template as read_template
from davy.policy.inventory import Inventory
from davy.policy.review import review_of
from davy.policy.ruleset import read

PATH = Path(__file__).parents[2] / "cases" / "policy" / "templates.yaml"
CASES = load_raw(PATH.read_text().replace("- {", "---\n{"), str(PATH))


@pytest.mark.parametrize("case", [found.value for found in CASES], ids=lambda case: case["name"])
def test_rego_is_accepted_and_refused_as_by_gatekeeper(case: dict[str, Any]) -> None:
    source = {"rego": case["rego"], "libs": case.get("libs", []), "version": case.get("version", "v0")}
    found, problems = read_template(template("", "A", code=[{"engine": "Rego", "source": source}]))
    if "refused" in case:
        assert [problem.severity for problem in problems] == ["error"]
        assert case["refused"] in problems[0].message
        assert case["refused"] in found.refusal
    else:
        assert (problems, found.refusal) == ([], "")


def set_in(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *above, last = path.split(".")
    inside: Any = document
    for step in above:
        inside = inside[int(step)] if step.isdigit() else inside[step]
    if value is None:
        del inside[last]
    else:
        inside[last] = value
    return document


TARGET = "spec.targets.0"


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("apiVersion", "templates.gatekeeper.sh/v2", "apiVersion"),
        ("metadata.name", "other", "metadata.name"),
        ("spec", [], "spec"),
        ("spec.crd", "x", "spec.crd"),
        ("spec.crd.spec.names.kind", None, "spec.crd.spec.names.kind"),
        ("spec.crd.spec.names.kind", "", "metadata.name"),
        ("spec.crd.spec.validation", {"legacySchema": "yes"}, "spec.crd.spec.validation.legacySchema"),
        (
            "spec.crd.spec.validation",
            {"openAPIV3Schema": {"type": "text"}},
            "spec.crd.spec.validation.openAPIV3Schema.type",
        ),
        ("spec.targets", [], "spec.targets"),
        ("spec.targets", [{}, {}], "spec.targets"),
        (f"{TARGET}.target", "elsewhere", "spec.targets[0].target"),
        (f"{TARGET}.regos", "x", "spec.targets[0].regos"),
        (f"{TARGET}.rego", " ", "spec.targets[0].rego"),
        (f"{TARGET}.rego", None, "spec.targets[0].rego"),
        (f"{TARGET}.libs", [1], "spec.targets[0].libs[0]"),
        (f"{TARGET}.operations", ["CHANGE"], "spec.targets[0].operations[0]"),
        (f"{TARGET}.code", [{"engine": "Lua", "source": {}}], "spec.targets[0].code[0].engine"),
        (
            f"{TARGET}.code",
            [{"engine": "Rego", "source": {"rego": ALWAYS}}] * 2,
            "spec.targets[0].code[1].engine",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_denies(path: str, value: Any, where: str) -> None:
    ruleset = read([set_in(template(), path, value), constraint()])
    assert where in [problem.path for problem in ruleset.problems if problem.severity == "error"]
    violations = ruleset.judge(review_of(manifest()), Inventory(), Point.ADMISSION)
    assert [(each.policy, each.action, each.broken) for each in violations] == [("it", "deny", True)]


def test_operations_count_at_admission_only() -> None:
    ruleset = read([template(operations=["CREATE"]), constraint()])
    review = review_of(manifest(), old=manifest())
    assert review.operation == "UPDATE"
    asked = {point: len(ruleset.judge(review, Inventory(), point)) for point in Point}
    assert asked == {Point.CHECK: 1, Point.ADMISSION: 0, Point.ENGINE: 1}
    assert not ruleset.matches(review, Inventory(), Point.ADMISSION)
    everything = read([template(operations=["CREATE", "*"]), constraint()])
    assert len(everything.judge(review, Inventory(), Point.ADMISSION)) == 1


def test_two_templates_for_one_kind_refuse_unless_they_are_the_same() -> None:
    assert read([template(), template(), constraint()]).problems == ()
    ruleset = read([template(), template(ALWAYS + "\n"), constraint()])
    assert [problem.path for problem in ruleset.problems] == ["metadata.name"]
    assert [each.broken for each in ruleset.judge(review_of(manifest()), Inventory(), Point.CHECK)] == [True]


def test_what_of_a_schema_is_not_held_to_is_said() -> None:
    schema = {"type": "object", "x-kubernetes-validations": [{"rule": "true"}]}
    _, problems = read_template(template(schema=schema))
    assert [(problem.severity, "x-kubernetes-validations" in problem.message) for problem in problems] == [
        ("warning", True)
    ]


def native(*validations: dict[str, str], **more: Any) -> dict[str, Any]:
    source = {"validations": list(validations), **more}
    rego = {"engine": "Rego", "source": {"rego": ALWAYS}}
    return template("", code=[rego, {"engine": "K8sNativeValidation", "source": source}])


def test_code_in_cel_comes_before_code_in_rego() -> None:
    few = {"expression": "object.spec.replicas <= variables.params.most", "message": "too many"}
    ruleset = read([native(few), constraint(parameters={"most": 3})])
    assert [problem.severity for problem in ruleset.problems] == ["warning"]
    told = [
        [
            (each.message, each.broken, each.rule)
            for each in ruleset.judge(review_of(found), Inventory(), Point.CHECK)
        ]
        for found in (manifest(spec={"replicas": 3}), manifest(spec={"replicas": 4}), manifest(spec={}))
    ]
    assert told[:2] == [[], [("too many", False, "Always")]]
    assert [(broken, rule) for _, broken, rule in told[2]] == [(True, "Always")]


def test_cel_that_cannot_be_compiled_refuses() -> None:
    ruleset = read([native({"expression": "object.spec."}), constraint()])
    assert [problem.severity for problem in ruleset.problems] == ["error"]
    assert ruleset.problems[0].path.startswith("spec.targets[0].code[1].source.validations[0]")
    (violation,) = ruleset.judge(review_of(manifest()), Inventory(), Point.CHECK)
    assert violation.broken


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('violation = {{"msg": "no"}}', ["no"]),
        ('violation = {{"msg": "no"}} { input.nope }', []),
        ("violation = input.review.kind", ["the rule violation has to make a set, and makes object"]),
    ],
)
def test_one_rule_may_make_the_whole_set(rule: str, said: list[str]) -> None:
    ruleset = read([template(f"package whole\n{rule}\n", "Whole"), constraint("Whole")])
    assert not ruleset.problems
    found = ruleset.judge(review_of(manifest()), Inventory(), Point.CHECK)
    assert [violation.message for violation in found] == said


def test_a_template_that_never_comes_to_an_end_refuses() -> None:
    body = "n := numbers.range(1, 10000)[_]; m := numbers.range(1, 10000)[_]; n + m < 0"
    rules = read([template(f'package always\nviolation[{{"msg": "no"}}] {{ {body} }}'), constraint()])
    (found,) = rules.judge(review_of(manifest()), Inventory(), Point.CHECK)
    assert found.broken
    assert "steps" in found.message
