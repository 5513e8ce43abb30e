"""Analysis runs: asked when they are due, bounded in number, and free once they have ended."""

import threading
from collections.abc import Iterator

import msgspec
import pytest

from davy.analysis import run as analysis
from davy.analysis.phase import Phase
from davy.analysis.provider import Answer, Asking
from davy.analysis.run import RunState, Task
from davy.control.runs import KEPT, LATE_S, LATE_THREADS, THREADS, RunRecord, Runs
from davy.model.analysis import Metric
from davy.model.key import Key
from davy.model.providers import MetricProvider
from davy.rollout.decision import RunKind
from davy.testing.patience import until

OWNER = Key("default", "payments")


class World:
    def __init__(self) -> None:
        self.time = 100.0
        self.asked: list[float] = []
        self.answered = 0

    def now(self) -> float:
        return self.time

    def real_seconds(self, seconds: float) -> float:
        return seconds

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Answer:
        self.asked.append(now)
        return Answer((0.0,), "[0]")

    def came(self) -> None:
        self.answered += 1


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def runs(world: World) -> Iterator[Runs]:
    made = Runs({"prometheus": world}, lambda _: {}, world, world.came)
    yield made
    made.close()


def record(name: str, at: float, owner: Key = OWNER, *, query: str = "0", **metrics: str) -> RunRecord:
    made = [
        msgspec.convert(
            {
                "name": metric,
                "interval": interval,
                "count": 2,
                "successCondition": "result[0] == 0",
                "provider": {"prometheus": {"query": query}},
            },
            Metric,
        )
        for metric, interval in metrics.items()
    ]
    return RunRecord(owner, RunKind.STEP, "abc", 1, analysis.start(name, made, now=at))


def ended(name: str, at: float) -> RunRecord:
    return RunRecord(OWNER, RunKind.STEP, "abc", 1, analysis.broken(name, "no", now=at))


def test_each_metric_is_asked_at_its_time_while_another_is_out(runs: Runs, world: World) -> None:
    runs.keep(record("r", 100.0, fast="5s", slow="20s"))
    assert runs.ask_due(100.0) is None
    runs.settle()
    assert (world.asked, world.answered) == ([100.0, 100.0], 2)
    [(measured, drafts)] = runs.collect()
    assert drafts == []
    runs.keep(measured)
    assert runs.ask_due(100.0) == 105.0
    assert runs.ask_due(104.9) == 105.0
    assert runs.ask_due(105.0) == 120.0
    runs.settle()
    assert world.asked[2:] == [105.0]


def test_a_question_that_is_out_is_not_asked_again(runs: Runs, world: World) -> None:
    runs.keep(record("r", 100.0, fast="5s"))
    for now in (100.0, 105.0, 110.0):
        assert runs.ask_due(now) is None
    runs.settle()
    assert world.asked == [100.0]


def test_runs_that_have_ended_cost_nothing(runs: Runs, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.keep(*(ended(f"r{number}", number) for number in range(100)))
    runs.keep(record("live", 100.0, fast="5s"))
    due, asks = list[str](), analysis.due

    def noted(state: RunState, now: float) -> tuple[Task, ...]:
        due.append(state.name)
        return asks(state, now)

    monkeypatch.setattr(analysis, "due", noted)
    runs.ask_due(100.0)
    assert due == ["live"]


def test_of_those_that_have_ended_the_latest_are_kept_and_those_that_are_referred_to(runs: Runs) -> None:
    runs.keep(*(ended(f"r{number:02}", number) for number in range(KEPT + 5)))
    runs.keep(record("live", 200.0, fast="5s"))
    surplus = runs.surplus(OWNER, {"r01"})
    assert [run.name for run in surplus] == ["r00", "r02", "r03", "r04"]
    runs.forget(*surplus)
    assert [run.name for run in runs.of(OWNER)][:2] == ["r01", "r05"]
    assert set(runs.views(OWNER)) == {run.name for run in runs.of(OWNER)}
    assert runs.surplus(OWNER, {"r01"}) == []
    assert runs.get(surplus[0].key) is None


def test_an_answer_for_a_run_that_is_gone_is_dropped(runs: Runs) -> None:
    run = record("r", 100.0, fast="5s")
    runs.keep(run)
    runs.ask_due(100.0)
    runs.settle()
    runs.forget(run)
    assert runs.collect() == []


def test_an_answer_for_a_run_that_was_ended_meanwhile_changes_nothing(runs: Runs) -> None:
    runs.keep(record("r", 100.0, fast="5s"))
    runs.ask_due(100.0)
    runs.settle()
    [over] = runs.end_all_but(OWNER, [], 101.0)
    runs.keep(over)
    assert runs.collect() == [(over, [])]
    assert over.state.phase is Phase.SUCCESSFUL


def test_the_runs_of_others_are_not_looked_at(runs: Runs) -> None:
    runs.keep(record("a", 1.0, fast="5s"), record("b", 1.0, Key("default", "catalog"), fast="5s"))
    assert [run.name for run in runs.of(OWNER)] == ["a"]
    assert [run.name for run in runs.end_all_but(OWNER, [], 2.0)] == ["a"]
    assert runs.of(Key("default", "nobody")) == []
    assert dict(runs.views(Key("default", "nobody"))) == {}


def test_a_provider_that_hangs_holds_up_nobody_else(world: World) -> None:
    """What it was late for once is asked in threads of its own from then on, also in the next run."""
    release, begun = threading.Event(), list[str]()

    class Slow(World):
        def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Answer:
            assert provider.prometheus is not None
            begun.append(provider.prometheus.query)
            if provider.prometheus.query == "hung":
                assert release.wait(20)
                self.time += LATE_S + 1
            return Answer((0.0,), "[0]")

    slow = Slow()
    runs = Runs({"prometheus": slow}, lambda _: {}, slow, slow.came)
    owners = [Key("default", f"service-{number}") for number in range(THREADS)]

    def ask(round_: int) -> None:
        for owner in owners:
            runs.keep(record(f"{owner.name}-{round_}", slow.time, owner, query="hung", m="5s"))
        runs.ask_due(slow.time)

    ask(1)
    until(lambda: len(begun) == THREADS)
    release.set()
    runs.settle()
    for measured, _ in runs.collect():
        runs.keep(measured)
    release.clear()
    begun.clear()
    ask(2)
    until(lambda: len(begun) == LATE_THREADS)
    runs.keep(record("well", slow.time, query="well", m="5s"))
    runs.ask_due(slow.time)
    until(lambda: "well" in begun)
    assert begun.count("hung") == LATE_THREADS
    release.set()
    runs.settle()
    runs.close()
