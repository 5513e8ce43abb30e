"""Requests that fail although no version is bad: while weights move, and replicas come and go."""

from collections import Counter

from bench.figure import Figure
from bench.payments import Place, place, rollout, version
from davy.adapters.load import Load
from davy.rollout.platform import Desired, ReplicaSet
from davy.testing.patience import until

CHANGES = 100
SHARES = (0, 5, 25, 50, 100)
RATE_HZ = 300.0
BETWEEN = 10
"""Answers that are waited for after each change, so that every split is met by somebody."""

KEY = rollout().key
STABLE, CANARY = "stable", "canary"


def measure() -> list[Figure]:
    """Move the weights, add replicas, drain them; count what users got."""
    with place() as here:
        steer(here, canary=2, share=0)
        settled(here, canary=2)
        port = here.platform.look(KEY).port
        assert port is not None
        load = Load(port, rate_hz=RATE_HZ).start()
        until(load.exchanges)
        for turn in range(CHANGES):
            steer(here, canary=2, share=SHARES[turn % len(SHARES)])
            more(load)
        for canary in (4, 1):
            steer(here, canary=canary, share=50)
            settled(here, canary=canary)
            more(load)
        exchanges = load.stop()
    statuses = Counter(each.status for each in exchanges)
    name = f"failed over {CHANGES} changes of weight, a scale-up, a drain"
    return [Figure(name, len(exchanges) - statuses[200], "requests", len(exchanges), 0)]


def steer(here: Place, *, canary: int, share: int) -> None:
    """Tell the platform; returns once Envoy has acknowledged the split."""
    here.platform.steer(KEY, wanted(here, canary=canary, share=share))


def wanted(here: Place, *, canary: int, share: int) -> Desired:
    """Write down what the platform is to do."""
    sets = tuple(
        ReplicaSet(
            hash_, number, found.spec.template, here.platform.resolve(KEY, found.spec.template), replicas
        )
        for number, (hash_, tag, replicas) in enumerate(((STABLE, "1.4.1", 2), (CANARY, "1.4.3", canary)), 1)
        for found in (version(rollout(), tag),)
    )
    return Desired(sets, {STABLE: 100 - share, CANARY: share})


def settled(here: Place, *, canary: int) -> None:
    """Wait until there are just the replicas that are wanted, all of them ready, and users are let in."""
    replicas = {STABLE: 2, CANARY: canary}

    def there() -> bool:
        seen = here.platform.look(KEY)
        counted = Counter(pod.hash for pod in seen.pods) == replicas
        return counted and all(pod.ready for pod in seen.pods) and seen.weights is not None

    until(there, seconds=60.0)


def more(load: Load) -> None:
    """Wait for some more answers."""
    seen = len(load.exchanges())
    until(lambda: len(load.exchanges()) >= seen + BETWEEN)
