"""Cells are whole numbers with one spelling; their digest depends on nothing else."""

import gc
from fractions import Fraction
from hashlib import sha256
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from davy.reports import columns, figures, recompute
from davy.reports.cells import WEEK, Cell, Spread, digest, spread, week_of

MONDAY = 1772409600_000000  # 2026-03-02


@given(st.lists(st.integers(0, 10**12), min_size=1))
def test_a_percentile_is_the_value_at_its_rank(values: list[int]) -> None:
    found = spread(values)
    assert (found.n, found.sum) == (len(values), sum(values))
    ranks = [ceil(Fraction(percent, 100) * len(values)) for percent in (50, 75, 90, 95)]
    assert list(found[2:]) == [sorted(values)[rank - 1] for rank in ranks]


def test_the_database_has_the_same_percentiles_at_every_size() -> None:
    connection = columns.connect(threads=1)
    connection.execute("CREATE TABLE services (id BIGINT, name VARCHAR)")
    figures.prepare(connection)
    found = connection.execute("""
        SELECT size, spread_of(span) FROM range(601) AS sizes(size), range(600) AS spans(span)
        WHERE span < size GROUP BY size
    """).fetchall()
    assert len(found) == 600
    for size, text in found:
        assert json.decode(text, type=Spread) == spread(range(size))
    none = connection.execute("SELECT spread_of(span) FROM (SELECT NULL::BIGINT AS span)").fetchall()[0][0]
    assert json.decode(none, type=Spread) == Spread()


def test_of_nothing_there_is_no_percentile() -> None:
    assert spread([]) == Spread(0, 0, 0, 0, 0, 0)


def test_a_week_begins_on_monday_at_midnight() -> None:
    assert week_of(MONDAY - 1) == MONDAY - WEEK
    assert week_of(MONDAY) == week_of(MONDAY + WEEK - 1) == MONDAY
    assert week_of(0) == -3 * WEEK // 7


def test_a_digest_depends_on_neither_order_nor_cells_without_numbers() -> None:
    some, other = Cell("a", MONDAY, attempts=1), Cell("é", MONDAY, lead_time=spread([1, 2]))
    assert digest([some, other]) == digest([other, Cell("b", 0), some])
    assert digest([some]) != digest([some._replace(attempts=2)]) != digest([])


def test_a_digest_is_of_lines_of_json() -> None:
    numbers = "1" + ",0" * 20 + ",[0,0,0,0,0,0]" * 7 + ",0,0"
    line = f'["a",1772409600000000,{numbers}]\n'
    assert digest([Cell("a", MONDAY, attempts=1)]) == sha256(line.encode()).hexdigest()


@pytest.mark.parametrize("collects", [True, False])
def test_counting_leaves_the_collector_as_it_was(collects: bool) -> None:
    was_enabled = gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        recompute.cells([])
        assert gc.isenabled() is collects
    finally:
        (gc.enable if was_enabled else gc.disable)()
