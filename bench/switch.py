"""Blue/green: how long after the decision users still meet the old side, and how many requests it costs."""

from time import monotonic
from typing import NamedTuple

from bench.figure import Figure, percentile
from bench.payments import place
from bench.traffic import KEY, more, settled, steer, wanted
from davy.adapters.load import Exchange, Load
from davy.testing.patience import until

SWITCHES = 100
RATE_HZ = 300.0


class Switch(NamedTuple):
    """One switch: the side that everybody left, when, and when the next one was decided.

    A request that was under way at the next one may have met either side, so only answers from before count.
    """

    left: str
    decided_s: float
    acknowledged_s: float
    until_s: float

    def last_s(self, exchanges: list[Exchange]) -> float:
        """Say when the last request was sent that the old side answered."""
        met = [each for each in exchanges if self.decided_s <= each.sent_s and each.received_s < self.until_s]
        return max((each.sent_s for each in met if each.version == self.left), default=self.decided_s)

    def after(self, exchanges: list[Exchange]) -> list[Exchange]:
        """Find the requests that were sent once the switch was acknowledged."""
        sent = (each for each in exchanges if each.sent_s > self.acknowledged_s)
        return [each for each in sent if each.received_s < self.until_s]


def measure() -> list[Figure]:
    """Switch everybody to the other side and back under load, and look at each request."""
    with place() as here:
        steer(here, canary=2, share=0)
        settled(here, canary=2)
        port = here.platform.look(KEY).port
        assert port is not None
        load = Load(port, rate_hz=RATE_HZ).start()
        until(load.exchanges)
        sides = [wanted(here, canary=2, share=share) for share in (100, 0)]
        decided, acknowledged = [], []
        for turn in range(SWITCHES):
            decided.append(monotonic())
            here.platform.steer(KEY, sides[turn % 2])
            acknowledged.append(monotonic())
            more(load)
        exchanges = load.stop()
    switches = [
        Switch(("stable", "canary")[turn % 2], began, end, until_s)
        for turn, (began, end, until_s) in enumerate(
            zip(decided, acknowledged, [*decided[1:], float("inf")], strict=True)
        )
    ]
    told = [1000 * (each.acknowledged_s - each.decided_s) for each in switches]
    late = [1000 * (each.last_s(exchanges) - each.decided_s) for each in switches]
    after = [(sent, each.left) for each in switches for sent in each.after(exchanges)]
    failed = sum(each.status != 200 for each in exchanges)
    strangers = sum(sent.version == left for sent, left in after)
    return [
        Figure(f"failed over {SWITCHES} switches", failed, "requests", len(exchanges), 0),
        Figure("decision → last request for the old side, p99", percentile(late, 99), "ms", SWITCHES, 50.0),
        Figure("decision → switch acknowledged by Envoy, p50", percentile(told, 50), "ms", SWITCHES),
        Figure("the same, p99", percentile(told, 99), "ms", SWITCHES, 50.0),
        Figure("sent after that, answered by the old side", strangers, "requests", len(after), 0),
    ]
