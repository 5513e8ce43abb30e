"""Who takes part: the products, the tests they could use, and an oracle."""

from bench.canary import argo, flagger, kayenta, ours, pooled, races, slowness
from bench.canary.judge import Contestant
from bench.canary.scenarios import LATENCIES, Family, Scenario

PEERS = (
    argo.INLINE,
    argo.BACKGROUND,
    argo.TWICE,
    flagger.FLAGGER,
    kayenta.KAYENTA,
    pooled.REPEATED_Z,
    pooled.GROWTHBOOK,
    pooled.MSPRT,
    races.LINDON_MALEK,
    races.RACE,
    races.RACE_PHI,
    races.ORACLE,
)
SLOWNESS = (slowness.PERCENTILE, slowness.BESIDE_STABLE, slowness.KAYENTA_P95, slowness.BANDS)
RACES = (races.RACE, races.RACE_PHI, races.ORACLE)
OURS = (ours.DAVY,)


WORSE_THROUGHOUT = (
    Family.REGRESSION,
    Family.UNDER_DRIFT,
    Family.CLUSTERED,
    Family.LITTLE,
    Family.TRIVIAL,
    Family.BROKEN,
)
"""Where the canary is as many times worse from the first request to the last: what the oracle knows is true."""


def taking_part(scenario: Scenario) -> tuple[Contestant, ...]:
    """Return those who can judge a scenario."""
    if scenario.family in LATENCIES:
        return (*SLOWNESS, *OURS)
    if scenario.family is Family.KPI:
        alike = scenario.truth.canary == scenario.truth.stable
        return (*(RACES[:-1] if alike else RACES), *OURS)
    known = scenario.family in WORSE_THROUGHOUT
    return (*(each for each in PEERS if known or each is not races.ORACLE), *OURS)
