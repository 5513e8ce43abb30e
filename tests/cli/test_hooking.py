"""`davy serve --hooks` and `davy up --http` as processes; and a secret that is planted and looked for."""

import hashlib
import http.client
import json
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.serve.hooking import SCHEMES, cases, signed

from davy.adapters.certificate_files import BUNDLE, renew
from davy.adapters.memory_flags import MemoryFlags
from davy.adapters.memory_store import MemoryStore
from davy.adapters.sqlite import SqliteStore
from davy.cli.hooking import hooks, http_of
from davy.cli.setting import Setting
from davy.errors import NotPermitted, UsageError

CANARY = "c4nary:of/every+hook"
SPELLINGS = (CANARY, quote(CANARY, safe=""), b64encode(CANARY.encode()).decode(), CANARY[:11])
FIRST = {scheme: next(case for case in cases(scheme) if case.status == 202) for scheme in SCHEMES}


def secret(home: Path, name: str, key: str, text: str = CANARY) -> None:
    file = home / "secrets" / "default" / name / key
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(text)


def sources(home: Path) -> Path:
    """Write a file with a source of every scheme, all of them with the same word as their secret."""
    specs = []
    for scheme, case in FIRST.items():
        key = case.source.secrets[0]
        secret(home, key.name, key.key)
        fields: dict[str, Any] = {
            "name": f"{scheme}-1",
            "scheme": scheme,
            "secrets": [{"name": key.name, "key": key.key}],
        }
        fields |= {"repos": case.source.repos, "services": case.source.services, "sources": case.source.sources}
        fields |= {"workflows": case.source.workflows, "service": case.source.service}
        fields |= {"deploymentExposes": case.source.deployment_exposes}
        specs.append(fields)
    file = home / "hooks.yaml"
    file.write_text(json.dumps({"sources": specs}))
    return file


@contextmanager
def running(home: Path, *more: str) -> Iterator[tuple[int, "subprocess.Popen[str]", list[str]]]:
    """Run the command on any port, and yield the port, the process and what it has said."""
    command = [sys.executable, "-m", "davy", "--home", str(home), "serve", "--listen", "127.0.0.1:0", *more]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said: list[str] = []
    port = 0
    for line in process.stderr:
        said.append(line)
        if "  record  " in line:
            break
        if "  at      " in line:
            port = int(line.rpartition(":")[2].partition("/")[0])
    try:
        assert port, said
        yield port, process, said
    finally:
        process.send_signal(signal.SIGTERM)
        out, rest = process.communicate(timeout=60)
        said += [out, rest]
        assert process.returncode == 0, said


def post(port: int, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    one = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    one.request("POST", path, body, {"Content-Type": "application/json"} | headers)
    answer = one.getresponse()
    text = answer.read().decode()
    one.close()
    return answer.status, text + str(answer.headers)


def test_a_secret_is_in_no_answer_no_record_and_no_line(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    told = []
    with running(home, "--hooks", str(sources(home))) as (port, _, said):
        for scheme, case in FIRST.items():
            right = case.headers | signed(scheme, CANARY, case.body)
            assert post(port, case.path, case.body, right)[0] in (202, 401), scheme  # Sentry's time may be over
            for body, headers in (
                (case.body, {name: value[:-1] for name, value in right.items()}),
                (b"{", signed(scheme, CANARY, b"{")),
                (b"{}", case.headers | {"Authorization": f"Bearer {CANARY}"}),
                (CANARY.encode(), signed(scheme, CANARY, CANARY.encode())),
            ):
                status, text = post(port, case.path, body, headers)
                assert status in (200, 400, 401, 403), (scheme, text)
                told.append(text)
        one = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for path in ("/metrics", "/readyz", "/healthz", "/hooks/github"):
            one.request("GET", path)
            told.append(one.getresponse().read().decode())
        one.close()
    store = SqliteStore(home / "davy.db")
    assert len(store.entries()) >= len(SCHEMES)
    record = b"\n".join(store.bodies(0, 1000)).decode()
    store.close()
    for spelling in SPELLINGS:
        assert spelling not in "".join(said)
        assert spelling not in record
        assert all(spelling not in text for text in told)
    for file in home.glob("davy.db*"):
        assert not any(spelling.encode() in file.read_bytes() for spelling in SPELLINGS)


def test_what_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    file = sources(home)
    case = FIRST["github"]
    command = [sys.executable, "-m", "davy", "--home", str(home), "serve", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen([*command, "--hooks", str(file)], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    port = next(
        int(line.rpartition(":")[2].partition("/")[0]) for line in process.stderr if "  at      " in line
    )
    assert post(port, case.path, case.body, signed("github", CANARY, case.body))[0] == 202
    process.kill()
    process.wait()
    process.stderr.close()
    with running(home, "--hooks", str(file)) as (again, _, _):
        assert post(again, case.path, case.body, signed("github", CANARY, case.body))[0] == 200
    store = SqliteStore(home / "davy.db")
    (entry,) = store.entries()
    store.close()
    assert hashlib.sha256(case.body).hexdigest() in entry.authenticated


def test_with_certificates_it_speaks_tls(tmp_path: Path) -> None:
    import ssl
    import time

    home = tmp_path / "home"
    home.mkdir()
    renew(tmp_path / "tls", ("localhost",), time.time())
    case = FIRST["github"]
    with running(home, "--hooks", str(sources(home)), "--cert-dir", str(tmp_path / "tls")) as (port, _, _):
        context = ssl.create_default_context(cafile=str(tmp_path / "tls" / BUNDLE))
        one = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
        one.request("POST", case.path, case.body, signed("github", CANARY, case.body))
        assert one.getresponse().status == 202
        one.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--hooks", "/nowhere"], "/nowhere cannot be read"),
        (
            ["--hooks", "hooks.yaml", "--admission"],
            "say what to serve: --admission",
        ),
        (["--hooks", "hooks.yaml", "--listen", "8080"], "'8080' is not an address to listen at"),
        (["--hooks", "bad.yaml"], "error[bad-manifest]: bad.yaml:1:"),
        (["--hooks", "hooks.yaml"], "there is no secret default/github with a key webhook"),
    ],
)
def test_what_makes_no_sense_is_told(tmp_path: Path, arguments: list[str], said: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "hooks.yaml").write_text(sources(home).read_text())
    (tmp_path / "bad.yaml").write_text("source: []")
    (home / "secrets" / "default" / "github" / "webhook").unlink()
    command = [sys.executable, "-m", "davy", "--home", str(home), "serve", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert ran.returncode in (2, 3)
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_file_of_sources_that_anybody_can_change_is_not_believed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    file = sources(home)
    file.chmod(0o646)
    with pytest.raises(NotPermitted, match="anybody on this machine can change it"):
        hooks(Setting(home), file, MemoryStore(), lambda: 5.0)


def test_plain_http_beyond_this_machine_is_warned_of(tmp_path: Path, capsys: Any) -> None:
    home = tmp_path / "home"
    home.mkdir()
    engine: Any = Engine(home)
    for listen, warned in (("127.0.0.1:0", False), ("0.0.0.0:0", True)):
        with http_of(engine, Setting(home), listen, None):
            assert ("warning: this is plain HTTP beyond this machine" in capsys.readouterr().err) == warned
    engine.store.close()


class Engine:
    """As much of an engine as the way in over HTTP needs."""

    def __init__(self, home: Path) -> None:
        self.store = SqliteStore(home / "davy.db")
        self.engine = self
        self.flags = MemoryFlags()

    def now(self) -> float:
        return 5.0


def test_an_engine_takes_events_in_by_its_own_store_and_clock(tmp_path: Path, capsys: Any) -> None:
    home = tmp_path / "home"
    home.mkdir()
    case = FIRST["github"]
    engine: Any = Engine(home)
    with http_of(engine, Setting(home), "127.0.0.1:0", sources(home)):
        line = capsys.readouterr().err
        port = int(line.rpartition(":")[2].partition("/")[0])
        assert post(port, case.path, case.body, signed("github", CANARY, case.body))[0] == 202
    assert engine.store.entries()[0].received == 5.0
    with http_of(engine, Setting(home), "127.0.0.1:0", None):
        port = int(capsys.readouterr().err.rpartition(":")[2])
        assert post(port, case.path, case.body, {})[0] == 404
    engine.store.close()
    with pytest.raises(UsageError), http_of(engine, Setting(home), "nowhere", None):
        pass
