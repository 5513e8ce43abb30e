"""What has been decided is gone on with at once, and not when somebody happens to look."""

from typing import Any

import pytest
from tests.control.conftest import ROLLOUT, TEMPLATE
from tests.control.test_engine import release, rest

_CANARY = ROLLOUT[ROLLOUT.index("    canary:") : ROLLOUT.index("---")].replace("NAME", "payments")
_BLUE_GREEN = """    blueGreen:
      activeService: payments-stable
      previewService: payments-canary
      autoPromotionSeconds: 31
"""
_BACKGROUND = """    canary:
      canaryService: payments-canary
      stableService: payments-stable
      trafficRouting: {smi: {}}
      analysis: {templates: [{templateName: errors}]}
      steps:
      - setWeight: 20
"""


def follow(lab: Any, wanted: str) -> float:
    """Let time go from one moment to the next that the engine asks for, and say when something came to be."""
    for _ in range(400):
        wake_at = lab.engine.turn()
        lab.runs.settle()
        if wanted in lab.kinds():
            return float(lab.clock.time)
        lab.clock.time = max(lab.clock.time, wake_at)
    raise AssertionError(f"it never came about: {lab.kinds()}")


def test_the_switch_comes_when_the_seconds_are_over(lab: Any) -> None:
    lab.apply("payments", **{_CANARY: _BLUE_GREEN})
    lab.turns()
    release(lab)
    began = follow(lab, "paused")
    before = lab.kinds().count("weight_set")
    while lab.kinds().count("weight_set") == before:
        lab.clock.time = max(lab.clock.time, lab.engine.turn())
    assert lab.clock.time - began == pytest.approx(31, abs=0.1)


def test_promotion_comes_when_the_background_analysis_measured_something_good(lab: Any) -> None:
    lab.template = TEMPLATE.replace("    count: 2\n", "").replace("interval: 10s", "interval: 7s")
    lab.provider.value = None
    lab.apply("payments", **{_CANARY: _BACKGROUND})
    lab.turns()
    release(lab)
    follow(lab, "analysis_started")
    rest(lab)
    lab.provider.value = (0.0,)
    lab.clock.time += 10
    asked, known = lab.clock.time, len(lab.kinds())
    while True:
        lab.engine.turn()
        lab.runs.settle()  # an answer wakes the loop
        wake_at = lab.engine.turn()
        if "change_promoted" in lab.kinds()[known:]:
            break
        lab.clock.time = max(lab.clock.time, wake_at)
    assert lab.clock.time == asked
