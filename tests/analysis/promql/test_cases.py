"""Every answer that tests/cases/promql.yaml writes down."""

import pytest
from tests.analysis.promql.cases import Group, agree, answer, groups

GROUPS = groups()


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_the_answers_are_those_written_down(group: Group) -> None:
    engine = group.engine()
    wrong = [
        (query, at, expected, given)
        for query, at, expected in group.cases
        if not agree(expected, given := answer(engine, query, at))
    ]
    assert not wrong


@pytest.mark.parametrize("group", [group for group in GROUPS if not group.only], ids=lambda group: group.name)
def test_prometheus_2_answers_them_alike(group: Group) -> None:
    engine = group.engine(prometheus_2=True)
    wrong = [
        (query, at, answer(engine, query, at))
        for query, at, expected in group.cases
        if not agree(expected, answer(engine, query, at))
    ]
    assert not wrong


def test_there_are_enough_cases_to_mean_something() -> None:
    asked = [(group.name, query, at) for group in GROUPS for query, at, _ in group.cases]
    assert len(set(asked)) == len(asked) >= 300
