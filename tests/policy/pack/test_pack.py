"""The pack as a whole: its profiles, its tables, and that they say the same as its Rego."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.policy.pack.asking import policies, section_of

from davy.model.loader import load_raw
from davy.policy import pack
from davy.policy.engine import Point, Violation
from davy.policy.inventory import Inventory
from davy.policy.review import Object, review_of
from davy.policy.ruleset import read

ROOT = Path(__file__).parents[3]
PARAMETER = re.compile(r'davy\.parameter\("(\w+)", ([^\n]*?)\)(?=[\[\s,)]|$)|parameter\("(\w+)", ')


def documents(*paths: Path) -> list[Object]:
    return [found.value for path in paths for found in load_raw(path.read_text(), str(path))]


def judged(objects: list[Object], profile: pack.Profile, namespace: str) -> list[Violation]:
    """What a profile has against manifests, as CI asks."""
    ruleset = read(pack.objects(profile))
    reviews = [review_of(found, namespace=namespace) for found in objects]
    inventory = Inventory([review.subject for review in reviews])
    return [found for review in reviews for found in ruleset.judge(review, inventory, Point.CHECK)]


@pytest.mark.parametrize("profile", pack.PROFILES)
def test_a_profile_can_be_read_and_has_nothing_wrong_with_it(profile: pack.Profile) -> None:
    ruleset = read(pack.objects(profile))
    assert ruleset.problems == ()


@pytest.mark.parametrize("profile", pack.PROFILES)
def test_a_profile_is_at_most_two_constraints_of_each_template(profile: pack.Profile) -> None:
    made = pack.objects(profile)
    templates = [found for found in made if found["kind"] == "ConstraintTemplate"]
    constraints = [found for found in made if found["kind"] != "ConstraintTemplate"]
    assert [found["spec"]["crd"]["spec"]["names"]["kind"] for found in templates] == [
        section.kind for section in pack.SECTIONS
    ]
    seen = [(found["kind"], found["spec"]["enforcementAction"]) for found in constraints]
    assert len(seen) == len(set(seen))
    assert {action for _, action in seen} <= {"deny", "warn"}
    wanted = {rule for found in constraints for rule in found["spec"]["parameters"]["rules"]}
    assert wanted == {rule.id for rule in pack.RULES.values() if rule.severity[profile] != "off"}


def test_profiles_only_get_stricter() -> None:
    order = ("off", "warn", "deny")
    for rule in pack.RULES.values():
        severities = [order.index(rule.severity[profile]) for profile in pack.PROFILES]
        assert severities == sorted(severities), rule.id
        assert rule.severity["starter"] != "deny", rule.id
        assert rule.severity["strict"] == "deny", rule.id


def test_every_parameter_is_in_the_schema_of_its_template() -> None:
    for section, made in zip(pack.SECTIONS, pack.objects("strict"), strict=False):
        properties = made["spec"]["crd"]["spec"]["validation"]["openAPIV3Schema"]["properties"]
        assert set(properties) == {"rules", *(parameter.name for parameter in section.parameters)}
        assert properties["rules"]["items"]["enum"] == [rule.id for rule in section.rules]


def test_defaults_are_the_same_in_the_tables_and_in_the_rego() -> None:
    for section in pack.SECTIONS:
        text = pack.rego(section.name) + pack.library()
        own = {parameter.name: parameter.default for parameter in section.parameters}
        used = dict(defaults(text))
        assert used == own, section.name


def defaults(text: str) -> Iterator[tuple[str, object]]:
    """Every `parameter("name", DEFAULT)` in a text of Rego."""
    for call in re.finditer(r'parameter\("(\w+)", ', text):
        value, _ = json.JSONDecoder().raw_decode(re.sub(r",\s*\]", "]", text[call.end() :]))
        yield call[1], value


def test_every_rule_says_what_why_and_how_in_a_sentence_each() -> None:
    for rule in pack.RULES.values():
        assert re.fullmatch(r"PD0\d\d", rule.id)
        for text in (rule.title, rule.why, rule.fix):
            assert text, rule.id
            assert text == text.strip().rstrip(".")
        assert len(rule.title) <= 50, rule.id
        assert section_of(rule.id).kind == rule.section


def test_the_examples_of_the_repository_are_quiet() -> None:
    """They are in no production namespace, and have teeth."""
    for name in ("payments", "catalog"):
        found = documents(*sorted((ROOT / "examples" / name).glob("*.yaml")))
        assert judged(found, "starter", "default") == []


def test_the_payments_of_the_seed_are_told_what_they_lack_in_production() -> None:
    """Steps, pauses and analyses are sound; what is missing is the promise, the runbook and the abort."""
    found = documents(*sorted((ROOT / "examples" / "payments").glob("*.yaml")))
    denied = {violation.rule for violation in judged(found, "standard", "prod") if violation.action == "deny"}
    assert denied == {"PD038", "PD048", "PD049"}


def test_a_constraint_that_names_no_rules_enforces_all_of_them() -> None:
    assert {
        violation.rule
        for violation in policies({}).judge(
            review_of(
                {
                    "apiVersion": "argoproj.io/v1alpha1",
                    "kind": "Rollout",
                    "metadata": {"name": "x", "namespace": "prod"},
                }
            ),
            Inventory(),
            Point.CHECK,
        )
    } == {"PD020", "PD038", "PD048", "PD049"}


def test_trusted_users_are_exact_names() -> None:
    """A star is a character of a name like any other."""
    example = pack.examples()["PD044"].firing[0]
    ruleset = policies({"trustedUsers": ["alice*", "*", "system:serviceaccount:argocd:*"]})
    found = ruleset.judge(example.review, Inventory(), Point.ADMISSION)
    assert "PD044" in {violation.rule for violation in found}


@pytest.mark.parametrize("junk", [None, [], "text", 7, {"a": None}, [None], True])
def test_no_shape_of_an_object_breaks_a_rule(junk: object) -> None:
    """What is of another type is as if it were not there, and no rule ends in an error."""
    for kind in ("Rollout", "AnalysisTemplate", "AnalysisRun"):
        for field in ("spec", "status"):
            made = {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": kind,
                "metadata": {
                    "name": "x",
                    "namespace": "prod",
                    "annotations": junk,
                    "labels": junk,
                    "ownerReferences": junk,
                },
                field: junk,
            }
            for inner in ("strategy", "metrics", "template", "workloadRef", "replicas"):
                for found in (
                    made,
                    {**made, "spec": {inner: junk}},
                    {**made, "spec": {"strategy": {"canary": junk}}},
                    {**made, "spec": {"strategy": {"canary": {"steps": [junk], "analysis": junk}}}},
                ):
                    review = review_of(found, old=made)
                    said = policies({}).judge(review, Inventory(), Point.ADMISSION)
                    assert not [violation.message for violation in said if violation.broken]
