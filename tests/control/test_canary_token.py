"""A secret is planted in every provider, a server echoes it wherever it can, and everything is searched."""

import json
import sys
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from tests.adapters.listening import Asked, Listening, Reply, json_reply, listening
from tests.adapters.test_every_provider import tools

from davy.adapters.addresses import Addresses
from davy.adapters.job import end_jobs
from davy.adapters.secret_files import SecretFiles
from davy.adapters.sqlite import SqliteStore
from davy.cli.running import providers
from davy.control import requests

CANARY = "c4nary/of+every=provider"
SPELLINGS = (CANARY, quote(CANARY, safe=""), b64encode(CANARY.encode()).decode(), CANARY[:12])

TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors}
spec:
  args: [{name: token, valueFrom: {secretKeyRef: {name: api, key: token}}}]
  metrics:
  - name: web
    consecutiveErrorLimit: 1
    successCondition: result.rate < 1
    provider:
      web:
        url: "ADDRESS/web?token={{args.token}}"
        headers: [{key: Authorization, value: "Bearer {{args.token}}"}]
  - name: signed
    consecutiveErrorLimit: 1
    successCondition: asFloat(result.you) < 1
    provider:
      web:
        url: "ADDRESS/web"
        authentication: {oauth2: {tokenUrl: "ADDRESS/token", clientId: me, clientSecret: "{{args.token}}"}}
  - name: prometheus
    consecutiveErrorLimit: 1
    successCondition: len(result) > 0 && result[0] < 1
    provider:
      prometheus:
        address: ADDRESS/prometheus
        query: up
        headers: [{key: Authorization, value: "Bearer {{args.token}}"}]
  - name: datadog1
    consecutiveErrorLimit: 1
    successCondition: result < 1
    provider: {datadog: {query: up, secretRef: {name: api, namespaced: true}}}
  - name: datadog2
    consecutiveErrorLimit: 1
    successCondition: result < 1
    provider: {datadog: {apiVersion: v2, query: up, secretRef: {name: api, namespaced: true}}}
  - name: honeycomb
    consecutiveErrorLimit: 1
    successCondition: result < 1
    provider:
      plugin:
        davy.dev/honeycomb:
          {dataset: d, query: {calculations: [{op: COUNT}], time_range: 60}, secretRef: {name: api}}
  - name: sentry
    consecutiveErrorLimit: 1
    successCondition: result < 1
    provider:
      plugin:
        davy.dev/sentry: {organization: o, metric: errors, window: 1m, secretRef: {name: api}}
  - name: job
    provider:
      job:
        spec:
          backoffLimit: 0
          template:
            spec:
              restartPolicy: Never
              containers:
              - name: c
                command: [PYTHON, -c, "import os, sys; e = os.environ; print(e['TOKEN']); sys.exit(e['SAME'])"]
                env:
                - {name: TOKEN, valueFrom: {secretKeyRef: {name: api, key: token}}}
                - {name: SAME, value: "{{args.token}}"}
"""


class Echo:
    """Answers with all that it was sent, with this status."""

    def __init__(self) -> None:
        self.status = 200
        self.paths: set[str] = set()

    def __call__(self, asked: Asked) -> Reply:
        self.paths.add(asked.path)
        if asked.path == "/token" and self.status == 200:
            return json_reply({"access_token": f"made-of-{CANARY}"})
        you = "; ".join(f"{name}={value}" for name, value in asked.headers.items())
        said: Any = {
            "you": you,
            "url": [asked.path, dict(asked.fields)],
            "rate": 0.5,
            "error": you,
            "errors": [you],
            "errorType": you,
            "status": "error",
            "id": you,
        }
        headers = {"Content-Type": "application/json", "Retry-After": CANARY}
        return Reply(self.status, json.dumps(said).encode(), headers)


@pytest.fixture
def echo() -> Iterator[tuple[Echo, Listening]]:
    answer = Echo()
    with listening(answer) as server:
        yield answer, server


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_a_secret_of_every_provider_is_left_nowhere(
    lab: Any, tmp_path: Path, echo: tuple[Echo, Listening], status: int
) -> None:
    answer, server = echo
    answer.status = status
    place = tmp_path / "secrets" / "default" / "api"
    place.mkdir(parents=True)
    keys = {"address": server.address, "token": CANARY, "api-key": CANARY, "app-key": CANARY}
    for key, value in keys.items():
        (place / key).write_text(value)
        (place / key).chmod(0o600)
    (tmp_path / "allowed-addresses").write_text("127.0.0.0/8")
    lab.store = SqliteStore(tmp_path / "davy.db")
    lab.secrets = SecretFiles(tmp_path / "secrets")
    lab.provider = providers(replace(tools(tmp_path), addresses=Addresses(tmp_path / "allowed-addresses")))
    lab.template = TEMPLATE.replace("ADDRESS", server.address).replace("PYTHON", sys.executable)
    lab.start()
    view = lab.apply("payments")
    assert view.accepted, view.findings
    lab.turns()
    lab.ask(requests.SetImage("default", "payments", {"app": "app:2"}, reason="a release"))
    view = lab.until(lambda view: view.status == "Degraded")
    metrics = {metric.metric for revision in view.revisions for run in revision.runs for metric in run.metrics}
    assert metrics == {
        "web",
        "signed",
        "prometheus",
        "datadog1",
        "datadog2",
        "honeycomb",
        "sentry",
        "job",
    }
    assert len(answer.paths) >= 5
    asked = [
        requests.Get("default", "payments"),
        requests.Why("default", "payments"),
        requests.Manifest("default", "payments"),
        requests.Record(limit=100_000),
        requests.List(),
        requests.Health(),
    ]
    seen = b"".join(msgspec.json.encode(lab.ask(one)) for one in asked)
    assert b"***" in seen
    lab.store.close()
    kept = {
        path.relative_to(tmp_path): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file() and path.parent != place and path.name != "log"
    }
    assert Path("davy.db") in kept
    for spelling in SPELLINGS:
        assert spelling.encode() not in seen
        assert not [name for name, content in kept.items() if spelling.encode() in content]
    end_jobs(tmp_path / "jobs")
