"""A judge as a stream: one line for each tick in, one answer out.

In: `{"t": 35, "weight": 0.05, "canary": {"n": 500, "err": 1, "hist": […]}, "stable": {…}}`: what happened in
the tick that ends at `t` seconds, the weight being that of the tick. Ticks with weight 0 are stable's history.
Out: a verdict; whoever owns the traffic does as it says, from the next tick on.
"""

from typing import Annotated, Any

import msgspec

from davy.analysis.judge.counters import Scrape, Side
from davy.analysis.judge.settings import ERRORS, LATENCIES, Judge
from davy.analysis.judge.state import JudgeState, observe, start
from davy.analysis.judge.verdict import Verdict

Count = Annotated[int, msgspec.Meta(ge=0)]


class LineSide(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one version did in a tick; events are (tried, happened) by name."""

    n: Count = 0
    err: Count = 0
    hist: tuple[Count, ...] = ()
    events: dict[str, tuple[Count, Count]] = {}

    def __post_init__(self) -> None:
        if self.err > self.n:
            raise ValueError(f"{self.err} errors of {self.n} requests")


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One tick."""

    t: float
    weight: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
    canary: LineSide = LineSide()
    stable: LineSide = LineSide()
    measured: bool = False


def judge_for(line: Line) -> Judge:
    """Return the default judge for a stream: latency is judged where the first tick has a histogram."""
    return Judge(metrics=(ERRORS, LATENCIES) if line.canary.hist or line.stable.hist else (ERRORS,))


def begin(judge: Judge, line: Line) -> JudgeState:
    """Begin a stream, one scrape before its first tick."""
    return observe(start(judge), Scrape(line.t - judge.scrape_s, 0.0, Side(), Side()))


def tick(state: JudgeState, line: Line) -> JudgeState:
    """Take in a tick, by adding it to what was counted before."""
    assert state.last is not None
    canary, stable = state.last.canary + _side(line.canary), state.last.stable + _side(line.stable)
    return observe(state, Scrape(line.t, line.weight, canary, stable, measured=line.measured))


def told(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain values."""
    plain = msgspec.to_builtins(verdict)
    assert isinstance(plain, dict)
    return plain


def _side(line: LineSide) -> Side:
    return Side(line.n, line.err, line.hist, line.events)
