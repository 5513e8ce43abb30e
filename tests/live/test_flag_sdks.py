"""SDKs of OpenFeature in TypeScript and Python against a real `davy flag serve`, by the example's programs."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest
from tests.live.npm import PATH, installed

from davy.testing.patience import until

pytestmark = pytest.mark.live

EXAMPLE = Path(__file__).parents[2] / "examples" / "checkout"


@pytest.fixture(scope="module")
def programs() -> Path:
    """Install what the lock names, and return where the programs are."""
    kept = installed(EXAMPLE)
    shutil.copytree(EXAMPLE / "src", kept / "src", dirs_exist_ok=True)
    return kept


@dataclass
class Running:
    """A server of the example's flags, and the secrets of its tokens."""

    url: str
    directory: Path
    secrets: dict[str, str] = field(default_factory=dict)

    def environment(self, token: str) -> dict[str, str]:
        return {
            "PATH": PATH,
            "DAVY_FLAGS": self.url,
            "DAVY_TOKEN": self.secrets.get(token, "guess"),
            "NODE_NO_WARNINGS": "1",
        }

    def change(self, name: str, before: str, after: str) -> None:
        path = self.directory / name
        text = path.read_text()
        assert before in text
        beside = path.with_suffix(".new")
        beside.write_text(text.replace(before, after, 1))
        beside.rename(path)


class Lines:
    """What a process writes, line by line as it comes."""

    def __init__(self, stream: IO[str] | None) -> None:
        assert stream is not None
        self.lines: list[str] = []
        threading.Thread(target=lambda: self.lines.extend(stream), daemon=True).start()


def davy(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "davy", *arguments, "--home", str(home)]


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    """Serve the flags of both examples, in production unless a test names another environment."""
    home, flags = tmp_path / "home", tmp_path / "flags"
    flags.mkdir()
    for example in ("checkout", "payments"):
        shutil.copy(EXAMPLE.parent / example / "flags.yaml", flags / f"{example}.yaml")
    tokens = {
        "server": ("--edge", "server", "--service", "checkout"),
        "client": ("--edge", "client", "--keys", "shop.*", "--origin", "https://shop.example"),
    }
    secrets = {}
    for name, options in tokens.items():
        made = subprocess.run(
            davy(home, "flag", "token", "new", name, *options, "-o", "json"), capture_output=True, check=True
        )
        secrets[name] = json.loads(made.stdout)["secret"]
    environment = getattr(request, "param", "production")
    where = ("--flags", str(flags), "--environment", environment, "--listen", "127.0.0.1:0")
    command = davy(home, "flag", "serve", *where)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        said = Lines(child.stderr)
        try:
            until(lambda: any("tokens" in line for line in said.lines) or child.poll() is not None, seconds=60)
            url = re.search(r"http://\S+", "".join(said.lines))
            assert url, said.lines
            yield Running(url[0], flags, secrets)
            child.terminate()
            assert child.wait(30) == 0
        finally:
            child.kill()


def last_line(ran: "subprocess.CompletedProcess[str]") -> Any:
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("server", ["production", "staging"], indirect=True)
@pytest.mark.parametrize("language", ["typescript", "python"])
def test_the_corrected_sample_takes_the_discount_off_only_where_its_gate_is_open(
    programs: Path, server: Running, language: str, request: pytest.FixtureRequest
) -> None:
    def run(account: str, token: str = "server") -> Any:
        command = (
            ["node", "src/checkout-flag.ts", account]
            if language == "typescript"
            else [sys.executable, str(EXAMPLE / "checkout_flag.py"), account]
        )
        environment = {**os.environ, **server.environment(token)}
        ran = subprocess.run(
            command, cwd=programs, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        if language == "typescript":
            [event] = [
                json.loads(line) for line in ran.stderr.splitlines() if "feature_flag.evaluation" in line
            ]
            assert event["feature_flag.key"] == "checkout.discount-enabled"
            assert account not in ran.stderr
        return last_line(ran)

    if (
        request.node.callspec.params["server"] == "production"
    ):  # no canary has passed: off, whatever its rule says
        assert run("acct-7") == {"accountId": "acct-7", "total": 100, "reason": "DISABLED"} | NO_ERROR[language]
        return
    assert run("acct-7")["total"] == 90
    server.change("payments.yaml", 'staging: {defaultVariant: "on"', 'staging: {defaultVariant: "off"')
    until(lambda: run("acct-7")["total"] == 100, seconds=60)
    unknown = run("acct-7", token="nobody")
    assert (unknown["total"], unknown["reason"]) == (100, "ERROR")


NO_ERROR: dict[str, dict[str, Any]] = {"typescript": {}, "python": {"errorCode": None}}


@contextmanager
def page(programs: Path, server: Running, how: str) -> Iterator["Page"]:
    command = ["node", "--experimental-eventsource", "src/shop-page.ts", "acct-7-beta", how]
    environment = {**os.environ, **server.environment("client")}
    with subprocess.Popen(
        command, cwd=programs, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            yield Page(child)
            assert child.stdin is not None
            child.stdin.close()
            assert child.wait(30) == 0
        finally:
            child.kill()


class Page:
    """A page that is open, and what it showed."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._lines, self._child = Lines(child.stdout), child

    @property
    def shown(self) -> list[Any]:
        """Return what it showed, one after the other."""
        return [json.loads(line) for line in tuple(self._lines.lines)]

    def look(self) -> Any:
        """Return what it shows now."""
        assert self._child.stdin is not None
        before = len(self.shown)
        self._child.stdin.write("look\n")
        self._child.stdin.flush()
        until(lambda: len(self.shown) > before, seconds=30)
        return self.shown[-1]


@pytest.mark.parametrize("how", ["sse", "polling"])
def test_a_page_has_what_is_for_pages_and_hears_of_a_kill(programs: Path, server: Running, how: str) -> None:
    with page(programs, server, how) as shop:
        until(lambda: bool(shop.shown), seconds=60)
        first = shop.shown[0]
        assert (first["event"], first["banner"], first["reason"]) == ("ready", True, "TARGETING_MATCH")
        assert first["metadata"] == {} or first["metadata"].keys() <= {"version"}
        assert (first["fraud"], first["fraudError"]) == (False, "FLAG_NOT_FOUND")
        if how == "polling":
            until(lambda: 304 in shop.look()["asked"], seconds=30)
        server.change("checkout.yaml", '"on"\n      - "off"', '"off"\n      - "off"')
        until(lambda: shop.look()["banner"] is False, seconds=30)
        assert any(each["event"] == "changed" for each in shop.shown)
        assert set(shop.shown[-1]["asked"]) <= {200, 304}


def test_the_lock_names_no_registry() -> None:
    text = (EXAMPLE / "package-lock.json").read_text()
    assert "http" not in text
    assert json.loads(text)["lockfileVersion"] == 3
