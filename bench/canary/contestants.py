"""Who takes part: the products, the tests they could use, and an oracle."""

from bench.canary import argo, flagger, kayenta, pooled, races, slowness
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
OURS: tuple[Contestant, ...] = ()


def taking_part(scenario: Scenario) -> tuple[Contestant, ...]:
    """Return those who can judge a scenario; an oracle has nothing to tell where both versions are alike."""
    if scenario.family in LATENCIES:
        return (*SLOWNESS, *OURS)
    if scenario.family is Family.KPI:
        return RACES if scenario.truth.canary != scenario.truth.stable else RACES[:-1]
    if scenario.truth.canary == scenario.truth.stable:
        return (*(each for each in PEERS if each is not races.ORACLE), *OURS)
    return (*PEERS, *OURS)
