"""What an engine measures with other providers than Prometheus, and that no secret is left anywhere."""

import threading
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import pytest

from davy.adapters.memory_store import MemoryStore
from davy.analysis.metric import Measurement
from davy.analysis.phase import Phase
from davy.analysis.provider import Answer, Asking, Judged, ProviderError
from davy.analysis.secret import Secret
from davy.control import requests
from davy.control.measuring import measure
from davy.model.analysis import Metric, SecretKeyRef
from davy.model.key import Key
from davy.model.providers import MetricProvider

CANARY = "c4nary-of-the-engine"


class Box:
    """Keeps one secret."""

    def find(self, namespace: str, name: str, key: str) -> Secret | None:
        return Secret(CANARY) if (namespace, name, key) == ("default", "api", "token") else None

    def place(self, namespace: str, name: str, key: str) -> str:
        return f"make {name}/{key}"


class Echo:
    """Answers with what it was sent; or raises it, or judges by it."""

    def __init__(self) -> None:
        self.asked: list[MetricProvider] = []

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Answer | Judged:
        self.asked.append(provider)
        assert provider.web is not None
        match provider.web.method:
            case "PUT":
                raise ValueError(f"{provider.web.url} {CANARY} is wrong")
            case "POST":
                return Judged(Phase.FAILED, f"no {CANARY}", CANARY, {"log": CANARY})
            case _:
                return Answer(
                    {"you sent": provider.web.headers[0].value, "rate": 0.5}, CANARY, {"source": CANARY}
                )


def web(method: str = "", **fields: Any) -> Metric:
    asked = {
        "url": "https://api.example/{{ args.token }}",
        "headers": [{"key": "Authorization", "value": "Bearer {{args.token}}"}],
        "method": method,
    }
    return msgspec.convert({"name": "m", "provider": {"web": asked}} | fields, Metric)


def taken(
    metric: Metric, provider: Any = None, secrets: Mapping[str, SecretKeyRef] | None = None
) -> Measurement:
    secrets = (
        {"token": SecretKeyRef("api", "token"), "unused": SecretKeyRef("gone", "gone")}
        if secrets is None
        else secrets
    )
    providers = {"web": provider or Echo()}
    return measure(metric, secrets, Asking("n", "default", Box()), providers, lambda: 9.0, asked_at=5.0)


def test_a_secret_is_put_in_and_taken_out_again() -> None:
    echo = Echo()
    found = taken(web(successCondition="result.rate < 1"), echo)
    assert echo.asked[0].web is not None
    assert echo.asked[0].web.url == f"https://api.example/{CANARY}"
    assert echo.asked[0].web.headers[0].value == f"Bearer {CANARY}"
    assert found == Measurement(5.0, 9.0, Phase.SUCCESSFUL, "***", "", {"source": "***"})


def test_conditions_see_no_secret_either() -> None:
    found = taken(web(successCondition='result["you sent"] == "Bearer ***"'))
    assert found.phase is Phase.SUCCESSFUL
    found = taken(web(successCondition='asFloat(result["you sent"]) > 1'))
    assert found.phase is Phase.ERROR
    assert "***" in found.message


def test_what_is_raised_or_judged_holds_no_secret() -> None:
    assert taken(web("PUT")).message == "https://api.example/*** *** is wrong"
    assert taken(web("POST")) == Measurement(5.0, 9.0, Phase.FAILED, "***", "no ***", {"log": "***"})


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ({"token": SecretKeyRef("api", "other")}, "the secret default/api has no key other: make api/other"),
        ({}, "failed to resolve {{ args.token }}"),
    ],
)
def test_a_secret_that_cannot_be_read_is_an_error(secrets: Mapping[str, SecretKeyRef], message: str) -> None:
    found = taken(web(), secrets=secrets)
    assert (found.phase, found.message) == (Phase.ERROR, message)


def test_a_provider_that_is_not_installed_is_an_error() -> None:
    metric = msgspec.convert({"name": "m", "provider": {"plugin": {"a/b": {}}}}, Metric)
    assert taken(metric).message == "the provider a/b is not installed"


class Number:
    def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Answer:
        return Answer(1.0, "1")


def test_a_value_without_conditions_is_no_pass_where_nobody_could_check() -> None:
    metric = msgspec.convert({"name": "m", "provider": {"plugin": {"a/b": {}}}}, Metric)
    conditioned = msgspec.structs.replace(metric, success_condition="result > 0")
    for asked, phase in ((metric, Phase.ERROR), (conditioned, Phase.SUCCESSFUL)):
        found = measure(asked, {}, Asking(), {"a/b": Number()}, lambda: 1.0, asked_at=1.0)
        assert found.phase is phase


TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors}
spec:
  args: [{name: token, valueFrom: {secretKeyRef: {name: api, key: token}}}]
  metrics:
  - name: web
    count: 2
    interval: 10s
    failureLimit: 0
    successCondition: result.rate < 1
    provider:
      web:
        url: "https://api.example/{{args.token}}"
        method: METHOD
        headers: [{key: Authorization, value: "Bearer {{args.token}}"}]
"""


def rolled_out(lab: Any, template: str) -> None:
    """Apply a rollout with this gate and release its second version."""
    lab.template = template
    assert lab.apply("payments").accepted
    lab.turns()
    lab.ask(requests.SetImage("default", "payments", {"app": "app:2"}, reason="a release"))


def everything(lab: Any) -> bytes:
    """Write out all that the store keeps and all that anybody can ask for."""
    kept = lab.store
    assert isinstance(kept, MemoryStore)
    kinds = ("object", "rollout", "run", "watch", "meta")
    stored = b"".join(body for kind in kinds for body in kept.load(kind).values())
    asked = [
        requests.Get("default", "payments"),
        requests.Why("default", "payments"),
        requests.Manifest("default", "payments"),
        requests.Record(),
        requests.List(),
        requests.Health(),
    ]
    entries = msgspec.json.encode(kept.entries(limit=100_000))
    return stored + entries + b"".join(msgspec.json.encode(lab.ask(one)) for one in asked)


@pytest.mark.parametrize(("method", "status"), [("GET", "Paused"), ("POST", "Degraded"), ("PUT", "Degraded")])
def test_a_secret_is_left_nowhere(lab: Any, method: str, status: str) -> None:
    lab.provider = {"prometheus": lab.provider, "web": Echo()}
    lab.secrets = Box()
    lab.start()
    rolled_out(lab, TEMPLATE.replace("METHOD", method))
    lab.until(lambda view: view.status == status and (status != "Paused" or view.step == 4))
    found = everything(lab)
    assert b"{{args.token}}" in found
    assert b"***" in found
    assert CANARY.encode() not in found


class Slow:
    """A provider whose measurements last until they are let go or wanted no more."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.wanted: list[list[str]] = []
        self.go = threading.Event()

    def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Judged:
        self.begun.append(asking.name)
        assert self.go.wait(30)
        return Judged(Phase.SUCCESSFUL)

    def end_all_but(self, names: Collection[str]) -> None:
        self.wanted.append(sorted(names))
        if self.begun and not names:
            self.go.set()


JOBS = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors}
spec:
  metrics:
""" + "".join(
    f"""  - name: job{number}
    provider:
      job: {{spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: x}}]}}}}}}}}
"""
    for number in range(12)
)


def test_jobs_keep_nobody_from_being_asked_and_keep_their_names_over_a_crash(lab: Any) -> None:
    slow = Slow()
    lab.provider = {"job": slow}
    lab.start()
    rolled_out(lab, JOBS)
    for _ in range(100):
        lab.clock.time += 10
        lab.serve()
        lab.engine.turn()
        if slow.begun:
            break
    [run] = lab.runs.of(Key("default", "payments"))
    names = sorted(f"{run.key}@{run.state.started_at}/job{number}/1" for number in range(12))
    assert sorted(slow.begun) == names  # more than there are threads in the pool
    assert slow.wanted[-1] == names
    again = Slow()
    lab.provider = {"job": again}
    lab.start()
    lab.engine.turn()
    assert sorted(again.begun) == names
    again.go.set()
    slow.go.set()
    lab.turns()
    assert lab.get().step == 4
    assert again.wanted[-1] == []


def test_a_job_whose_run_ended_is_wanted_no_more(lab: Any) -> None:
    slow = Slow()
    lab.provider = {"job": slow}
    lab.start()
    rolled_out(lab, JOBS)
    for _ in range(100):
        lab.clock.time += 10
        lab.serve()
        lab.engine.turn()
        if slow.begun:
            break
    lab.ask(requests.Abort("default", "payments", "enough"))
    lab.turns()
    assert slow.wanted[-1] == []
    assert slow.go.is_set()
    assert lab.get().status == "Degraded"


def test_a_trouble_is_told_as_an_error() -> None:
    class Down:
        def measure(self, provider: MetricProvider, *, now: float, asking: Asking) -> Answer:
            raise ProviderError(f"no {CANARY}")

    assert taken(web(), Down()).message == "no ***"
