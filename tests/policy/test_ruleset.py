"""A ruleset is one policy made of many: the same question has one answer, told once and in one order."""

import threading
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.policy.gatekeeper.documents import constraint, manifest, template

from davy.policy.engine import Point, Violation
from davy.policy.inventory import Inventory
from davy.policy.review import Review, review_of
from davy.policy.ruleset import Ruleset, canonical, collapsed, digest_of, read

VIOLATIONS = st.lists(
    st.builds(
        Violation,
        policy=st.sampled_from("ab"),
        rule=st.sampled_from("rs"),
        message=st.sampled_from("xy"),
        action=st.sampled_from(["deny", "warn"]),
        details=st.sampled_from([{}, {"a": 1}]),
        source=st.sampled_from("KL"),
    ),
    max_size=6,
)


@given(VIOLATIONS, st.randoms())
def test_what_is_said_twice_is_told_once_in_whatever_order_it_came(found: list[Violation], chance: Any) -> None:
    shuffled = [*found, *found]
    chance.shuffle(shuffled)
    told = collapsed(shuffled)
    assert told == collapsed(found) == collapsed(told)
    assert [each in told for each in found] == [True] * len(found)
    assert len(told) <= len(found)
    assert [(each.source, each.policy) for each in told] == sorted((each.source, each.policy) for each in told)


class Rude:
    """A policy of another dialect that cannot say what it is about."""

    name = "rude"

    def judge(self, review: Review, inventory: Inventory, point: Point) -> list[Violation]:
        return [Violation("rude", "rude", f"no {review.name}")]


def test_policies_of_any_dialect_are_asked() -> None:
    ruleset = Ruleset(policies=(Rude(),), digest=digest_of([]))
    review = review_of(manifest())
    assert [each.sentence for each in ruleset.judge(review, Inventory(), Point.CHECK)] == ["[rude] no web"]
    assert ruleset.matches(review, Inventory(), Point.CHECK)
    assert ruleset.name == f"ruleset {ruleset.digest[:12]}"


def test_a_ruleset_says_which_objects_it_is_about() -> None:
    ruleset = read([template(), constraint(match={"name": "web"})])
    asked = [
        ruleset.matches(review_of(manifest(name=name)), Inventory(), Point.CHECK) for name in ("web", "db")
    ]
    assert asked == [True, False]
    alone = ruleset.policies[0]
    assert alone.name == "it"
    assert [each.message for each in alone.judge(review_of(manifest()), Inventory(), Point.CHECK)] == ["no"]


def test_what_is_no_policy_is_left_alone() -> None:
    ruleset = read([manifest(), {"kind": "x"}, {"apiVersion": "test.gatekeeper.sh/v1alpha1", "kind": "Suite"}])
    assert (ruleset.policies, ruleset.problems) == ((), ())


def test_what_of_gatekeeper_is_not_read_is_told() -> None:
    mutation = {"apiVersion": "mutations.gatekeeper.sh/v1", "kind": "Assign", "metadata": {"name": "a"}}
    (problem,) = read([mutation]).problems
    assert (problem.severity, problem.subject) == ("warning", mutation)
    assert "mutations.gatekeeper.sh Assign" in problem.message


def test_equal_documents_have_one_spelling_and_one_digest() -> None:
    assert canonical({"b": 1, "a": [None, "é"]}) == '{"a":[null,"é"],"b":1}'
    one, other = template(), constraint()
    assert digest_of([one, other]) == digest_of([other, one, one]) != digest_of([one])
    assert read([one, other, manifest()]).digest == read([other, one]).digest


def test_threads_may_share_a_ruleset() -> None:
    rego = """package counts
    violation[{"msg": msg}] {
      found := [name | name := input.review.object.spec.containers[_].name]
      msg := concat(",", found)
    }"""
    ruleset = read([template(rego, "Counts"), constraint("Counts")])
    told: list[bool] = []

    def ask(number: int) -> None:
        for at in range(30):
            names = [f"{number}-{at}-{each}" for each in range(5)]
            pod = manifest(spec={"containers": [{"name": name} for name in names]})
            (violation,) = ruleset.judge(review_of(pod), Inventory(), Point.CHECK)
            told.append(violation.message == ",".join(names))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [True] * 120


FEW = "object.spec.replicas <= 3"
ADMISSION = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "few"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]},
            ]
        },
        "validations": [{"expression": f"!has(object.spec.replicas) || {FEW}", "message": "too many"}],
    },
}
BINDING = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "few"},
    "spec": {"policyName": "few", "validationActions": ["Deny"]},
}
PINNED = {
    "apiVersion": "policies.kyverno.io/v1alpha1",
    "kind": "ValidatingPolicy",
    "metadata": {"name": "pinned"},
    "spec": {
        "autogen": {"podControllers": {"controllers": ["rollouts"]}},
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
            ]
        },
        "validations": [
            {"expression": "object.spec.containers.all(c, c.image.contains('@'))", "message": "not pinned"}
        ],
    },
}
POD = {"spec": {"containers": [{"name": "c", "image": "a:1"}]}}


def test_policies_in_cel_are_part_of_it() -> None:
    ruleset = read([template(), constraint(), BINDING, ADMISSION])
    assert ruleset.problems == ()
    assert ruleset.policies[0].name == "it"
    found = manifest("Deployment", "apps/v1", spec={"replicas": 4})
    told = ruleset.judge(review_of(found), Inventory(), Point.CHECK)
    assert [(each.source, each.message) for each in told] == [
        ("Always", "no"),
        ("ValidatingAdmissionPolicy", "too many"),
    ]
    assert ruleset.digest != read([template(), constraint()]).digest


def test_what_a_rollout_makes_is_judged_once_by_policies_that_expand_it_themselves() -> None:
    ruleset = read([PINNED])
    assert ruleset.problems == ()
    rollout = manifest("Rollout", "argoproj.io/v1alpha1", spec={"template": POD})
    told = ruleset.judge(review_of(rollout), Inventory(), Point.CHECK)
    assert [each.message for each in told] == ["not pinned"]
