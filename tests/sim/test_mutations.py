"""Each invariant can fail: an engine or a port that is broken on purpose is found out by it."""

import pytest
from tests.sim.mutations import MUTATIONS, Mutation, found_out

from davy.sim.invariants import INVARIANTS, title


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.breaks.__name__)
def test_it_is_found_out(mutation: Mutation) -> None:
    found = found_out(mutation.breaks, range(mutation.seed, mutation.seed + 1))
    assert found is not None, "find its seed anew: python -m tests.sim.mutations"
    _, report = found
    assert report.broken is not None
    assert report.broken.invariant == mutation.invariant, report.broken


def test_every_invariant_has_something_that_breaks_it() -> None:
    assert {mutation.invariant for mutation in MUTATIONS} == {title(invariant) for invariant in INVARIANTS}
