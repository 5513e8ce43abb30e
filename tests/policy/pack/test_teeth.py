"""The examples would notice: every rule is broken once, and its examples go red."""

import re

import pytest
from tests.policy.pack.asking import policies, said, section_of

from davy.policy import pack

HEAD = re.compile(r"^violation\[found\] \{\n", re.MULTILINE)


@pytest.mark.parametrize("rule", pack.RULES)
def test_a_rule_that_is_switched_off_is_noticed(rule: str) -> None:
    name = section_of(rule).name
    text = pack.rego(name)
    broken = text.replace(f'davy.enforced("{rule}")', 'davy.enforced("PD999")')
    assert broken != text
    for example in pack.examples()[rule].firing:
        ruleset = policies(example.parameters, texts={name: without(broken)})
        assert rule not in {violation.rule for violation in said(example, ruleset)}


def without(text: str) -> str:
    """A text of Rego in which the rules that ask for PD999 never hold."""
    return text.replace('davy.enforced("PD999")', "false")


@pytest.mark.parametrize("section", pack.SECTIONS, ids=lambda section: section.name)
def test_every_body_of_every_rule_has_an_example_that_needs_it(section: pack.Section) -> None:
    """A rule with several bodies has several spellings of the same hole; each has to be shown."""
    text = pack.rego(section.name)
    for head in HEAD.finditer(text):
        rule = re.compile(r'davy\.enforced\("(PD\d+)"\)').search(text, head.end())
        assert rule
        broken = f"{text[: head.end()]}\tfalse\n{text[head.end() :]}"
        assert any(
            {(found.rule, found.path, found.message) for found in said(example)}
            != {
                (found.rule, found.path, found.message)
                for found in said(example, policies(example.parameters, texts={section.name: broken}))
            }
            for example in pack.examples()[rule[1]].firing
        ), text[head.start() : head.start() + 400]
