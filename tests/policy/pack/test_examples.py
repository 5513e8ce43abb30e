"""Every rule fires on what it is for, and on nothing that comes near."""

import pytest
from tests.policy.pack.asking import CASES, FIRING, said

from davy.policy import pack
from davy.policy.pack.example import steps

named = [f"{rule}: {example.note}" for rule, example in CASES]


@pytest.mark.parametrize(("rule", "example"), CASES, ids=named)
def test_an_example_meets_the_rules_it_names_and_no_other(rule: str, example: pack.Example) -> None:
    found = said(example)
    assert not [violation.message for violation in found if violation.broken]
    assert {violation.rule for violation in found} == example.fires


@pytest.mark.parametrize(("rule", "example"), FIRING, ids=[f"{rule}: {found.note}" for rule, found in FIRING])
def test_a_violation_points_to_a_field_that_is_there(rule: str, example: pack.Example) -> None:
    paths = {violation.path for violation in said(example) if violation.rule == rule}
    assert example.path in paths
    for path in paths:
        found = example.review.subject
        for step in steps(path):
            found = found[step]  # type: ignore[index]


@pytest.mark.parametrize(("rule", "example"), FIRING, ids=[f"{rule}: {found.note}" for rule, found in FIRING])
def test_a_message_is_one_sentence_that_begins_with_its_rule(rule: str, example: pack.Example) -> None:
    for violation in said(example):
        assert violation.message.startswith(f"{violation.rule}: ")
        assert not violation.message.endswith(".")
        assert "%!" not in violation.message  # an argument too many or too few
        assert "\n" not in violation.message


def test_every_rule_has_both_sorts_of_examples() -> None:
    assert set(pack.examples()) == set(pack.RULES)
    for rule, examples in pack.examples().items():
        assert examples.firing, rule
        assert examples.passing, rule
        assert all(rule in example.fires for example in examples.firing)
        assert not any(example.fires for example in examples.passing)
