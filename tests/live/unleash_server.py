"""A real Unleash from npm on a real PostgreSQL, with tokens that are known beforehand."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.live import npm, postgres

from davy.adapters.http import Unreachable, request
from davy.adapters.ports import free_port
from davy.testing.patience import until

HERE = Path(__file__).parent / "unleash"
ADMIN, ANN, SDK = "*:*.davy-0123456789", "*:*.ann-0123456789", "default:production.sdk-0123456789"
"""What Davy asks with, what somebody else does, and what SDKs do."""

_FEATURES = "/api/admin/projects/default/features"


@dataclass(frozen=True)
class UnleashServer:
    """One that runs."""

    url: str

    def call(self, method: str, path: str, body: Any = None, token: str = ANN) -> Any:
        """Ask as a person does by the pages."""
        headers = {"Authorization": token, "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        answer = request(method, self.url + path, headers=headers, body=content)
        assert answer.status < 300, (method, path, answer.status, answer.body)
        return json.loads(answer.body) if answer.body else None

    def add(self, key: str, *, on: bool) -> None:
        """Make a flag that everybody gets, and where it is on enable it in production."""
        self.call("POST", _FEATURES, {"name": key, "type": "release"})
        if on:
            strategy = {"name": "default", "parameters": {}}
            self.call("POST", f"{_FEATURES}/{key}/environments/production/strategies", strategy)
            self.toggle(key, on=True)

    def toggle(self, key: str, *, on: bool) -> None:
        """Enable a flag in production, or disable it."""
        self.call("POST", f"{_FEATURES}/{key}/environments/production/{'on' if on else 'off'}")

    def for_sdks(self, key: str) -> bool:
        """Say whether SDKs get it that a flag is enabled."""
        found = self.call("GET", "/api/client/features", token=SDK)["features"]
        return any(each["enabled"] for each in found if each["name"] == key)

    def clear(self) -> None:
        """Take all flags away, so that their names are free again."""
        names = [each["name"] for each in self.call("GET", _FEATURES)["features"]]
        if names:
            self.call("POST", "/api/admin/projects/default/archive", {"features": names})
            self.call("POST", "/api/admin/projects/default/delete", {"features": names})


@contextmanager
def running() -> Iterator[UnleashServer]:
    """Run one until the end of the block."""
    programs = npm.installed(HERE)
    shutil.copy(HERE / "serve.mjs", programs)
    everywhere = {"environment": "*", "projects": ["*"], "type": "admin"}
    tokens = [
        {**everywhere, "secret": ADMIN, "tokenName": "davy"},
        {**everywhere, "secret": ANN, "tokenName": "ann"},
        {
            "environment": "production",
            "projects": ["default"],
            "type": "client",
            "secret": SDK,
            "tokenName": "sdk",
        },
    ]
    with postgres.running("fsync=off") as database:
        url = f"http://127.0.0.1:{(port := free_port())}"
        environment = {
            **os.environ,
            "PATH": npm.PATH,
            "DATABASE_URL": database.database(),
            "PORT": str(port),
            "TOKENS": json.dumps(tokens),
            "NODE_NO_WARNINGS": "1",
        }
        log = database.directory / "unleash.log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                ["node", "serve.mjs"],
                cwd=programs,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            ) as child,
        ):
            try:
                until(lambda: _answers(url) or child.poll() is not None, seconds=60, why=log.read_text)
                assert child.poll() is None, log.read_text()
                yield UnleashServer(url)
            finally:
                os.killpg(child.pid, signal.SIGKILL)  # `node` may be a program that starts the real one


def _answers(url: str) -> bool:
    try:
        return request("GET", f"{url}/health").status == 200
    except Unreachable:
        return False
