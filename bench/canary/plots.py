"""The plots: what judges cost against how often they are wrong, and one judge's evidence over time."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from bench.canary.harness import run
from bench.canary.judge import LADDER, Actions, Briefing, Contestant, Floats, Tick
from bench.canary.races import ENOUGH, Race, race_phi
from bench.canary.scenarios import SCORED, TICK_S, Scenario, grid
from bench.canary.score import MOST_FALSE, Results, row
from bench.canary.tables import names

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "canary-bench", "svg.fonttype": "none", "font.size": 10})

from matplotlib import pyplot  # noqa: E402 - what it draws with has to be chosen before

SHOWN = 40
"""Rollouts whose evidence is drawn."""


def frontier(scenarios: list[Scenario], results: Results, path: Path) -> None:
    """Draw harm ÷ limit against the worst share of false aborts of the scored families."""
    figure, axes = pyplot.subplots(figsize=(8, 5))
    for name in names(results):
        scored = row(name, scenarios, results)
        if scored.ratio is None or any(family not in scored.worst for family in SCORED):
            continue
        worst = max(scored.worst[family].stopped for family in SCORED)
        axes.plot(max(100 * worst, 0.1), scored.ratio, "o", color="tab:green" if scored.valid else "tab:red")
        axes.annotate(name, (max(100 * worst, 0.1), scored.ratio), xytext=(5, 4), textcoords="offset points")
    axes.axvline(100 * MOST_FALSE, color="gray", linestyle="--")
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(0.08, 250),
        xlabel="good releases stopped, % in the worst scenario",
        ylabel="bad requests ÷ the fewest possible",
    )
    _save(figure, path)


class Watched:
    """A judge whose evidence is written down at every tick."""

    def __init__(self, judge: Race) -> None:
        self._judge = judge
        self.log: list[Floats] = []

    def look(self, tick: Tick) -> Actions:
        """Look, and write down."""
        actions = self._judge.look(tick)
        self.log.append(np.where(tick.live, self._judge.evidence(), np.nan))
        return actions


def evidence(path: Path) -> None:
    """Draw the evidence of RACE+φ in rollouts of a good and of a bad release, with the line where it stops."""
    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    found = {scenario.key: scenario for scenario in grid()}
    for key, color in (("A/A 0.1%, 2000 rps", "tab:green"), ("0.1% ×2, 2000 rps", "tab:red")):
        lines = _evidence(found[key]) / np.log(10)
        seconds = TICK_S * np.arange(1, len(lines) + 1)
        axes.plot(seconds, lines, color=color, linewidth=0.7, alpha=0.6)
        axes.plot([], [], color=color, label=key)
    axes.axhline(ENOUGH / np.log(10), color="black", linestyle="--", label="stop")
    axes.set(xlabel="seconds since the start", ylabel="evidence, log10", ylim=(-4, 4))
    axes.legend(loc="lower left")
    _save(figure, path)


def _evidence(scenario: Scenario) -> Floats:
    """Return evidence by tick and rollout."""
    watched: list[Watched] = []

    def start(briefing: Briefing) -> Watched:
        watched.append(Watched(race_phi(briefing)))
        return watched[-1]

    run(scenario, (Contestant("RACE+φ", LADDER, start),), SHOWN)
    return np.array(watched[0].log)


def _save(figure: Any, path: Path) -> None:
    """Write a plot so that the same numbers give the same file."""
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)
