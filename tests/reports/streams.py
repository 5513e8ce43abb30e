"""Event streams in which everything that the rules are about happens often.

Few changes on two services, few names, and instants that are a limit of some rule apart, or just beside it.
Each stream is drawn by a seed: evenly, which finds more here than what is made of small parts.
"""

import os
from random import Random
from typing import Any

from hypothesis import strategies as st

from davy.reports.event import ChangeEvent

MONDAY = 1_704_067_200_000_000
SECOND = 1_000_000
HOUR = 3600 * SECOND

MORE = int(os.environ.get("DAVY_MORE_EXAMPLES", "1"))
"""How many times as many streams as usual are tried."""

CHANGES = [("shop", "a"), ("shop", "b"), ("shop", "c"), ("till", "a")]
SERVICES = ["cart", "pay"]
SPANS = [0, 0, HOUR, 24 * HOUR, 25 * HOUR, 168 * HOUR]
BESIDE = [0] * 14 + [-1, 1, -5 * SECOND, -5 * SECOND - 1, 20 * SECOND]
TYPES: list[Any] = [
    *("created", "merged", "merged", "exposed", "exposed", "exposed", "exposed", "promoted", "promoted"),
    *("rolled_back", "rolled_back", "aborted_unexposed", "opened", "opened", "restored", "restored"),
]


def drawn(seed: int) -> list[ChangeEvent]:
    """Return the stream of a seed."""
    random = Random(seed)
    kinds = ["code"] * random.choice([1, 12, 40]) + ["config", "flag", "infra", "migration", "rollback"]
    return [_event(random, str(number), kinds) for number in range(random.choice([3, 8, 20, 40]))]


def _event(random: Random, name: str, kinds: list[str]) -> ChangeEvent:
    type_ = random.choice(TYPES)
    said: dict[str, Any] = {"team": random.choice(["", "x", "y"])}
    if random.random() < 0.2:
        said["environment"] = random.choice(["production", "prod", "prod-eu", "Prod-x", "test"])
    if type_ in ("opened", "restored"):
        said |= {"service": random.choice(SERVICES), "incident": random.choice("ij")}
        said["cause"] = random.choice(["", "disk", "disk", "net"])
        if random.random() < 0.2:
            said["repo"], said["commit"] = random.choice(CHANGES)
    else:
        said["repo"], said["commit"] = random.choice(CHANGES)
        said["kind"] = random.choice(kinds)
        said["waiver"] = random.choice(["", "", "", "w1", "w2"])
    if type_ in ("created", "merged"):
        said["committed"] = random.choice([None, _instant(random)])
    elif type_ not in ("opened", "restored"):
        said["service"] = random.choice(SERVICES)
        said["rollout"] = random.choice(["", "", "r1", "r2"])
        said["attempt"] = random.choice([1, 1, 1, 2, 3])
        said["target"] = random.choice(["", "eu", "us"])
    if type_ in ("created", "merged", "exposed", "promoted"):
        said["remediates"] = random.choice([*[None] * 6, *CHANGES])
    if type_ in ("exposed", "rolled_back"):
        said["weight"] = random.choice([None, None, 0, 1, 50_000, 333_333, 1_000_000])
    if type_ == "exposed":
        said["audience"] = random.choice(["users"] * 9 + ["internal", "shadow", "synthetic"])
    if type_ in ("promoted", "rolled_back"):
        said["requests"], said["bad"] = random.choice([None, 0, 7, 1000]), random.choice([None, 0, 7])
    at = _instant(random)
    received = random.choice(
        [
            None,
            at,
            at,
            at,
            at + HOUR,
            at + HOUR,
            at + HOUR,
            at - 5 * SECOND,
            at - 5 * SECOND - 1,
            at - 6 * SECOND,
        ]
    )
    if random.random() < 0.05:
        name = random.choice("12")
    return ChangeEvent("ci", name, type_, at, received=received, **said)


def _instant(random: Random) -> int:
    return MONDAY - 3 * HOUR + random.randrange(6) * HOUR + random.choice(SPANS) + random.choice(BESIDE)


streams = st.integers(0, 2**32 - 1).map(drawn)
