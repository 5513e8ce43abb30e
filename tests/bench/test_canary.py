"""The benchmark of judges: that it is fair, and that it finds what is known of those who take part."""

import shlex
import sys
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from bench.canary.command import main, merge, read
from bench.canary.contestants import PEERS, SLOWNESS, taking_part
from bench.canary.harness import NEVER, Outcome, run
from bench.canary.judge import LADDER, Action, Actions, Briefing, Contestant, Counts, Starts, Tick
from bench.canary.kayenta import is_high
from bench.canary.limits import counts, power, slowest_requests, wald
from bench.canary.ours import DAVY
from bench.canary.outside import OutsideError, contestant
from bench.canary.page import filled
from bench.canary.races import RACE, RACE_PHI
from bench.canary.scenarios import SCORED, SMALL, Family, Scenario, grid, small_grid
from bench.canary.score import Cell, cell, row, wilson
from bench.canary.traces import Traces

SCENARIOS = {scenario.key: scenario for scenario in grid()}
GOOD = SCENARIOS["A/A 0.5%, 20 rps"]
WORSE = SCENARIOS["0.5% ×5, 200 rps"]


class Scripted:
    """A judge that says the same to every rollout: at each tick what a list has for it."""

    def __init__(self, actions: dict[int, Action]) -> None:
        self.actions = actions
        self.seen: list[Tick] = []

    def look(self, tick: Tick) -> Actions:
        self.seen.append(tick)
        return np.full(len(tick.step), self.actions.get(tick.now, Action.CONTINUE), dtype=np.int8)


def scripted(name: str, actions: dict[int, Action], watches: bool = False) -> tuple[Contestant, Scripted]:
    judge = Scripted(actions)
    return Contestant(name, LADDER, lambda _: judge, watches), judge


HARM = {
    "Argo inline": 42,
    "Argo background": 18.7,
    "PromQL 2×": 12.2,
    "Flagger": 74,
    "Kayenta": 64,
    "GrowthBook CS": 15.6,
    "mSPRT": 5.9,
    "Lindon–Malek": 12.4,
    "RACE": 7.4,
    "RACE+φ": 7.7,
    "oracle SPRT": 6.5,
}
"""Mean bad requests of an earlier study with other code and seeds, 1 000 rollouts; `WORSE` is the cell."""

FALSE = {
    "Argo inline": 6.41,
    "Argo background": 7.27,
    "PromQL 2×": 81.41,
    "Flagger": 2.75,
    "Kayenta": 0.15,
    "z peeking": 11.84,
    "GrowthBook CS": 0.03,
    "mSPRT": 1.11,
    "Lindon–Malek": 0.0,
    "RACE": 0.41,
    "RACE+φ": 0.34,
}
"""The same study's false aborts, % of 10 000 rollouts; `GOOD` is the cell."""


@pytest.fixture(scope="module")
def worse() -> dict[str, Outcome]:
    return run(WORSE, PEERS, 300)


@pytest.fixture(scope="module")
def good() -> dict[str, Outcome]:
    return run(GOOD, taking_part(GOOD), 400)


@pytest.mark.parametrize("name", HARM)
def test_bad_requests_are_those_of_the_study(name: str, worse: dict[str, Outcome]) -> None:
    found = cell(worse[name])
    error = found.harm_error * sqrt(1 + found.n / 1000)
    rounding = 0.5 if HARM[name] > 20 else 0.05
    assert abs(found.harm - HARM[name]) <= 3.5 * error + rounding


@pytest.mark.parametrize("name", FALSE)
def test_false_aborts_are_those_of_the_study(name: str, good: dict[str, Outcome]) -> None:
    found, share = cell(good[name]), FALSE[name] / 100
    error = sqrt(max(share, 0.002) * (1 - share) * (1 / found.n + 1 / 10_000))
    assert abs(found.stopped - share) <= 3.5 * error


def test_latencies_are_found_when_the_study_found_them() -> None:
    slower = run(SCENARIOS["all +10 %, 200 rps"], SLOWNESS, 30)
    for name, after in (("Kayenta p95", 420), ("DKW bands", 175)):
        found = cell(slower[name])
        assert found.stopped == 1.0
        assert found.stop_p50_s == pytest.approx(after, abs=60)
    assert cell(slower["p95 > 1.25× fixed"]).stopped < 0.15


def test_the_same_seed_gives_the_same_outcomes_and_another_one_does_not() -> None:
    once, again = (run(WORSE, [RACE], 20)["RACE"] for _ in range(2))
    assert once.harm.tolist() == again.harm.tolist()
    other = Traces(WORSE, 20, WORSE.seed(1)).history().requests
    assert other.tolist() != Traces(WORSE, 20, WORSE.seed(0)).history().requests.tolist()


def test_every_judge_sees_the_same_requests() -> None:
    ladder = {24: Action.ADVANCE, 60: Action.ADVANCE}
    (one, first), (other, second) = scripted("one", ladder), scripted("other", ladder)
    run(WORSE, [one, RACE, other, RACE_PHI], 5)
    for mine, theirs in zip(first.seen, second.seen, strict=True):
        assert mine.canary.bad.tolist() == theirs.canary.bad.tolist()
        assert mine.stable.requests.tolist() == theirs.stable.requests.tolist()


def test_an_action_counts_from_the_next_tick_on() -> None:
    one, seen = scripted("one", {3: Action.ADVANCE, 6: Action.ABORT})
    outcome = run(WORSE, [one], 4)["one"]
    assert [tick.weight[0] for tick in seen.seen] == [0.05, 0.05, 0.05, 0.25, 0.25, 0.25]
    assert outcome.stopped.tolist() == [30.0] * 4
    assert outcome.served.tolist() == np.sum([tick.canary.requests for tick in seen.seen], axis=0).tolist()


def test_all_traffic_can_be_taken_back_to_halves_and_then_away() -> None:
    up = {1: Action.ADVANCE, 2: Action.ADVANCE, 3: Action.ADVANCE}
    one, seen = scripted("one", {**up, 5: Action.LOWER, 7: Action.ROLLBACK}, watches=True)
    outcome = run(WORSE, [one], 2)["one"]
    assert [tick.weight[0] for tick in seen.seen] == [0.05, 0.25, 0.5, 1.0, 1.0, 0.5, 0.5]
    assert outcome.promoted.tolist() == [15.0] * 2
    assert outcome.stopped.tolist() == [35.0] * 2


def test_who_does_not_watch_is_not_asked_after_promotion() -> None:
    one, seen = scripted("one", {1: Action.ADVANCE, 2: Action.ADVANCE, 3: Action.ADVANCE, 4: Action.ABORT})
    assert run(WORSE, [one], 1)["one"].stopped.tolist() == [NEVER]
    assert len(seen.seen) == 3


def test_harm_is_what_stable_would_have_answered_well() -> None:
    idle, _ = scripted("idle", {})
    assert run(GOOD, [idle], 3)["idle"].harm.tolist() == [0, 0, 0]
    assert (run(WORSE, [idle], 3)["idle"].harm > 0).all()
    assert (run(SCENARIOS["×0.5, 200 rps"], [idle], 3)["idle"].harm < 0).all()


def test_a_scrape_after_a_gap_tells_what_gathered() -> None:
    gap = SCENARIOS["no scrape for 120 s, 200 rps"]
    one, seen = scripted("one", {})
    outcome = run(gap, [one], 2)["one"]
    told = [int(tick.canary.requests[0]) for tick in seen.seen]
    assert told[gap.gap[0] - 1 : gap.gap[1] - 1] == [0] * 24
    assert sum(told) == outcome.served[0]


def test_a_worse_canary_fails_wherever_stable_fails() -> None:
    traces = Traces(WORSE, 10, WORSE.seed(0))
    traces.history()
    for _, requests in zip(range(5), traces.ticks(), strict=False):
        assert (requests.bad_on_canary >= requests.bad_on_stable).all()
        assert (requests.requests >= requests.bad_on_canary).all()


@pytest.mark.parametrize("key", ["0.5% ×5, 200 rps", "5 errors per client, 200 rps", "all +10 %, 200 rps"])
def test_a_finer_first_cut_takes_its_part_of_the_first_stratum(key: str) -> None:
    traces = Traces(SCENARIOS[key], 200, SCENARIOS[key].seed(0))
    traces.history()
    served, bad, whole = 0, 0, 0
    for _, requests in zip(range(40), traces.ticks(), strict=False):
        for each in (requests.requests, requests.bad_on_stable, requests.bad_on_canary):
            assert (np.diff(each[:, :3]) >= 0).all()
        assert (requests.requests >= requests.bad_on_canary).all()
        if requests.slow_on_canary is not None and requests.slow_on_stable is not None:
            for histogram in (requests.slow_on_canary, requests.slow_on_stable):
                assert histogram[:, 1].sum(axis=1).tolist() == requests.requests[:, 1].tolist()
                assert (histogram[:, 1] <= histogram[:, 2]).all()
        served += int(requests.requests[:, 1].sum())
        whole += int(requests.requests[:, 2].sum())
        bad += int(requests.bad_on_canary[:, 1].sum())
    assert served / whole == pytest.approx(0.1, abs=0.01)
    assert traces.edges[:3] == (0.0, 0.001, 0.01)
    assert bad > 0


class Late(Scripted):
    """A judge that begins on the second step."""

    def first(self) -> Counts:
        return np.array([1, 1])


def test_a_judge_may_begin_elsewhere_than_on_the_first_step() -> None:
    late = Late({2: Action.ADVANCE})
    run(WORSE, [Contestant("late", LADDER, lambda _: late)], 2)
    assert [tick.weight.tolist() for tick in late.seen[:3]] == [[0.25, 0.25], [0.25, 0.25], [0.5, 0.5]]


def test_davy_begins_with_what_its_judge_names() -> None:
    judge = DAVY.start(_briefing("A/A 0.1%, 2000 rps"))
    assert isinstance(judge, Starts)
    assert judge.first().tolist() == [0, 0]
    judge = DAVY.start(_briefing("A/A 0.5%, 20 rps"))
    assert isinstance(judge, Starts)
    assert judge.first().tolist() == [1, 1]


def _briefing(key: str) -> Briefing:
    scenario = SCENARIOS[key]
    return Briefing(2, 5.0, DAVY.ladder, Traces(scenario, 2, scenario.seed(0)).history(), scenario.truth)


def test_a_weight_that_hash_space_is_not_cut_at_is_refused() -> None:
    with pytest.raises(ValueError, match=r"not cut at 0\.07"):
        run(WORSE, [Contestant("odd", (0.07,), RACE.start)], 1)


def test_kayenta_fails_a_series_that_is_wholly_above() -> None:
    low = np.array([[1.0, 1.1, 0.9, 1.05, 0.95]])
    assert is_high(low + 5, low).tolist() == [True]
    assert is_high(low, low).tolist() == [False]
    assert is_high(low, low + 5).tolist() == [False]
    assert is_high((low + 5)[:, :2], low[:, :2]).tolist() == [True], "two points are enough to be apart"


def test_kayenta_leaves_out_points_that_are_not_there() -> None:
    low = np.array([[1.0, 1.1, np.nan, 1.05, 0.95, 0.9]])
    assert is_high(low + 5, low).tolist() == [True]
    nothing = np.full((1, 6), np.nan)
    assert is_high(nothing, low).tolist() == [False]
    assert is_high(np.zeros((1, 6)), np.zeros((1, 6))).tolist() == [False]


def test_limits_are_those_of_the_formula() -> None:
    assert wald(SCENARIOS["0.1% ×2, 2000 rps"].truth) == pytest.approx(11.9, abs=0.05)
    assert wald(SCENARIOS["0.5% ×20, 20 rps"].truth) == pytest.approx(2.1, abs=0.05)
    assert power(SCENARIOS["0.1% ×2, 200 rps"]) == pytest.approx(0.83, abs=0.02)
    assert slowest_requests(SCENARIOS["all +10 %, 200 rps"]) == pytest.approx(385, abs=1)


def test_a_score_counts_only_with_every_family_of_good_releases() -> None:
    fine = Cell(100, 0.0, 0.0, 0.04, None, None, None, None, None, 0.0, 0.0, 1.0, 480.0)
    families = {each.family: each for each in grid() if each.family in SCORED}
    results = {each.key: {"one": fine} for each in families.values()}
    assert row("one", grid(), results).valid
    del results[families[Family.COLD].key]
    assert not row("one", grid(), results).valid


def test_an_interval_holds_the_share() -> None:
    low, high = wilson(0.02, 200)
    assert 0.007 < low < 0.02 < high < 0.051
    assert wilson(0.0, 100)[0] == pytest.approx(0.0)


def test_keys_and_seeds_are_unique_and_the_small_grid_has_every_scored_family() -> None:
    assert len(SCENARIOS) == len(grid())
    assert len({each.seed(0) for each in grid()}) == len(grid())
    assert len(small_grid()) == len(SMALL)
    assert {each.family for each in small_grid()} >= set(SCORED)


JUDGE = """
import json, sys
bad = 0
for line in sys.stdin:
    told = json.loads(line)
    bad += told["canary"]["err"]
    late = told["t"] >= 60 and told["weight"] < 1
    print(json.dumps({"action": "abort" if bad > 5 else "advance" if late else "continue"}), flush=True)
"""


class Counting:
    """The same judge in process."""

    def __init__(self, briefing: Briefing) -> None:
        self.bad = np.zeros(briefing.rollouts)

    def look(self, tick: Tick) -> Actions:
        self.bad += tick.canary.bad
        go = Action.ADVANCE if tick.now >= 12 else Action.CONTINUE
        return np.where(self.bad > 5, Action.ABORT, go).astype(np.int8)


def outside(program: str, scenario: Scenario = WORSE) -> Outcome:
    command = shlex.join([sys.executable, "-c", program])
    with contestant(command, LADDER, 3, False) as judge:
        return run(scenario, [judge], 3)[command]


def test_a_judge_from_outside_does_what_it_does_inside() -> None:
    theirs = outside(JUDGE)
    mine = run(WORSE, [Contestant("inside", LADDER, Counting)], 3)["inside"]
    assert theirs.stopped.tolist() == mine.stopped.tolist()
    assert theirs.bad.tolist() == mine.bad.tolist()


def test_davy_says_the_same_by_lines_as_in_process() -> None:
    command = shlex.join([sys.executable, "-m", "davy", "judge"])
    with contestant(command, DAVY.ladder, 2, True) as theirs:
        said = run(WORSE, [theirs, DAVY], 2)
    assert said[command].stopped.tolist() == said["Davy"].stopped.tolist()
    assert said[command].served.tolist() == said["Davy"].served.tolist()
    assert (said["Davy"].stopped > 0).all()


def test_a_judge_from_outside_hears_latencies() -> None:
    program = (
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    told = json.loads(line)\n"
        "    hist = told['stable']['hist']\n"
        "    fine = len(hist) == 60 and sum(hist) == told['stable']['n']\n"
        "    print(json.dumps({'action': 'hold' if fine else 'abort'}), flush=True)\n"
    )
    assert outside(program, SCENARIOS["A/A, 20 rps"]).stopped.tolist() == [NEVER] * 3


@pytest.mark.parametrize(
    ("program", "words"),
    [("print('what?', flush=True); input()", "answered 'what\\?'"), ("raise SystemExit(4)", "exit code 4")],
)
def test_a_judge_from_outside_that_does_not_answer_is_named(program: str, words: str) -> None:
    with pytest.raises(OutsideError, match=words):
        outside(program)


def test_a_page_is_filled_between_its_marks_only() -> None:
    page = "before\n<!-- harm -->\nold\n<!-- end of harm -->\nafter\n"
    assert filled(page, "harm", "new") == page.replace("old", "new")
    with pytest.raises(ValueError, match="no place for stops"):
        filled(page, "stops", "new")


def test_the_figures_of_the_judge_page_are_those_of_the_results() -> None:
    """The table of nineteen regressions in docs/explanation/the-judge.md, line for line, and its mean."""
    root = Path(__file__).parents[2]
    results = read(root / "bench/canary/results.json")
    page = (root / "docs/explanation/the-judge.md").read_text()
    ratios = []
    for scenario in filter(counts, grid()):
        found = results[scenario.key]["Davy"]
        ratios.append(found.harm / wald(scenario.truth))
        rps = f"{scenario.rps[0]:,.0f}".replace(",", " ")
        base, size = scenario.name.split(" ", 1)
        told = f"| {rps} | {base.replace('%', ' %')} | {size} | {found.harm:.1f} | {ratios[-1]:.2f} |"
        assert f"{told} {100 * found.stopped:.1f} % |" in page
        assert found.n == 1000
    assert f"geometric mean of the fifth column is {np.exp(np.mean(np.log(ratios))):.2f}" in page


def test_results_are_read_as_they_were_written_and_merged(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    one = Cell(100, 0.25, 0.1, 0.3, 35.0, None, 4.0, 500.0, 3.5, 8.0, 0.5, 0.75, 480.0)
    merge(file, {"a, 2 rps": {"one": one}})
    merge(file, {"a, 2 rps": {"other": one}, "b, 2 rps": {"one": one}})
    assert read(file) == {"a, 2 rps": {"one": one, "other": one}, "b, 2 rps": {"one": one}}


def test_the_command_runs_scores_and_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--match", "5 from 300 s", "--rollouts", "5", "--jobs", "1", "--only", "RACE"]) == 0
    said = capsys.readouterr()
    assert "×5 from 300 s, 200 rps" in said.out
    assert "late onset" in said.err


def test_the_command_names_a_judge_that_does_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    command = shlex.join([sys.executable, "-c", "raise SystemExit(3)"])
    assert main(["--match", "5 from 300 s", "--rollouts", "1", "--judge", command]) == 2
    assert "exit code 3" in capsys.readouterr().err
