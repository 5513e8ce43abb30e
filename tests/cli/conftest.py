"""The command line against a real socket, with a stand-in for the engine behind it that holds views."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from davy.cli.program import program
from davy.cli.setting import Pace, Setting
from davy.control import requests, views
from davy.errors import NotFound
from davy.ledger.entry import Entry
from davy.serve.socket import SocketServer
from davy.testing.scripted import Scripted

Run = Callable[..., Result]

GOLDEN = Path(__file__).parent / "golden"


def rollout(**changes: Any) -> views.RolloutView:
    """Make the view of the golden file: an update that is on its third step."""
    view = msgspec.json.decode((GOLDEN / "payments.json").read_bytes(), type=views.RolloutView)
    return msgspec.structs.replace(view, **changes)


class Shelf:
    """Holds rollouts as they look and the record, and answers as an engine would."""

    def __init__(self) -> None:
        self.rollouts = {"payments": rollout()}
        self.entries: list[Entry] = []
        self.applied = views.ApplyView(accepted=True, applied=(), findings=())
        self.waivers = views.WaiverList(items=(), generation=1)

    def answer(self, request: requests.AnyRequest, _actor: str) -> views.AnyView:
        match request:
            case requests.List(namespace=namespace):
                items = [view for view in self.rollouts.values() if namespace in ("", view.namespace)]
                return views.RolloutList(items=tuple(items))
            case requests.Apply():
                return self.applied
            case requests.Record():
                found = [entry for entry in self.entries if entry.seq > request.after]
                found = [entry for entry in found if entry.subject.endswith(request.name)]
                return views.RecordView(entries=tuple(found[: request.limit]))
            case requests.Health():
                return views.HealthView(
                    version="9.9", pid=7, speed=1.0, now=0.0, rollouts=1, troubles=(), profile="starter"
                )
            case requests.Emit(events=events):
                told = (
                    views.EventView("change_merged", "a", "b", str(n), "written", n)
                    for n, _ in enumerate(events, 1)
                )
                return views.EmitView(events=tuple(told))
            case requests.Found(findings=findings):
                noted = (
                    views.EventView(each.kind, each.subject, each.source, each.id, "written", n)
                    for n, each in enumerate(findings, 1)
                )
                return views.EmitView(events=tuple(noted))
            case requests.Query():
                return views.QueryView(result_type="vector", samples=())
            case requests.Waivers():
                return self.waivers
            case (
                requests.AskWaiver()
                | requests.ApproveWaiver()
                | requests.RevokeWaiver()
                | requests.ReviewWaiver()
            ):
                return views.WaiverStepView(message="a step", waiver=self.waivers.items[0], generation=2)
            case (
                requests.FlagStatus()
                | requests.FlagList()
                | requests.FlagHistory()
                | requests.SetFlag()
                | requests.KillFlag()
                | requests.RestoreFlag()
                | requests.ApproveFlag()
                | requests.DrillFlag()
                | requests.RampFlag()
                | requests.FlagBlame()
            ):
                raise NotFound("there are no flags here")
            case requests.DeletePolicy():
                return views.ActionView(namespace="", name=request.name, message="policy deleted")
        view = self.rollouts.get(request.name)
        if view is None or view.namespace != request.namespace:
            raise NotFound(
                f'rollout "{request.name}" not found in namespace "{request.namespace}"',
                hint="known there: payments",
            )
        match request:
            case requests.Get():
                return view
            case requests.Manifest():
                return views.ManifestView(manifest={"kind": "Rollout", "spec": {"replicas": 3}})
            case requests.Why():
                return views.WhyView(
                    namespace=view.namespace,
                    name=view.name,
                    status=view.status,
                    sentence="payments waits for a person",
                    evidence=("error-ratio: 0.01",),
                    entries=tuple(self.entries),
                )
        message = f"rollout '{request.name}' {type(request).__name__.lower()}"
        return views.ActionView(namespace=view.namespace, name=view.name, message=message)


class Waiting:
    """Time that passes only by waiting; `then` is called after each wait with how often that was."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waits = 0
        self.then: Callable[[int], None] = lambda _waits: None

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.waits += 1
        self.then(self.waits)


@pytest.fixture
def home() -> Iterator[Path]:
    """A state directory with a name short enough for a socket."""
    directory = Path(tempfile.mkdtemp(prefix="davy-"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def engine(home: Path, shelf: Shelf) -> Iterator[Scripted]:
    """An engine that listens in the state directory."""
    scripted = Scripted(shelf.answer)
    with SocketServer(home / "davy.sock", scripted, reports=home / "reports"):
        yield scripted


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
def run(home: Path, waiting: Waiting) -> Run:
    """Run `davy` in this process with the state directory of the test."""

    def invoke(
        *arguments: str,
        env: dict[str, str] | None = None,
        stdin: Any = None,
        wall: Callable[[], float] = time.time,
    ) -> Result:
        environment = {"DAVY_HOME": str(home), "HOME": str(home), **(env or {})}
        setting = Setting(
            home=Path(),
            environment=environment,
            pace=Pace(lambda: waiting.seconds, waiting.sleep),
            wall=wall,
        )
        return CliRunner().invoke(program, arguments, obj=setting, env=environment, input=stdin)

    return invoke
