"""`davy flag ramp` and `davy flag blame`, as somebody types them."""

import json

import msgspec
import pytest
from tests.cli.conftest import Run, Shelf
from tests.cli.flag_view import flag_view

from davy.control import requests, views
from davy.errors import DavyError, NotFound, Refused
from davy.testing.scripted import Scripted

KEY = "checkout.discount-enabled"
BEGUN = f'the ramp of flag "{KEY}" has begun: 3 steps'
INSTANCE = views.FlagInstanceView("pod-1", "shop", "a" * 12, 1, current=True, age_s=2.0)
ARMS = (views.FlagArmView("reduced", 400, 20), views.FlagArmView("full", 4000, 40))
SUSPECT = views.FlagSuspectView(
    KEY, "reduced", "at-fault", 5.0, 30.0, "those who met reduced fail 5 times as often", ARMS
)


class WithRamps(Shelf):
    """An engine that begins every ramp, unless it refuses, and has these suspects."""

    def __init__(self) -> None:
        super().__init__()
        self.refusal: DavyError | None = None
        self.step = views.FlagStepView(message=BEGUN, flag=flag_view(KEY, instances=(INSTANCE,)))
        self.suspects: tuple[views.FlagSuspectView, ...] = (SUSPECT,)

    def answer(self, request: requests.AnyRequest, actor: str) -> views.AnyView:
        if self.refusal is not None:
            raise self.refusal
        match request:
            case requests.RampFlag():
                return self.step
            case requests.FlagBlame(service=service, since_s=since_s):
                return views.FlagBlameView(service=service, since_s=since_s, items=self.suspects)
            case _:
                return super().answer(request, actor)


@pytest.fixture
def shelf() -> WithRamps:
    return WithRamps()


def test_a_ramp_that_begins_is_told_with_what_to_do_next(run: Run, engine: Scripted) -> None:
    result = run("flag", "ramp", KEY, "--reason", " it is ready ", "--ticket", "PAY-1")
    assert (result.exit_code, result.stdout) == (0, f"{BEGUN}\n")
    assert "heard by  1 of 1 instances" in result.stderr
    assert f"watch     davy get rollout flag:{KEY} --watch" in result.stderr
    assert f"back      davy abort flag:{KEY}" in result.stderr
    assert engine.asked[-1][0] == requests.RampFlag(KEY, "it is ready", "PAY-1")


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_program_reads_what_became_of_a_ramp(run: Run, engine: Scripted, shelf: WithRamps, form: str) -> None:
    result = run("flag", "ramp", KEY, "--reason", "it is ready", "-o", form)
    assert (result.exit_code, result.stderr) == (0, "")
    decode = msgspec.json.decode if form == "json" else msgspec.yaml.decode
    assert decode(result.stdout, type=views.FlagStepView) == shelf.step


def test_a_ramp_that_waits_for_a_second_person_has_nothing_to_watch(
    run: Run, engine: Scripted, shelf: WithRamps
) -> None:
    shelf.step = views.FlagStepView(message="it waits", flag=flag_view(KEY), proposal="p-1")
    result = run("flag", "ramp", KEY, "--reason", "it is ready")
    assert (result.exit_code, result.stdout) == (0, "it waits\n")
    assert "somebody else runs: davy flag approve p-1" in result.stderr
    assert "heard by  nobody: no instance is connected" in result.stderr
    assert "davy abort" not in result.stderr


def test_a_ramp_takes_a_reason(run: Run, engine: Scripted) -> None:
    result = run("flag", "ramp", KEY, "--reason", "  ")
    assert result.exit_code == 2
    assert "--reason is missing" in result.stderr
    assert "hint: --reason" in result.stderr
    assert engine.asked == []


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Refused("its gate is shut: no canary has passed", hint="davy flag status KEY"), 1),
        (NotFound(f'no flag "{KEY}"', hint="did you mean checkout.discount"), 2),
    ],
)
@pytest.mark.parametrize("verb", [("ramp", KEY, "--reason", "it is ready"), ("blame",)])
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_refusal_of_the_engine_is_told_with_its_hint(
    run: Run,
    engine: Scripted,
    shelf: WithRamps,
    refusal: DavyError,
    code: int,
    verb: tuple[str, ...],
    form: str,
) -> None:
    shelf.refusal = refusal
    result = run("flag", *verb, "-o", form)
    assert (result.exit_code, result.stdout) == (code, "")
    assert str(refusal) in result.stderr
    assert f"hint: {refusal.hint}" in result.stderr


def test_a_change_at_fault_is_shown_by_its_arms(run: Run, engine: Scripted) -> None:
    result = run("flag", "blame", "--service", "checkout", "--since", "1m30s")
    assert result.exit_code == 1, "a change is at fault"
    first, met, other, sentence = result.stdout.splitlines()
    assert first == f"{KEY}  at fault  5 times as often"
    assert met.split() == ["*", "reduced", "400", "requests", "20", "failed", "5.00", "%"]
    assert other.split() == ["full", "4000", "requests", "40", "failed", "1.00", "%"]
    assert sentence.strip() == SUSPECT.sentence
    assert engine.asked[-1][0] == requests.FlagBlame("checkout", 90.0)


@pytest.mark.parametrize(
    ("verdict", "words"), [("cannot-tell", "cannot tell"), ("not-at-fault", "not at fault")]
)
def test_a_change_that_nobody_blames_exits_0(
    run: Run, engine: Scripted, shelf: WithRamps, verdict: str, words: str
) -> None:
    arms = (views.FlagArmView("", 0, 0), ARMS[1])
    shelf.suspects = (msgspec.structs.replace(SUSPECT, verdict=verdict, ratio=None, variant="", arms=arms),)
    result = run("flag", "blame")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == f"{KEY}  {words}"
    assert "* default" in result.stdout
    assert "none counted" in result.stdout
    assert engine.asked[-1][0] == requests.FlagBlame("", 600.0)


def test_a_program_reads_who_is_at_fault(run: Run, engine: Scripted) -> None:
    result = run("flag", "blame", "-o", "json")
    assert (result.exit_code, result.stderr) == (1, "")
    [found] = json.loads(result.stdout)["items"]
    assert (found["flag"], found["verdict"], found["ratio"]) == (KEY, "at-fault", 5.0)


@pytest.mark.parametrize(("service", "end"), [((), "now\n"), (("--service", "shop"), "now of shop\n")])
def test_no_change_is_told_to_be_none(
    run: Run, engine: Scripted, shelf: WithRamps, service: tuple[str, ...], end: str
) -> None:
    shelf.suspects = ()
    result = run("flag", "blame", *service)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith(end)


@pytest.mark.parametrize("since", ["ever", "10", "1d", "0", "-5m"])
def test_what_is_no_length_of_time_is_refused(run: Run, engine: Scripted, since: str) -> None:
    result = run("flag", "blame", "--since", since)
    assert result.exit_code == 2
    assert f"'{since}' is no duration" in result.stderr
    assert "hint: --since 10m" in result.stderr
    assert engine.asked == []


@pytest.mark.parametrize("verb", [("ramp", KEY, "--reason", "it is ready"), ("blame",)])
def test_without_an_engine_there_is_nobody_to_ask(run: Run, verb: tuple[str, ...]) -> None:
    result = run("flag", *verb)
    assert result.exit_code != 0
    assert "no engine listens" in result.stderr
