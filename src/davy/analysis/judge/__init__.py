"""The judge: fewer bad requests than any threshold, with a stated chance of a false abort.

It compares canary and stable in the same window, after every scrape, and says what to do: `start` with a
`Judge`, `observe` each `Scrape`, ask for a `verdict`. It is pure, and its state is a value that can be stored.

    state = start(Judge())
    state = observe(state, Scrape(at, weight, canary, stable))
    verdict(state, now).action
"""

from davy.analysis.judge.counters import Scrape, Side
from davy.analysis.judge.settings import Judge, Metric, MetricKind, Rung
from davy.analysis.judge.state import JudgeState, observe, resume, start
from davy.analysis.judge.verdict import Action, DataState, Verdict, verdict

__all__ = [
    "Action",
    "DataState",
    "Judge",
    "JudgeState",
    "Metric",
    "MetricKind",
    "Rung",
    "Scrape",
    "Side",
    "Verdict",
    "observe",
    "resume",
    "start",
    "verdict",
]
