"""Suites are run as gator runs them: the same cases pass, and the same fail for the same reason."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.policy.gatekeeper.documents import Document, constraint, expansion, manifest, template

from davy.model.loader import load_raw
from davy.policy.gatekeeper.malformed import Malformed
from davy.policy.gatekeeper.suite import EVERYTHING, is_suite, only, suite
from davy.policy.gatekeeper.verify import Outcome, verify
from davy.policy.review import Object

LIBRARY = Path(__file__).parents[2] / "cases" / "policy" / "library"
REVIEW = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
KIND = {"group": "", "version": "v1", "kind": "Pod"}
TELLS = 'package tells\nviolation[{"msg": msg}] { msg := sprintf("%v", [input.review]) }\n'
FILES: dict[str, Sequence[Document]] = {
    "always.yaml": [template()],
    "tells.yaml": [template(TELLS, "Tells")],
    "told.yaml": [constraint("Tells")],
    "strict.yaml": [template(kind="Strict", schema={"properties": {"a": {"type": "string"}}})],
    "all.yaml": [constraint()],
    "pods.yaml": [constraint(match={"kinds": [{"apiGroups": [""], "kinds": ["Pod"]}]})],
    "inventive.yaml": [constraint(match={"namespaceSelector": {"matchLabels": {"a": "b"}}})],
    "fitting.yaml": [constraint("Strict", parameters={"a": "x"})],
    "unfitting.yaml": [constraint("Strict", parameters={"a": 1})],
    "broken.yaml": [template("package always")],
    "pod.yaml": [manifest()],
    "deployment.yaml": [manifest("Deployment", "apps/v1", spec={"template": {"spec": {}}})],
    "rollout.yaml": [manifest("Rollout", "argoproj.io/v1alpha1", spec={"template": {"spec": {}}})],
    "expand.yaml": [expansion()],
    "namespace.yaml": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"a": "b"}}}
    ],
    "two.yaml": [manifest(), manifest()],
    "none.yaml": [],
    "deletion.yaml": [
        {
            **REVIEW,
            "request": {
                "operation": "DELETE",
                "oldObject": manifest(),
                "name": "web",
                "kind": KIND,
                "requestKind": KIND,
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "requestResource": {"group": "", "version": "v1", "resource": "pods"},
                "userInfo": {"username": "joe"},
                "dryRun": True,
                "uid": "u",
            },
        }
    ],
    "creation.yaml": [
        {
            **REVIEW,
            "request": {
                "operation": "CREATE",
                "object": manifest("Deployment", "apps/v1", spec={"template": {"spec": {}}}),
                "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
            },
        }
    ],
    "nothing.yaml": [{**REVIEW, "request": {"operation": "CREATE"}}],
    "undone.yaml": [{**REVIEW, "request": {"operation": "DELETE", "object": manifest()}}],
    "unheard.yaml": [{**REVIEW, "request": {"operation": "CHANGE", "object": manifest()}}],
}


def files(name: str) -> Sequence[Object]:
    if name not in FILES:
        raise Malformed("", f"{name} is not there")
    return FILES[name]


def a_test(cases: list[Document], **more: Any) -> Document:
    return {"name": "t", "template": "always.yaml", "constraint": "all.yaml", "cases": cases, **more}


def case(violations: Any = "yes", found: str = "pod.yaml", name: str = "c", **more: Any) -> Document:
    message = more.pop("message", None)
    assertion = {"violations": violations, **({"message": message} if message is not None else {})}
    return {"name": name, "object": found, "assertions": [assertion], **more}


def run(*tests: Document, chosen: str | None = None) -> list[Outcome]:
    wanted = EVERYTHING if chosen is None else only(chosen)
    return [outcome for test in suite({"tests": list(tests)}) for outcome in verify(test, files, wanted)]


def errors(*tests: Document) -> list[str]:
    return [outcome.error for outcome in run(*tests) if outcome.state == "failed" and outcome.error]


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("*/suite.yaml")), ids=lambda path: path.parent.name)
def test_the_library_is_judged_as_its_suites_say(path: Path) -> None:
    def read(name: str) -> Sequence[Object]:
        return [document.value for document in load_raw((path.parent / name).read_text(), name)]

    (found,) = read(path.name)
    assert is_suite(found)
    outcomes = [outcome for test in suite(found) for outcome in verify(test, read)]
    assert [outcome for outcome in outcomes if outcome.state != "passed"] == []
    names = {outcome.case.partition("-")[0] for outcome in outcomes}
    assert names == {"good", "bad", ""}


@pytest.mark.parametrize(
    ("violations", "message", "error"),
    [
        ("yes", None, ""),
        (True, None, ""),
        (None, None, ""),
        (1, None, ""),
        ("yes", "^n", ""),
        ("no", "zzz", ""),
        (0, "zzz", ""),
        ("no", None, "got 1 violations but want none: got messages [no]"),
        (False, None, "got 1 violations but want none: got messages [no]"),
        (2, None, "got 1 violations but want exactly 2: got messages [no]"),
        ("yes", "zzz", 'got 0 violations containing "zzz" but want at least 1: got messages [no]'),
        (1, "(?=x)", "'(?=x)' is no regular expression"),
    ],
)
def test_assertions_hold_or_say_what_they_got(violations: Any, message: str | None, error: str) -> None:
    told = errors(a_test([case(violations, message=message)]))
    assert len(told) == bool(error)
    assert all(error in each for each in told)


def test_the_inventory_and_expansion_of_a_case_are_used() -> None:
    inventive = {"constraint": "inventive.yaml"}
    assert errors(a_test([case(1, message="unable to match constraints")], **inventive)) == []
    assert errors(a_test([case(1, inventory=["namespace.yaml"], message="^no$")], **inventive)) == []
    pods = {"constraint": "pods.yaml"}
    assert errors(a_test([case("no", "deployment.yaml")], **pods)) == []
    assert (
        errors(a_test([case(1, "deployment.yaml", message="Implied by pods")], expansion="expand.yaml", **pods))
        == []
    )


def test_what_a_rollout_makes_is_judged_only_where_the_test_says_so() -> None:
    assert errors(a_test([case("no", "rollout.yaml")], constraint="pods.yaml")) == []


def test_what_a_review_will_make_is_not_asked_about() -> None:
    pods = {"constraint": "pods.yaml"}
    assert not errors(a_test([case("no", "creation.yaml")], expansion="expand.yaml", **pods))
    assert errors(a_test([case("no", "deployment.yaml")], expansion="expand.yaml", **pods))


def test_an_example_may_be_a_whole_request() -> None:
    tells = {"template": "tells.yaml", "constraint": "told.yaml"}
    assert errors(a_test([case(1, "deletion.yaml", message='"operation": "DELETE"')], **tells)) == []
    assert errors(a_test([case(1, "deletion.yaml", message='"username": "joe"')], **tells)) == []


@pytest.mark.parametrize(
    ("example", "error"),
    [
        ({"name": "c", "object": "pod.yaml"}, "assertions must be non-empty"),
        (case(found=""), "missing object"),
        (case(found="gone.yaml"), "gone.yaml is not there"),
        (case(found="two.yaml"), "two.yaml has to hold exactly one object and holds 2"),
        (case(found="none.yaml"), "holds 0"),
        (case(inventory=["gone.yaml"]), "gone.yaml is not there"),
        (case(found="nothing.yaml"), "neither an object nor an oldObject"),
        (case(found="undone.yaml"), "what is deleted has to be there"),
        (case(found="unheard.yaml"), "there is no operation 'CHANGE'"),
    ],
)
def test_an_example_that_cannot_be_run_fails(example: Document, error: str) -> None:
    (told,) = errors(a_test([example]))
    assert error in told


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"template": ""}, "missing template"),
        ({"constraint": None}, "missing constraint"),
        ({"template": "gone.yaml"}, "gone.yaml is not there"),
        ({"template": "broken.yaml"}, "invalid ConstraintTemplate: spec.targets[0].rego: "),
        ({"constraint": "fitting.yaml"}, "invalid Strict: kind: there is no template"),
        ({"constraint": "pod.yaml"}, "pod.yaml holds no constraint"),
        ({"template": "strict.yaml", "constraint": "unfitting.yaml"}, "spec.parameters.a"),
        ({"template": "strict.yaml", "constraint": "fitting.yaml", "invalid": True}, "should not fit"),
        ({"template": "broken.yaml", "invalid": True}, "invalid ConstraintTemplate"),
    ],
)
def test_a_test_that_cannot_be_run_fails(more: Document, error: str) -> None:
    (told,) = errors(a_test([case()], **more))
    assert error in told


def test_a_constraint_that_has_to_be_invalid_passes_if_it_is() -> None:
    assert run(a_test([case(7)], template="strict.yaml", constraint="unfitting.yaml", invalid=True)) == [
        Outcome("t", "", "passed")
    ]


def test_what_is_skipped_is_not_run() -> None:
    assert run(a_test([case(7)], skip=True)) == [Outcome("t", "", "skipped")]
    assert run(a_test([case(7, skip=True)])) == [Outcome("t", "c", "skipped"), Outcome("t", "", "passed")]


@pytest.mark.parametrize(
    ("chosen", "ran"),
    [
        ("one", {"one/a", "one/b"}),
        ("a", {"one/a", "two/a"}),
        ("one//a", {"one/a"}),
        ("//b", {"one/b", "two/b"}),
        ("two//", {"two/a", "two/b"}),
        ("^(one|b)$", {"one/a", "one/b", "two/b"}),
        ("nobody", set()),
    ],
)
def test_tests_and_cases_are_chosen_as_by_gator(chosen: str, ran: set[str]) -> None:
    cases = [case(name="a"), case(name="b")]
    outcomes = run(a_test(cases, name="one"), a_test(cases, name="two"), chosen=chosen)
    assert {f"{each.test}/{each.case}" for each in outcomes if each.case and each.state == "passed"} == ran


@pytest.mark.parametrize("chosen", ["a//b//c", "("])
def test_a_choice_that_is_none_is_refused(chosen: str) -> None:
    with pytest.raises(Malformed):
        only(chosen)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ({"test": []}, "test"),
        ({"tests": {}}, "tests"),
        ({"tests": [{"nme": "x"}]}, "tests[0].nme"),
        ({"tests": [{"name": 1}]}, "tests[0].name"),
        ({"tests": [{"skip": "no"}]}, "tests[0].skip"),
        ({"tests": [{"cases": [{"file": "x"}]}]}, "tests[0].cases[0].file"),
        ({"tests": [{"cases": [{"inventory": "x"}]}]}, "tests[0].cases[0].inventory"),
        (
            {"tests": [{"cases": [{"assertions": [{"violation": 1}]}]}]},
            "tests[0].cases[0].assertions[0].violation",
        ),
        (
            {"tests": [{"cases": [{"assertions": [{"violations": -1}]}]}]},
            "tests[0].cases[0].assertions[0].violations",
        ),
        (
            {"tests": [{"cases": [{"assertions": [{"violations": "3"}]}]}]},
            "tests[0].cases[0].assertions[0].violations",
        ),
    ],
)
def test_an_expectation_that_nobody_reads_is_refused(written: Document, path: str) -> None:
    with pytest.raises(Malformed) as error:
        suite(written)
    assert error.value.path == path
