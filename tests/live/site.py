"""An engine in a process of its own, a small service that it runs, and the users of that service."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from davy.adapters.load import Exchange, Load
from davy.control import requests, views
from davy.errors import DavyError
from davy.ledger.entry import Entry
from davy.serve.client import Client
from davy.testing.patience import until

APPS = Path(__file__).parents[1] / "apps"
SPEED = 30
STEPS = "[{setWeight: 20}, {pause: {duration: 30s}}, {setWeight: 50}, {pause: {duration: 30s}}]"
ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: pay}
spec:
  replicas: 2
  selector: {matchLabels: {app: pay}}
  template:
    metadata: {labels: {app: pay}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: app
        image: app:one
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1, timeoutSeconds: 1}
  strategy:
    canary:
      canaryService: canary
      stableService: stable
      trafficRouting: {smi: {}}
      steps: STEPS
---
{apiVersion: v1, kind: Service, metadata: {name: canary}, spec: {selector: {app: pay}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: stable}, spec: {selector: {app: pay}, ports: [{port: 80}]}}
---
apiVersion: davy.dev/v1alpha1
kind: ImageMap
metadata: {name: images}
spec:
  images:
    "app:bad": {source: {dir: .}, command: [env, VERSION=bad, ERROR_RATE=0.3, PYTHON, upstream.py]}
    "app:*": {source: {dir: .}, command: [env, "VERSION={tag}", PYTHON, upstream.py]}
"""


class Site:
    """A state directory, the engine that runs on it, and what is asked of it."""

    def __init__(self, home: Path, *, speed: int = SPEED) -> None:
        self.home, self.speed = home, speed
        self.process: subprocess.Popen[bytes] | None = None
        self.started: list[subprocess.Popen[bytes]] = []

    @property
    def log(self) -> Path:
        return self.home.parent / "up.log"

    def start(self, *options: str, before: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        """Start an engine and do not wait for it; `before` is what starts it, strace for example."""
        davy = [sys.executable, "-m", "davy", "up", "--home", str(self.home), "--speed", str(self.speed)]
        with self.log.open("ab") as log:
            command = [*before, *davy, *options]
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.started.append(process)
        return process

    def up(self, *options: str, before: tuple[str, ...] = ()) -> None:
        """Start an engine and wait until it answers."""
        self.process = process = self.start(*options, before=before)
        until(lambda: process.poll() is not None or self.answers(), why=self.log.read_text)
        assert process.poll() is None, self.log.read_text()

    def down(self) -> None:
        """End everything, whatever state it is in."""
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
        command = [sys.executable, "-m", "davy", "down", "--home", str(self.home)]
        subprocess.run(command, check=True, env=os.environ)
        for process in self.started:
            process.wait()

    def answers(self) -> bool:
        try:
            return isinstance(self.ask(requests.Health()), views.HealthView)
        except DavyError:
            return False

    def kill(self, number: int = signal.SIGKILL) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait()

    def ask(self, request: requests.AnyRequest, timeout_s: float = 10.0) -> views.AnyView:
        return Client(self.home / "davy.sock", timeout_s=timeout_s).ask(request)

    def health(self) -> views.HealthView:
        view = self.ask(requests.Health())
        assert isinstance(view, views.HealthView)
        return view

    def get(self, name: str = "pay") -> views.RolloutView:
        view = self.ask(requests.Get("default", name))
        assert isinstance(view, views.RolloutView)
        return view

    def entries(self) -> tuple[Entry, ...]:
        view = self.ask(requests.Record(limit=100_000))
        assert isinstance(view, views.RecordView)
        return view.entries

    def apply(self, *texts: tuple[str, str], steps: str = STEPS) -> None:
        """Run the service, with these steps; more texts are applied with it."""
        service = ROLLOUT.replace("PYTHON", sys.executable).replace("STEPS", steps)
        view = self.ask(requests.Apply((("pay.yaml", service), *texts), str(APPS), "a test"))
        assert isinstance(view, views.ApplyView)
        assert view.accepted, [finding.text for finding in view.findings]
        until(lambda: self.get().status == "Healthy", seconds=60, why=self.get)

    def release(self, tag: str) -> None:
        self.ask(requests.SetImage("default", "pay", {"app": f"app:{tag}"}, "a test"))

    def users(self, rate_hz: float = 100.0, timeout_s: float = 20.0) -> Load:
        port = int(self.get().url.rstrip("/").rsplit(":", 1)[1])
        return Load(port, rate_hz=rate_hz, timeout_s=timeout_s).start()


def failed(exchanges: list[Exchange]) -> list[Exchange]:
    return [one for one in exchanges if one.status != 200]
