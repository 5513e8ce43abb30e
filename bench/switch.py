"""Blue/green: how long after the decision users still meet the old side, and how many requests it costs."""

from time import monotonic

from bench.figure import Figure, percentile
from bench.payments import place
from bench.traffic import KEY, more, settled, steer, wanted
from davy.adapters.load import Exchange, Load
from davy.testing.patience import until

SWITCHES = 100
RATE_HZ = 300.0


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
    told = [1000 * (end - began) for began, end in zip(decided, acknowledged, strict=True)]
    late = [_late(exchanges, decided, turn) for turn in range(SWITCHES)]
    after = _after(exchanges, decided, acknowledged)
    return [
        Figure(f"failed over {SWITCHES} switches", _failed(exchanges), "requests", len(exchanges), 0),
        Figure("decision → last request for the old side, p99", percentile(late, 99), "ms", SWITCHES, 50.0),
        Figure("decision → switch acknowledged by Envoy, p50", percentile(told, 50), "ms", SWITCHES),
        Figure("the same, p99", percentile(told, 99), "ms", SWITCHES, 50.0),
        Figure("sent after that, answered by the old side", _strangers(after), "requests", len(after), 0),
    ]


def _late(exchanges: list[Exchange], decided: list[float], turn: int) -> float:
    """Say how long after a decision the last request was sent that the old side answered, in milliseconds."""
    begin, end = decided[turn], [*decided[1:], float("inf")][turn]
    old = [each.sent_s for each in exchanges if begin <= each.sent_s < end and each.version == _side(turn)]
    return 1000 * (max(old, default=begin) - begin)


def _after(
    exchanges: list[Exchange], decided: list[float], acknowledged: list[float]
) -> list[tuple[Exchange, str]]:
    """Find the requests between an acknowledgement and the next decision, each with the old side."""
    spans = zip(acknowledged, [*decided[1:], float("inf")], strict=True)
    return [
        (each, _side(turn))
        for turn, (begin, end) in enumerate(spans)
        for each in exchanges
        if begin < each.sent_s < end
    ]


def _side(turn: int) -> str:
    """Name the side that a switch leaves."""
    return ("stable", "canary")[turn % 2]


def _strangers(after: list[tuple[Exchange, str]]) -> int:
    return sum(each.version == old for each, old in after)


def _failed(exchanges: list[Exchange]) -> int:
    return sum(each.status != 200 for each in exchanges)
