"""One policy in three places: CI, admission and the engine give the same answer in the same sentence."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.control.conftest import Lab
from tests.policy.asking import asked, deployment
from tests.serve.admitting import Serving, serving

from davy.control import requests
from davy.control.rules_in_force import in_force
from davy.model.loader import load_raw
from davy.serve.socket import SocketServer

CASES = Path(__file__).parent.parent / "cases" / "seed"
POLICIES = {
    name: (CASES / name).read_text()
    for name in ("require-progressive-template.yaml", "require-progressive-constraint.yaml")
}
SENTENCE = "Use Rollout with analysis in prod; Deployments are not allowed"
NOW = 1000.0  # the engine's clock


def manifest(replicas: int = 3) -> dict[str, Any]:
    """A Deployment that says nothing about where it goes."""
    found = deployment()
    del found["metadata"]["namespace"]
    found["spec"]["replicas"] = replicas
    return found


def rollout() -> dict[str, Any]:
    """A Rollout that takes its template from the Deployment."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "payments"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "payments"}},
            "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "payments"},
            "strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}},
        },
    }


def in_prod(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "metadata": {**found["metadata"], "namespace": "prod"}}


def written(name: str, *found: dict[str, Any]) -> None:
    Path(name).write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": found}))


@pytest.fixture
def lab(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """An engine that listens, the seed's policies in a directory and nothing else in another."""
    monkeypatch.chdir(tmp_path)
    for directory in ("policy", "deploy"):
        Path(directory).mkdir()
    for name, text in POLICIES.items():
        Path("policy", name).write_text(text)
    lab = Lab(tmp_path)
    with SocketServer(home / "davy.sock", lab.engine, reports=home / "reports"):
        yield lab
    lab.runs.close()
    assert not (home / "reports").exists(), "a fault of ours was met"


@pytest.fixture
def admission(tmp_path: Path) -> Any:
    """Start an admission server with the seed's policies, and with what else is in the cluster."""
    policies = [each.value for name, text in POLICIES.items() for each in load_raw(text, name)]

    def start(*there: dict[str, Any]) -> Any:
        return serving(tmp_path / "tls", in_force(None, [*policies, *there]))

    return start


def judged(server: Serving, found: dict[str, Any]) -> tuple[bool, str]:
    status, response = server.post(asked(found))
    assert status == 200
    return response["allowed"], response.get("status", {}).get("message", "")


@pytest.mark.parametrize(
    ("found", "where"),
    [
        pytest.param(in_prod(manifest()), (), id="it names its namespace"),
        pytest.param(manifest(), ("--namespace", "prod"), id="the command names it"),
    ],
)
def test_a_deployment_in_prod_is_denied_in_three_places_with_one_sentence(
    run: Any, lab: Lab, admission: Any, found: dict[str, Any], where: tuple[str, ...]
) -> None:
    written("deploy/payments.json", found)
    checked = run("check", "deploy", "policy", *where)
    assert (checked.exit_code, checked.stdout) == (1, "")
    assert f"error[K8sRequireProgressive]: {SENTENCE}\n --> deploy/payments.json:1:" in checked.stderr

    with admission() as server:
        allowed, said = judged(server, in_prod(found))
    assert not allowed
    assert SENTENCE in said

    assert run("apply", "-f", "policy").exit_code == 0
    applied = run("apply", "-f", "deploy", *where)
    assert (applied.exit_code, applied.stdout) == (1, "")
    assert f"error[K8sRequireProgressive]: {SENTENCE}\n --> deploy/payments.json:1:" in applied.stderr
    (entry,) = (each for each in lab.store.entries() if each.kind == "policy_denied")
    assert entry.subject == "Deployment prod/payments"
    assert SENTENCE in str(entry.detail["sentences"])


def test_policies_judge_what_is_applied_together_with_them(run: Any, lab: Lab) -> None:
    written("deploy/payments.json", in_prod(manifest()))
    for _ in range(2):
        applied = run("apply", "-f", "policy", "-f", "deploy")
        assert (applied.exit_code, applied.stdout) == (1, "")
        assert applied.stderr.count(SENTENCE) == 1
    assert run("apply", "-f", "policy").exit_code == 0
    applied = run("apply", "-f", "policy", "-f", "deploy")
    assert (applied.exit_code, applied.stderr.count(SENTENCE)) == (1, 1), "there already, and here again"


def test_the_examples_may_be_applied_together_and_released(run: Any) -> None:
    examples = str(Path(__file__).parents[2] / "examples")
    ran = run("check", examples)
    assert ran.exit_code == 0, ran.stderr


def test_a_deployment_elsewhere_passes_in_three_places(run: Any, lab: Lab, admission: Any) -> None:
    written("deploy/payments.json", manifest())
    assert run("check", "deploy", "policy", "-n", "dev").exit_code == 0
    with admission() as server:
        assert judged(server, {**manifest(), "metadata": {"name": "payments", "namespace": "dev"}})[0]
    assert run("apply", "-f", "policy").exit_code == 0
    assert run("apply", "-f", "deploy", "-n", "dev").exit_code == 0


def test_a_deployment_that_only_carries_a_template_passes_in_three_places(
    run: Any, lab: Lab, admission: Any
) -> None:
    written("deploy/payments.json", manifest(replicas=0), rollout())
    checked = run("check", "deploy", "policy", "-n", "prod")
    assert checked.exit_code == 0, checked.stderr
    note = "not held against it: it runs nothing, and the Rollout payments takes its template from it"
    assert f"{SENTENCE} ({note})" in checked.stderr
    with admission(in_prod(rollout())) as server:
        assert judged(server, in_prod(manifest(replicas=0)))[0]
        assert not judged(server, in_prod(manifest(replicas=1)))[0]
    assert run("apply", "-f", "policy").exit_code == 0
    applied = run("apply", "-f", "deploy", "-n", "prod")
    assert applied.exit_code == 0, applied.stderr
    assert 'rollout "payments" created' in applied.stdout


def test_what_a_finding_says_to_run_leads_through_a_waiver_to_the_engine(
    run: Any, lab: Lab, admission: Any
) -> None:
    written("deploy/payments.json", manifest())
    assert run("apply", "-f", "policy").exit_code == 0
    (finding,) = (
        each
        for each in json.loads(run("check", "deploy", "policy", "-n", "prod", "-o", "json").stdout)["findings"]
        if each["severity"] == "error"
    )
    # The words of the finding, with a ticket and a reason in their places.
    words = finding["waive"].replace('ID --reason "…"', "OPS-1 --reason urgent").split()
    assert words[0] == "davy"
    ran = run(*words[1:], "-o", "json")
    assert ran.exit_code == 0, ran.stderr
    waiver = json.loads(ran.stdout)["waiver"]["id"]
    assert run("apply", "-f", "deploy", "-n", "prod").exit_code == 1, "nobody has agreed yet"
    assert run("waiver", "approve", waiver).exit_code == 5, "nobody approves their own"
    lab.ask(requests.ApproveWaiver(waiver, "seen"), "ben (uid 8)")

    exported = run("waiver", "export")
    Path("waivers.yaml").write_text(exported.stdout)
    checked = run("check", "deploy", "policy", "-n", "prod", "--waivers", "waivers.yaml", wall=lambda: NOW)
    assert checked.exit_code == 0, checked.stderr
    assert f"{SENTENCE} - waived by {waiver}" in checked.stderr
    late = run("check", "deploy", "policy", "-n", "prod", "--waivers", "waivers.yaml", wall=lambda: NOW + 2e5)
    assert late.exit_code == 1
    assert f"waiver {waiver} expired" in late.stderr

    applied = run("apply", "-f", "deploy", "-f", "policy", "-n", "prod")
    assert applied.exit_code == 0, applied.stderr
    assert applied.stderr.count(f"waived by {waiver}") == 1
    assert [each.kind for each in lab.store.entries()].count("waiver_used") == 1
    assert {each.kind for each in lab.store.entries()} >= {"waiver_requested", "waiver_approved", "waiver_used"}
