"""A judge from outside: a command that reads a line of JSON for each tick and answers with one.

docs/reference/canary-bench.md describes the lines. Every rollout has a process of its own, so that a judge
needs to know nothing of others; that is what bounds how many of them are run.
"""

import json
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import numpy as np

from bench.canary.judge import Action, Actions, Briefing, Contestant, Counts, Side, Tick

LADDER = (0.01, 0.05, 0.25, 0.5)
"""The weights before 100 % for a judge that does not bring its own."""

ANSWERS = {action.name.lower(): action for action in Action if action is not Action.LOWER}


class OutsideError(Exception):
    """A judge from outside did not answer as it should; the message says what it did."""


class Outside:
    """The processes of as many rollouts as there are; `until` ends those that are left."""

    def __init__(self, command: str, until: ExitStack, briefing: Briefing) -> None:
        self._command = command
        self._tick_s = briefing.tick_s
        self._children = [_process(command, until) for _ in range(briefing.rollouts)]
        self._first = np.zeros(briefing.rollouts, dtype=np.int64)
        before = briefing.history.requests.shape[1]
        for rollout, child in enumerate(self._children):
            for number in range(before):
                stable = _side(briefing.history, (rollout, number))
                seconds = (number + 1 - before) * briefing.tick_s
                told, _ = self._ask(child, 0.0, _line(seconds, 0.0, {"n": 0, "err": 0}, stable))
            self._first[rollout] = _step(briefing.ladder, told)

    def first(self) -> Counts:
        """Begin with what the last answer before the start names as next, if that is on the ladder."""
        return self._first.copy()

    def look(self, tick: Tick) -> Actions:
        """Ask the processes of those rollouts that go on, unless there is nothing to tell; end the others."""
        actions = np.zeros(len(self._children), dtype=np.int8)
        for rollout, child in enumerate(self._children):
            if not tick.live[rollout]:
                _end(child)
                continue
            weight = float(tick.weight[rollout])
            if tick.scraped:
                sides = _side(tick.canary, rollout), _side(tick.stable, rollout)
                _, actions[rollout] = self._ask(child, weight, _line(tick.now * self._tick_s, weight, *sides))
        return actions

    def _ask(self, child: "subprocess.Popen[str]", weight: float, line: str) -> tuple[float, Action]:
        assert child.stdin is not None
        assert child.stdout is not None
        with suppress(BrokenPipeError):
            child.stdin.write(line + "\n")
            child.stdin.flush()
        answer = child.stdout.readline()
        if not answer:
            raise OutsideError(f"{self._command} ended with exit code {child.wait()} where an answer was due")
        try:
            told = json.loads(answer)
            action = ANSWERS[told["action"]]
            following = float(told.get("next_weight", weight))
            return following, Action.LOWER if action is Action.HOLD and following < weight else action
        except (ValueError, KeyError, TypeError):
            raise OutsideError(
                f'{self._command} answered {answer.strip()!r}; what is read is {{"action": …}} with one of '
                f"{', '.join(ANSWERS)}"
            ) from None


def _step(ladder: tuple[float, ...], weight: float) -> int:
    return next((step for step, each in enumerate(ladder) if abs(each - weight) < 1e-9), 0)


def _line(seconds: float, weight: float, canary: object, stable: object) -> str:
    told = {"t": seconds, "weight": weight, "canary": canary, "stable": stable}
    return json.dumps(told, separators=(",", ":"))


def _side(side: Side, index: int | tuple[int, int]) -> dict[str, object]:
    """Return what one version answered, as it goes into a line."""
    told: dict[str, object] = {"n": int(side.requests[index]), "err": int(side.bad[index])}
    if side.histogram is not None:
        told["hist"] = side.histogram[index].tolist()
    return told


def _end(child: "subprocess.Popen[str]") -> None:
    """Let a process go: it sees the end of its input."""
    if child.poll() is None and child.stdin is not None and not child.stdin.closed:
        with suppress(BrokenPipeError):
            child.stdin.close()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def _process(command: str, until: ExitStack) -> "subprocess.Popen[str]":
    child = subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    until.enter_context(child)
    until.callback(child.kill)
    return child


@contextmanager
def contestant(command: str, ladder: tuple[float, ...], most: int, watches: bool) -> Iterator[Contestant]:
    """Make a contestant of a command; its processes end with the context."""
    with ExitStack() as until:
        yield Contestant(command, ladder, lambda briefing: Outside(command, until, briefing), watches, most)
