"""Classic buckets made into exponential ones."""

import math

from hypothesis import given
from hypothesis import strategies as st

from davy.analysis.counted.buckets import bounds_of, counts_of, spread, widest

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
bounds = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12, unique=True).map(
    lambda found: tuple(sorted(found))
)


@st.composite
def histograms(draw: st.DrawFn) -> tuple[tuple[float, ...], tuple[int, ...], tuple[int, ...]]:
    """Bounds, counts by bucket, and what came on top of them."""
    found = draw(bounds)
    counts = st.lists(st.integers(0, 500), min_size=len(found) + 1, max_size=len(found) + 1).map(tuple)
    return found, draw(counts), draw(counts)


@given(histograms())
def test_no_request_is_lost_or_made_up(
    given: tuple[tuple[float, ...], tuple[int, ...], tuple[int, ...]],
) -> None:
    limits, counts, _ = given
    assert sum(spread(counts, limits)) == sum(counts)


@given(histograms())
def test_every_part_only_grows(given: tuple[tuple[float, ...], tuple[int, ...], tuple[int, ...]]) -> None:
    limits, counts, more = given
    after = tuple(one + other for one, other in zip(counts, more, strict=True))
    assert all(new >= old for new, old in zip(spread(after, limits), spread(counts, limits), strict=True))


@given(histograms())
def test_parts_of_one_bucket_differ_by_one_at_most(
    given: tuple[tuple[float, ...], tuple[int, ...], tuple[int, ...]],
) -> None:
    limits, counts, _ = given
    parts = list(spread(counts, limits)[1:-1])
    for count, low, high in zip(counts[1:-1], limits, limits[1:], strict=False):
        size = max(1, round(math.log(high / low) / math.log(1.1)))
        own, parts = parts[:size], parts[size:]
        assert sum(own) == count
        assert max(own) - min(own) <= 1
    assert not parts


def test_cumulative_counts_become_counts_by_bucket() -> None:
    upto = {"0.1": 3, "0.5": 7, "+Inf": 9}
    assert bounds_of(upto) == (0.1, 0.5)
    assert counts_of(upto, (0.1, 0.5)) == (3, 4, 2)


def test_other_bounds_are_not_made_to_fit() -> None:
    assert counts_of({"0.1": 3, "+Inf": 9}, (0.1, 0.5)) is None
    assert counts_of({"0.1": 3, "0.5": 7}, (0.1, 0.5)) is None
    assert bounds_of({"nonsense": 1, "-1": 2, "0": 3, "0.2": 4, "+Inf": 5}) == (0.2,)


def test_the_widest_bucket_is_told_of_those_that_matter() -> None:
    nowhere = (0,) * (len(BOUNDS) + 1)
    assert widest(nowhere, BOUNDS) == 1.0
    crowded = (0, 0, 100, 5, *(0,) * 8)
    assert widest(crowded, BOUNDS) == 0.025 / 0.01
