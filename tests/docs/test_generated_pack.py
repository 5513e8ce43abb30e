"""The pages about the rule pack are what its tables say, and every hole names what shows that it is closed."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.docs import generated_pack

from davy.policy import pack

TESTS = Path(__file__).parents[1]
HOLES = [hole for section in generated_pack.sections() for hole in section["holes"]]


def test_the_page_on_the_pack_is_what_the_tables_say() -> None:
    assert generated_pack.PACK.read_text() == generated_pack.policy_pack(), "run ./dev docs"


def test_the_page_on_holes_is_what_the_table_says() -> None:
    assert generated_pack.HOLES.read_text() == generated_pack.holes(), "run ./dev docs"


def test_the_page_on_flags_has_the_holes_of_flags() -> None:
    page = generated_pack.FLAGS.read_text()
    assert page == generated_pack.holes_of_flags(page), "run ./dev docs"


@pytest.mark.parametrize("hole", HOLES, ids=[hole["how"] for hole in HOLES])
def test_a_hole_is_closed_by_an_example_or_a_test_or_is_said_to_be_open(hole: dict[str, Any]) -> None:
    match hole:
        case {"how": _, "rule": rule, "example": example, **more}:
            assert example in {found.note for found in pack.examples()[rule].firing}
        case {"how": _, "davy": _, "test": test, **more}:
            path, _, name = test.partition("::")
            assert re.search(rf"^def {name}\(", (TESTS / path).read_text(), re.MULTILINE)
        case {"how": _, "davy": _, "open": True, **more}:
            pass
        case _:
            pytest.fail("it is neither closed nor open")
    assert not more


def test_every_rule_closes_a_hole() -> None:
    assert {hole["rule"] for hole in HOLES if "rule" in hole} == set(pack.RULES)
