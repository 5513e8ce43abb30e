import pytest

from davy.analysis.alias import Witness, aliased
from davy.analysis.vantage import ALIASED

NONE = frozenset[str]()
ALL = frozenset(ALIASED)
REQUESTS, DURATIONS = ALIASED
SILENT = Witness("v1", asked_at=10.0, answered=True)
SPEAKS = Witness("v1", asked_at=10.0, answered=True, exports=frozenset({REQUESTS}))
UNHEARD = Witness("v2")
LOUD = Witness("v2", asked_at=12.0, answered=True, exports=ALL)
DEAD = Witness("v1", asked_at=10.0)


@pytest.mark.parametrize(
    ("before", "witnesses", "since", "expected"),
    [
        pytest.param(NONE, [], {}, NONE, id="nothing is known"),
        pytest.param(NONE, [SILENT], {}, NONE, id="silent, but has it counted anything yet?"),
        pytest.param(NONE, [SILENT], {"v1": 11.0}, NONE, id="asked before it answered a user"),
        pytest.param(NONE, [SILENT], {"v1": 10.0}, ALL, id="silent although it answers users"),
        pytest.param(NONE, [SPEAKS], {"v1": 5.0}, frozenset({DURATIONS}), id="each family for itself"),
        pytest.param(NONE, [SILENT, SPEAKS], {"v1": 5.0}, frozenset({DURATIONS}), id="one speaks for all"),
        pytest.param(NONE, [SILENT, Witness("v1")], {"v1": 5.0}, NONE, id="a replica was not asked yet"),
        pytest.param(NONE, [SILENT, DEAD], {"v1": 5.0}, ALL, id="a dead replica holds nothing up"),
        pytest.param(NONE, [DEAD], {"v1": 5.0}, NONE, id="nobody could be heard"),
        pytest.param(ALL, [SILENT, UNHEARD], {}, ALL, id="a new version does not end it"),
        pytest.param(ALL, [SILENT, LOUD], {"v1": 5.0}, NONE, id="a new version that speaks does"),
    ],
)
def test_when_the_proxy_stands_in(
    before: frozenset[str], witnesses: list[Witness], since: dict[str, float], expected: frozenset[str]
) -> None:
    assert aliased(ALIASED, before, witnesses, since) == expected
