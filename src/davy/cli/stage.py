"""Where the demo's story is played, and how a chapter holds itself to the truth."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from davy.adapters.load import Load
from davy.cli.demo_report import DemoComparison, DemoFlag, DemoLedger, DemoRollout, DemoStep, DemoStop
from davy.cli.running import Running
from davy.control import requests, views
from davy.control.requests import AnyRequest
from davy.model.key import Key

PAYMENTS = Key("default", "payments")
ACTOR = "demo"

RATE_HZ = 240.0
WATCHED = "discount"
"""The header in which an answer of payments says whether it had the discount, and why."""

LOOK_EVERY_S = 0.02
LIMIT_S = 120.0
"""Real seconds after which a chapter is given up."""


class NotTrue(Exception):
    """A chapter of the story did not come true."""


@dataclass(slots=True)
class Stage:
    """The engine, the files, and where the story is told.

    `beside` are the users of the rollout that the judge is compared with, which got its bad version at
    `beside_since`; `stopped` is what that version cost until the judge stopped it.
    """

    running: Running
    workspace: Path
    examples: Path
    say: Callable[[str], None]
    progress: Callable[[str], None]
    seed: int = 1
    speed: float = 20.0
    load: Load | None = None
    steps: list[DemoStep] = field(default_factory=list)
    rollouts: list[DemoRollout] = field(default_factory=list)
    beside: Load | None = None
    beside_since: float = 0.0
    stopped: DemoStop | None = None
    comparison: DemoComparison | None = None
    ledger: DemoLedger | None = None
    flag: DemoFlag = field(default_factory=DemoFlag)

    @property
    def home(self) -> Path:
        """The state directory of the engine."""
        return self.workspace / "state"

    def ask(self, request: AnyRequest) -> views.AnyView:
        """Ask the engine as a person would."""
        return self.running.engine.handle(request, ACTOR)

    def rollout(self, key: Key = PAYMENTS) -> views.RolloutView:
        """Look at a rollout."""
        view = self.ask(requests.Get(key.namespace, key.name))
        assert isinstance(view, views.RolloutView)
        return view


def apply(stage: Stage, directory: Path) -> views.ApplyView:
    """Apply everything in a directory."""
    texts = tuple((file.name, file.read_text()) for file in sorted(directory.glob("*.yaml")))
    view = stage.ask(requests.Apply(texts, str(directory), reason="demo"))
    assert isinstance(view, views.ApplyView)
    return view


def until(
    stage: Stage,
    key: Key,
    wanted: Callable[[views.RolloutView], bool],
    line: Callable[[views.RolloutView], str],
) -> views.RolloutView:
    """Look at a rollout until it is as wanted, and show a line about it meanwhile.

    Raises:
        NotTrue: it never was, or waits for evidence that does not come.
    """
    deadline = time.monotonic() + LIMIT_S
    while not wanted(view := stage.rollout(key)):
        if time.monotonic() > deadline or view.message == "InconclusiveAnalysisRun":
            raise NotTrue(f"{view.status}: {view.message} {view.trouble}")
        stage.progress(line(view))
        time.sleep(LOOK_EVERY_S)
    return view


def port_of(view: views.RolloutView) -> int:
    """Return the port that users of a rollout call."""
    return int(view.url.rstrip("/").rsplit(":", 1)[1])


def hold(truth: bool, otherwise: str) -> None:
    """Go on only if this is true."""
    if not truth:
        raise NotTrue(otherwise)
