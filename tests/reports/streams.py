"""Event streams in which everything that the rules are about happens often.

Few changes on two services, few names, and instants that are a limit of some rule apart, or just beside it.
"""

from typing import Any

from hypothesis import strategies as st

from davy.reports.event import ChangeEvent

MONDAY = 1_704_067_200_000_000
SECOND = 1_000_000
HOUR = 3600 * SECOND

CHANGES = [("shop", commit) for commit in "abcd"] + [("till", "a")]
SERVICES = ["cart", "pay"]
SPANS = [0, HOUR, 2 * HOUR, 24 * HOUR, 25 * HOUR, 48 * HOUR, 168 * HOUR, 169 * HOUR, 336 * HOUR]
BESIDE = [0, 0, 0, -1, 1, -5 * SECOND, -5 * SECOND - 1, 20 * SECOND]

instants = st.builds(
    lambda hours, span, beside: MONDAY - 30 * HOUR + hours * HOUR + span + beside,
    st.integers(0, 12),
    st.sampled_from(SPANS),
    st.sampled_from(BESIDE),
)
weights = st.sampled_from([None, None, 0, 1, 50_000, 333_333, 1_000_000])
counts = st.sampled_from([None, 0, 7, 1000])


@st.composite
def events(draw: st.DrawFn) -> ChangeEvent:
    """Draw an event that says what one of its type may say."""
    type_ = draw(st.sampled_from(TYPES))
    said: dict[str, Any] = {
        "environment": draw(
            st.sampled_from(["", "", "", "", "", "production", "prod", "prod-eu", "Prod-x", "test"])
        ),
        "team": draw(st.sampled_from(["", "x", "y"])),
    }
    if type_ in ("opened", "restored"):
        said |= {"service": draw(st.sampled_from(SERVICES)), "incident": draw(st.sampled_from("ijk"))}
        said["cause"] = draw(st.sampled_from(["", "disk", "disk", "net"]))
        if draw(st.booleans()):
            said["repo"], said["commit"] = draw(st.sampled_from(CHANGES))
    else:
        said["repo"], said["commit"] = draw(st.sampled_from(CHANGES))
        said["kind"] = draw(
            st.sampled_from(["code"] * 9 + ["config", "flag", "infra", "migration", "rollback"])
        )
        said["waiver"] = draw(st.sampled_from(["", "", "", "w1", "w2"]))
    if type_ in ("created", "merged"):
        said["committed"] = draw(st.none() | instants)
    elif type_ not in ("opened", "restored"):
        said["service"] = draw(st.sampled_from(SERVICES))
        said["rollout"] = draw(st.sampled_from(["", "", "r1", "r2", "r3"]))
        said["attempt"] = draw(st.sampled_from([1, 1, 1, 2, 3]))
        said["target"] = draw(st.sampled_from(["", "eu", "us"]))
    if type_ in ("created", "merged", "exposed", "promoted"):
        said["remediates"] = draw(st.sampled_from([None, None, None, *CHANGES]))
    if type_ in ("exposed", "rolled_back"):
        said["weight"] = draw(weights)
    if type_ == "exposed":
        said["audience"] = draw(st.sampled_from(["users"] * 7 + ["internal", "shadow", "synthetic"]))
    if type_ in ("promoted", "rolled_back"):
        said["requests"], said["bad"] = draw(counts), draw(counts)
    if type_ in ("rolled_back", "aborted_unexposed"):
        said["cause"] = draw(st.sampled_from(["", "errors"]))
    received = draw(st.none() | st.none() | instants)
    name = draw(st.sampled_from(["1", "2"]) | st.uuids().map(str))
    return ChangeEvent(
        draw(st.sampled_from(["ci", "cd"])), name, type_, draw(instants), received=received, **said
    )


TYPES: list[Any] = [
    *("created", "merged", "merged", "exposed", "exposed", "exposed", "exposed", "promoted", "promoted"),
    *("rolled_back", "rolled_back", "aborted_unexposed", "opened", "opened", "restored", "restored"),
]
streams = st.lists(events(), min_size=1, max_size=40)
