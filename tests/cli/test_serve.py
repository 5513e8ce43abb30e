"""`davy serve --admission`: what it stands on, and what it does when that changes."""

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.kubernetes_api import CONFIGURATIONS, api_server, kubeconfig
from tests.adapters.test_cluster import CONSTRAINTS, TEMPLATES
from tests.control.test_rules_in_force import constraint, template
from tests.policy.asking import asked, body, deployment, rollout

from davy.adapters.certificate_files import BUNDLE, CERTIFICATE, ServerTls, renew
from davy.adapters.certificates import DAY_S
from davy.cli.admitting import Admitting, Files, Secured, access
from davy.cli.hooking import address
from davy.cli.setting import Setting
from davy.control.api_reviews import Reviewing
from davy.errors import DavyError, UsageError
from davy.policy.admission_request import read
from davy.policy.passage import Trusted


def written(directory: Path, *documents: dict[str, Any]) -> Path:
    directory.mkdir(exist_ok=True)
    for number, document in enumerate(documents):
        (directory / f"{number}.yaml").write_text(json.dumps(document))
    return directory


def standing(tmp_path: Path, *sources: Path, **more: Any) -> Admitting:
    now = more.pop("now", time.time)
    reviewing = Reviewing(Trusted(), now)
    certificates = tmp_path / "tls"
    secured = Secured(ServerTls(certificates), certificates, ("localhost",), now, more.pop("published", ""))
    return Admitting(reviewing, Files(tuple(map(str, sources)), None), secured, more.pop("api", None))


def allows(admitting: Admitting, found: dict[str, Any]) -> bool:
    return bool(admitting.reviewing.judge(read(body(asked(found)))).body["response"]["allowed"])


def test_files_are_read_again_when_they_change_and_kept_when_they_cannot_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policies = written(tmp_path / "policies", template(), constraint("warn"))
    admitting = standing(tmp_path, policies)
    admitting.begin()
    assert admitting.doubt() == ""
    assert allows(admitting, deployment())
    written(policies, template(), constraint())
    admitting.look()
    assert not allows(admitting, deployment())
    (policies / "1.yaml").write_text("{")
    admitting.look()
    admitting.look()
    assert "1.yaml" in admitting.doubt()
    assert not allows(admitting, deployment())
    written(policies, template("package x\nviolation["), constraint("warn"))
    admitting.look()
    assert admitting.doubt() == ""
    assert admitting.reviewing.rules is not None
    assert admitting.reviewing.rules.stale
    assert not allows(admitting, deployment())
    gauges = admitting.gauges()
    assert gauges["davy_admission_reload_failures_total"][1] == 2
    written(policies, template(), constraint("warn"))
    admitting.look()
    assert allows(admitting, deployment())
    said = capsys.readouterr().err
    assert said.count("what was before stays in use") == 1
    assert said.count("newer policies cannot be read") == 1
    admitting.end()


def test_files_that_cannot_be_read_at_first_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DavyError, match="there is no"):
        standing(tmp_path, tmp_path / "none").begin()


def test_a_certificate_is_renewed_in_time_and_doubted_after_it(tmp_path: Path) -> None:
    now = [time.time()]
    admitting = standing(tmp_path, now=lambda: now[0])
    admitting.begin()
    first = (tmp_path / "tls" / CERTIFICATE).read_bytes()
    now[0] += 61 * DAY_S
    admitting.look()
    assert (tmp_path / "tls" / CERTIFICATE).read_bytes() != first
    assert admitting.doubt() == ""
    left = admitting.gauges()["davy_admission_certificate_seconds_left"][1]
    assert 89 * DAY_S < left <= 90 * DAY_S
    (tmp_path / "tls" / CERTIFICATE).write_text("nothing")
    (tmp_path / "tls" / "keyring.pem").unlink()
    now[0] += DAY_S
    admitting.look()
    assert "cannot be used" in admitting.doubt()
    now[0] += 90 * DAY_S
    assert admitting.doubt() == "the certificate has ended"


def test_a_cluster_is_read_watched_and_told_whom_to_believe(tmp_path: Path) -> None:
    with api_server(tmp_path, time.time()) as server:
        server.write(TEMPLATES, "nodeployments", spec=template()["spec"])
        server.write(CONFIGURATIONS, "davy-admission", webhooks=[{"name": "a", "clientConfig": {}}])
        # What the fake server calls its constraints is not what the template makes: files bring the constraint.
        policies = written(tmp_path / "policies", constraint())
        api = access(Setting(tmp_path), in_cluster=False, kubeconfig=kubeconfig(server, tmp_path), context="")
        assert api is not None
        admitting = standing(tmp_path / "own", policies, api=api, published="davy-admission")
        (tmp_path / "own").mkdir()
        admitting.begin()
        assert admitting.reviewing.rules is None
        assert admitting.cluster is not None
        while admitting.cluster.trouble:
            assert admitting.cluster.changed.wait(30)
            admitting.cluster.changed.clear()
        admitting.look()
        assert not allows(admitting, deployment())
        assert allows(admitting, rollout())
        hooks = server.objects[CONFIGURATIONS]["davy-admission"]["webhooks"]
        assert hooks[0]["clientConfig"]["caBundle"]
        server.write(CONSTRAINTS, "another", spec={})
        admitting.end()


@pytest.mark.parametrize("text", ["8443", "host:", ":1", "a:b", "a:70000", "a:-1", "a:²"])
def test_an_address_that_is_none_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="is not an address to listen at"):
        address(text)


def test_addresses_are_read() -> None:
    assert address("0.0.0.0:8443") == ("0.0.0.0", 8443)
    assert address("[::1]:0") == ("::1", 0)


def test_it_answers_until_it_is_asked_to_stop(tmp_path: Path) -> None:
    policies = written(tmp_path / "policies", template(), constraint())
    tls = tmp_path / "tls"
    renew(tls, ("localhost",), time.time())
    command = [sys.executable, "-m", "davy", "serve", "--admission", "--listen", "127.0.0.1:0", "--drain", "0"]
    command += ["--cert-dir", str(tls), "--policies", str(policies), "--profile", "none"]
    environment = {**os.environ, "DAVY_HOME": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "https://" in line)
        port = int(line.partition("127.0.0.1:")[2].partition("/")[0])
        context = ssl.create_default_context(cafile=str(tls / BUNDLE))
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
        for found, allowed in ((deployment(), False), (rollout(), True)):
            connection.request("POST", "/v1/admit", body=body(asked(found)))
            assert json.loads(connection.getresponse().read())["response"]["allowed"] is allowed
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
        assert process.wait() == 0
    connection.close()
    assert "finishing what is under way" in rest
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say what to serve: --admission"),
        (["--admission", "--in-cluster"], "this is no pod"),
        (
            ["--admission", "--in-cluster", "--kubeconfig", "x"],
            "--in-cluster and --kubeconfig name two clusters",
        ),
        (["--admission", "--publish", "x"], "--publish needs a cluster"),
        (["--admission", "--kubeconfig", "/nowhere"], "/nowhere cannot be read"),
    ],
)
def test_what_makes_no_sense_is_told(tmp_path: Path, arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "davy", "--home", str(tmp_path), "serve", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 2
    assert said in ran.stderr
