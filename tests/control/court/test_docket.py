"""Rollouts under judgement: when a canary may have more, and everything that may not make it so."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.adapters.memory_store import MemoryStore
from davy.analysis.counted.look import History, Look, Past
from davy.analysis.judge import Action, DataState
from davy.analysis.provider import ProviderError
from davy.control import requests, views
from davy.control.court.asked import Answer, read
from davy.control.court.docket import Docket
from davy.control.court.engine import EngineVerdicts
from davy.errors import NotFound, UsageError
from davy.model.judge import Judge, JudgePrometheus, JudgeSpec, JudgeStep
from davy.model.key import Key
from davy.model.meta import ObjectMeta

KEY = Key("default", "pay")


def judge(name: str = "pay") -> Judge:
    steps = (JudgeStep(weight=10, least="10s", most="30s"), JudgeStep(weight=50, least="10s", most="30s"))
    prometheus = JudgePrometheus(address="http://127.0.0.1:1")
    spec = JudgeSpec(service="pay", steps=steps, interval="5s", warm_up="0s", prometheus=prometheus)
    return Judge(metadata=ObjectMeta(name=name), spec=spec)


@dataclass
class World:
    """Two versions with users, a store of metrics that can be down or asleep, and a docket."""

    at: float = 1000.0
    counts: dict[str, tuple[int, int]] = field(default_factory=lambda: {"old": (0, 0)})
    sampled: float = 1000.0
    down: bool = False
    store: MemoryStore = field(default_factory=MemoryStore)

    def __post_init__(self) -> None:
        self.docket = self.made()

    def made(self) -> Docket:
        return Docket([judge()], lambda judge: self, self.store, lambda: self.at)

    def look(self, version: str, words: Mapping[str, str], *, now: float) -> Look:
        self._up()
        if version not in self.counts:
            return Look(exact=True)
        tried, failed = self.counts[version]
        return Look(self.sampled, {"a": tried}, {"a": failed}, exact=True)

    def history(self, version: str, words: Mapping[str, str], *, now: float, span_s: float) -> History:
        self._up()
        points = tuple(Past(now - 100 + 5 * n, 1000 * n, 10 * n) for n in range(20))
        return History(points, 5.0)

    def _up(self) -> None:
        if self.down:
            raise ProviderError("it cannot be reached")

    def ask(self, query: str = "step=0&weight=10&canary=new&stable=old") -> Answer:
        return self.docket.verdict(read("pay", [tuple(each.split("=")) for each in query.split("&")]))  # type: ignore[misc]

    def serve(self, canary: tuple[int, int], stable: tuple[int, int], *, fresh: bool = True) -> None:
        """Let five seconds pass, in which both versions answered and failed so often."""
        self.at += 5.0
        if fresh:
            self.sampled = self.at
        for name, (tried, failed) in (("new", canary), ("old", stable)):
            before = self.counts.get(name, (0, 0))
            self.counts[name] = before[0] + tried, before[1] + failed
        for key in self.docket.look():
            self.docket.read(key)


def test_a_good_version_may_have_more_as_soon_as_the_evidence_allows() -> None:
    world = World()
    assert world.ask().verdict == "continue"
    said = []
    for _ in range(8):
        world.serve((100, 1), (900, 9))
        said.append(world.ask().verdict)
    assert said[0] == "continue"
    assert said[-1] == "advance"
    assert "abort" not in said


def test_what_was_said_of_one_step_is_not_said_of_the_next() -> None:
    world = World()
    world.ask()
    for _ in range(8):
        world.serve((100, 1), (900, 9))
    assert world.ask().verdict == "advance"
    answer = world.ask("step=1&weight=50&canary=new&stable=old")
    assert (answer.verdict, answer.data.state) == ("continue", DataState.NO_DATA)
    world.serve((500, 5), (500, 5))
    assert world.ask("step=1&weight=50").verdict == "continue"
    assert world.docket.cases[KEY].weight == 0.5


def test_a_bad_version_is_stopped_and_that_is_written_down_once() -> None:
    world = World()
    world.ask()
    for _ in range(8):
        world.serve((100, 40), (900, 9))
    answer = world.ask()
    assert (answer.verdict, answer.action) == ("abort", Action.ABORT)
    entries = world.store.entries()
    assert [(entry.kind, entry.subject) for entry in entries] == [("analysis_finished", "Rollout default/pay")]
    assert entries[0].detail["phase"] == "Failed"
    world.down = True
    world.serve((100, 40), (900, 9))
    assert world.ask().verdict == "abort"


def test_a_server_that_is_started_again_goes_on_with_the_same_numbers() -> None:
    world, other = World(), World()
    for each in (world, other):
        each.ask()
        for _ in range(4):
            each.serve((100, 3), (900, 9))
    other.docket = other.made()
    for each in (world, other):
        for _ in range(4):
            each.serve((100, 3), (900, 9))
    assert world.ask() == other.ask()
    assert world.docket.cases[KEY].state == other.docket.cases[KEY].state


def test_a_store_that_is_down_moves_nothing_and_says_why() -> None:
    world = World()
    world.ask()
    for _ in range(8):
        world.serve((100, 1), (900, 9))
    assert world.ask().verdict == "advance"
    world.down = True
    world.serve((100, 1), (900, 9))
    answer = world.ask()
    assert (answer.verdict, answer.data.state) == ("continue", DataState.STALE)
    assert "cannot be reached" in answer.reason


def test_samples_that_are_not_new_become_stale() -> None:
    world = World()
    world.ask()
    for _ in range(8):
        world.serve((100, 1), (900, 9))
    for _ in range(5):
        world.serve((0, 0), (0, 0), fresh=False)
    answer = world.ask()
    assert (answer.verdict, answer.data.state) == ("continue", DataState.STALE)


def test_without_a_weight_it_is_counted_and_nothing_advances() -> None:
    world = World()
    world.ask("canary=new&stable=old")
    for _ in range(12):
        world.serve((100, 1), (900, 9))
    answer = world.ask("canary=new&stable=old")
    assert answer.weight == 10.0
    assert answer.verdict == "continue"
    for _ in range(12):
        world.serve((100, 50), (900, 9))
    assert world.ask("canary=new&stable=old").verdict == "abort"


def test_another_canary_begins_at_nothing_and_the_same_one_goes_on() -> None:
    world = World()
    world.ask()
    for _ in range(8):
        world.serve((100, 40), (900, 9))
    assert world.ask().verdict == "abort"
    world.at += 2000.0
    assert world.ask().verdict == "abort"
    answer = world.ask("step=0&weight=10&canary=newer&stable=old")
    assert answer.verdict == "continue"
    assert answer.evidence.log10 < 1e-9


def test_nobody_who_asks_no_more_is_looked_at() -> None:
    world = World()
    world.ask()
    world.at += 601.0
    assert world.docket.look() == []


@pytest.mark.parametrize(
    "query",
    [
        "step=1&canary=new&stable=old",
        "weight=101&canary=a&stable=b",
        "weight=-1&canary=a&stable=b",
        "weight=nan&canary=a&stable=b",
        'canary=a"}&stable=b',
        "canary=same&stable=same",
        "weight=10",
        "namespace=A_B&canary=a&stable=b",
        "canary=a&canary=b&stable=c",
    ],
)
def test_a_question_that_makes_no_sense_is_refused(query: str) -> None:
    with pytest.raises(UsageError):
        World().ask(query)


def test_a_rollout_without_a_judge_is_not_found() -> None:
    with pytest.raises(NotFound):
        World().ask("namespace=elsewhere&canary=a&stable=b")
    with pytest.raises(NotFound):
        World().ask("judge=other&canary=a&stable=b")


def test_an_engine_answers_in_the_same_words() -> None:
    view = views.VerdictView(
        verdict="continue",
        action="hold",
        weight=25.0,
        next_weight=25.0,
        reason="it waits",
        evidence=views.EvidenceView(log10=0.4, abort_at=2.0, driver="error_ratio", ratio=1.4),
        assurance=views.AssuranceView(excess_upper=0.02, beta=0.05, risk_next=50.0, budget=20.0),
        metrics={},
        data=views.JudgedDataView(age_s=1.0, windows=3, state="ok"),
    )
    asked: list[requests.AnyRequest] = []

    def handle(request: requests.AnyRequest, actor: str) -> views.AnyView:
        asked.append(request)
        return view

    answer = EngineVerdicts(handle).verdict(read("pay", [("namespace", "shop")]))
    assert (answer.verdict, answer.action, answer.reason) == ("continue", Action.HOLD, "it waits")
    assert asked == [requests.Verdict("shop", "pay")]


moments = st.one_of(
    st.tuples(st.just("serve"), st.integers(0, 50), st.integers(0, 500)),
    st.tuples(st.just("asleep"), st.just(0), st.just(0)),
    st.tuples(st.just("down"), st.just(0), st.just(0)),
    st.tuples(st.just("ask"), st.sampled_from((10, 50)), st.just(0)),
    st.tuples(st.just("restart"), st.just(0), st.just(0)),
)


@given(st.lists(moments, max_size=30))
def test_no_answer_without_counters_of_the_canary_says_advance(happenings: list[tuple[str, int, int]]) -> None:
    world, weight = World(), 10
    for what, one, other in happenings:
        if what == "serve":
            world.down = False
            world.serve((0, 0), (other, one))
        elif what == "restart":
            world.docket = world.made()
        elif what == "ask":
            weight = one
        else:
            world.down = what == "down"
            world.serve((0, 0), (0, 0), fresh=False)
        assert world.ask(f"step=0&weight={weight}&canary=new&stable=old").verdict == "continue"
