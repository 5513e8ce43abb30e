"""The flags and the users that every engine is asked about, what it has to answer, and how it is timed.

Nothing but the standard library: the peers run in an environment of their own. There are 25 flags of each sort:
`s` is the same for everybody, `e` asks how an email address ends, `f` draws half of the users, and `g` has five
clauses: a country among several, a plan, an age, a version and an email address.
"""

import gc
from collections.abc import Callable
from statistics import median
from time import process_time
from typing import Any

KINDS = "sefg"
EACH = 25
USERS = 32
RUNS = 5
SECONDS = 0.04
COUNTRIES = ["FR", "DE", "GB"]
VERSION = "2.1.0"
SUFFIX = "@example.com"

Ask = Callable[[str, int], bool]
"""From the key of a flag and the number of a user to whether it is on."""

ATTRIBUTES: list[dict[str, Any]] = [
    {
        "email": f"user{at}{SUFFIX if at % 2 else '@other.org'}",
        "country": ["FR", "DE", "US", "GB"][at % 4],
        "plan": "pro" if at % 3 else "free",
        "age": 15 + at,
        "version": f"2.{at % 4}.0",
    }
    for at in range(USERS)
]
NAMES = [f"user-{at}" for at in range(USERS)]


def wanted(kind: str, user: int) -> bool:
    """Say what has to be answered, except where half of the users are drawn."""
    about = ATTRIBUTES[user]
    ends = str(about["email"]).endswith(SUFFIX)
    if kind != "g":
        return kind == "s" or ends
    grown = about["age"] >= 18 and about["version"] != "2.0.0"
    return ends and grown and about["country"] in COUNTRIES and about["plan"] == "pro"


def flagd() -> dict[str, Any]:
    """Return the flags as flagd has them, with the metadata that governed flags have."""
    ends = {"ends_with": [{"var": "email"}, SUFFIX]}
    clauses = [
        {"in": [{"var": "country"}, COUNTRIES]},
        {"==": [{"var": "plan"}, "pro"]},
        {">=": [{"var": "age"}, 18]},
        {"sem_ver": [{"var": "version"}, ">=", VERSION]},
        ends,
    ]
    targeting: dict[str, Any] = {
        "s": {},
        "e": {"if": [ends, "on", "off"]},
        "f": {"fractional": [["on", 50], ["off", 50]]},
        "g": {"if": [{"and": clauses}, "on", "off"]},
    }
    flag = {"state": "ENABLED", "variants": {"on": True, "off": False}}
    metadata = {"owner": "payments", "jira": "PAY-123", "expiry": "2027-03-01"}
    return {
        "flags": {
            f"{kind}_{at}": {
                **flag,
                "defaultVariant": "on" if kind == "s" else "off",
                "targeting": targeting[kind],
                "metadata": metadata,
            }
            for kind in KINDS
            for at in range(EACH)
        },
        "metadata": {"flagSetId": "bench", "version": "1"},
    }


def wrong(ask: Ask, kinds: str = KINDS) -> list[str]:
    """Name what is answered wrongly: every user is asked about, and about half of them have to be drawn."""
    found = [
        f"{kind}_0 for {NAMES[user]}"
        for kind in kinds.replace("f", "")
        for user in range(USERS)
        if ask(f"{kind}_0", user) is not wanted(kind, user)
    ]
    drawn = sum(ask(f"f_{at}", user) for at in range(EACH) for user in range(USERS)) if "f" in kinds else 0
    return [*found, *([f"{drawn} of {EACH * USERS} drawn"] if "f" in kinds and not 280 < drawn < 520 else [])]


def microseconds(ask: Ask, kinds: str = KINDS) -> dict[str, float]:
    """Return the processor time of one evaluation by kind, the median of some runs, loop and call included."""
    return {kind: _timed(ask, [f"{kind}_{at}" for at in range(EACH)]) for kind in kinds}


def _timed(ask: Ask, keys: list[str]) -> float:
    calls = [(keys[at % EACH], at % USERS) for at in range(EACH * USERS)]

    def once() -> float:
        began = process_time()
        for key, user in calls:
            ask(key, user)
        return process_time() - began

    once()
    rounds = max(1, int(SECONDS / max(once(), 1e-6)))
    runs = []
    for _ in range(RUNS):
        gc.collect()
        gc.disable()
        runs.append(sum(once() for _ in range(rounds)) / rounds / len(calls))
        gc.enable()
    return median(runs) * 1e6
