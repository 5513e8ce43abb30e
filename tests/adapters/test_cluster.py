"""What is in a cluster, mirrored: whatever happens to the watch, what is known becomes what is there."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.kubernetes_api import CONFIGURATIONS, ApiServer, api_server, kubeconfig

from davy.adapters.certificate_files import BUNDLE
from davy.adapters.cluster import Cluster
from davy.adapters.http import Refusal
from davy.adapters.kubernetes import Api, Plural
from davy.adapters.kubernetes_access import BadAccess, from_kubeconfig, in_cluster
from davy.adapters.webhook_bundle import publish

NAMESPACES = "/api/v1/namespaces"
TEMPLATES = "/apis/templates.gatekeeper.sh/v1/constrainttemplates"
CONSTRAINTS = "/apis/constraints.gatekeeper.sh/v1beta1/k8snodeploy"
WATCHED = (Plural("", "v1", "namespaces"), Plural("templates.gatekeeper.sh", "v1", "constrainttemplates"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server(tmp_path, time.time()) as found:
        yield found


@pytest.fixture
def api(server: ApiServer, tmp_path: Path) -> Api:
    return Api(from_kubeconfig(kubeconfig(server, tmp_path), {}), time.time)


@pytest.fixture
def cluster(api: Api) -> Iterator[Cluster]:
    found = Cluster(api, WATCHED)
    yield found
    found.stop()


def until(cluster: Cluster, true: Callable[[], bool]) -> None:
    """Wait for the cluster to tell of news until something is true of it."""
    while not true():
        assert cluster.changed.wait(30), "nothing happens any more"
        cluster.changed.clear()


def named(cluster: Cluster) -> set[tuple[str, str]]:
    return {(str(found["kind"]), str(found["metadata"]["name"])) for found in cluster.objects()}


def test_everything_is_listed_in_pages_then_watched(server: ApiServer, cluster: Cluster) -> None:
    for name in ("a", "b", "c", "d", "e"):
        server.write(NAMESPACES, name)
    cluster.start()
    assert cluster.trouble == "" or "not read yet" in cluster.trouble
    until(cluster, lambda: not cluster.trouble and len(named(cluster)) == 5)
    assert all("managedFields" not in found["metadata"] for found in cluster.objects())
    assert {found["apiVersion"] for found in cluster.objects()} == {"v1"}
    server.write(NAMESPACES, "f", metadata={"labels": {"env": "prod"}})
    until(cluster, lambda: ("Namespace", "f") in named(cluster))
    server.write(NAMESPACES, "f", metadata={"labels": {"env": "dev"}})
    until(
        cluster, lambda: any(found["metadata"].get("labels") == {"env": "dev"} for found in cluster.objects())
    )
    server.delete(NAMESPACES, "a")
    until(cluster, lambda: ("Namespace", "a") not in named(cluster))
    assert server.lists.count(NAMESPACES) == 3  # pages of one list


def test_kinds_of_constraints_are_found_by_themselves(server: ApiServer, cluster: Cluster) -> None:
    server.write(CONSTRAINTS, "no-deployments", spec={"match": {}})
    server.write(TEMPLATES, "k8snodeploy")
    cluster.start()
    wanted = {("K8sNoDeploy", "no-deployments"), ("ConstraintTemplate", "k8snodeploy")}
    until(cluster, lambda: named(cluster) == wanted and not cluster.trouble)


def test_constraints_that_cannot_be_asked_for_are_not_taken_for_none(
    server: ApiServer, cluster: Cluster
) -> None:
    """A server that lists everything else and fails here would leave nothing that denies."""
    server.forbidden.add("/apis/constraints.gatekeeper.sh/v1beta1")
    assert "constraints: not asked for yet" in cluster.trouble
    cluster.start()
    until(cluster, lambda: "constraints: " in cluster.trouble and "not" not in cluster.trouble)
    assert "403" in cluster.trouble


def test_a_watch_that_ends_goes_on_from_where_it_was(server: ApiServer, cluster: Cluster) -> None:
    cluster.start()
    until(cluster, lambda: not cluster.trouble)
    server.write(NAMESPACES, "a")
    until(cluster, lambda: ("Namespace", "a") in named(cluster))
    server.hang_up()
    server.write(NAMESPACES, "b")
    until(cluster, lambda: ("Namespace", "b") in named(cluster))
    assert server.lists.count(NAMESPACES) == 1


def test_a_version_that_is_too_old_is_listed_anew(server: ApiServer, cluster: Cluster) -> None:
    server.write(NAMESPACES, "a")
    server.write(NAMESPACES, "b")
    cluster.start()
    until(cluster, lambda: not cluster.trouble and len(named(cluster)) == 2)
    with server.news:  # happens unseen
        server.objects[NAMESPACES].pop("a")
        server.version += 1
    server.forget()
    until(cluster, lambda: named(cluster) == {("Namespace", "b")})
    assert server.lists.count(NAMESPACES) == 2


def test_what_may_not_be_seen_is_told(server: ApiServer, cluster: Cluster) -> None:
    server.forbidden.add(TEMPLATES)
    cluster.start()
    until(cluster, lambda: cluster.trouble != "" and " yet" not in cluster.trouble)
    assert cluster.trouble == f"constrainttemplates.templates.gatekeeper.sh: {TEMPLATES} answered with 403"
    server.forbidden.clear()
    until(cluster, lambda: not cluster.trouble)


def test_a_kind_that_is_not_there_is_empty(server: ApiServer, api: Api) -> None:
    found = Cluster(api, (Plural("davy.dev", "v1alpha1", "waivers"),))
    found.start()
    until(found, lambda: not found.trouble)
    assert list(found.objects()) == []
    found.stop()


def test_a_server_that_goes_away_is_told_and_what_was_known_stays(tmp_path: Path) -> None:
    with api_server(tmp_path, time.time()) as server:
        server.write(NAMESPACES, "a")
        found = Cluster(Api(from_kubeconfig(kubeconfig(server, tmp_path), {}), time.time), WATCHED[:1])
        found.start()
        until(found, lambda: not found.trouble and len(named(found)) == 1)
    until(found, lambda: bool(found.trouble))
    assert "cannot be reached" in found.trouble or "was cut off" in found.trouble
    assert named(found) == {("Namespace", "a")}
    found.stop()


def test_a_token_file_is_read_for_each_request(server: ApiServer, tmp_path: Path) -> None:
    account = tmp_path / "account"
    account.mkdir()
    shutil.copy(tmp_path / BUNDLE, account / "ca.crt")
    (account / "token").write_text("old\n")
    environment = {"KUBERNETES_SERVICE_HOST": "localhost", "KUBERNETES_SERVICE_PORT": str(server.server_port)}
    api = Api(in_cluster(environment, account), time.time)
    with pytest.raises(Refusal, match="401"):
        api.list(WATCHED[0])
    (account / "token").write_text("good\n")
    assert api.list(WATCHED[0])[0] == ()


PLUGIN = """
import json, os, sys
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
count = int(open(sys.argv[1]).read()) + 1
open(sys.argv[1], "w").write(str(count))
status = {"token": f"{os.environ['PREFIX']}-{count}", "expirationTimestamp": sys.argv[2]}
print(json.dumps({"apiVersion": info["apiVersion"], "kind": "ExecCredential", "status": status}))
"""


def plugin(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    (tmp_path / "plugin.py").write_text(PLUGIN)
    (tmp_path / "count").write_text("0")
    return {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(tmp_path / "plugin.py"), *arguments],
        "env": [{"name": "PREFIX", "value": "t"}],
    }


def test_a_plugin_is_asked_again_when_its_token_ends_or_is_refused(server: ApiServer, tmp_path: Path) -> None:
    now = [1_700_000_000.0]
    user = plugin(tmp_path, str(tmp_path / "count"), "2023-11-14T23:13:20Z")  # an hour after
    access = from_kubeconfig(kubeconfig(server, tmp_path, exec=user), dict(os.environ))
    api = Api(access, lambda: now[0])
    server.allowed = {"t-1"}
    for _ in range(3):
        api.list(WATCHED[0])
    server.allowed = {"t-2"}
    with pytest.raises(Refusal, match="401"):
        api.list(WATCHED[0])
    api.list(WATCHED[0])
    now[0] += 3600
    server.allowed = {"t-3"}
    api.list(WATCHED[0])


@pytest.mark.parametrize(
    ("user", "said"),
    [
        (
            {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/nowhere/x"}},
            "/nowhere/x cannot be run",
        ),
        (
            {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "false"}},
            "false gave no credentials",
        ),
        (
            {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "true"}},
            "true printed no ExecCred",
        ),
        ({"tokenFile": "none"}, "none cannot be read"),
    ],
)
def test_a_credential_that_cannot_be_had_is_told(
    server: ApiServer, tmp_path: Path, user: dict[str, Any], said: str
) -> None:
    api = Api(from_kubeconfig(kubeconfig(server, tmp_path, **user), dict(os.environ)), time.time)
    with pytest.raises(BadAccess, match=said):
        api.list(WATCHED[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda config: config.pop("current-context"), "has no current-context"),
        (lambda config: config.update({"current-context": "x"}), "has no context 'x'"),
        (lambda config: config.update({"clusters": []}), "has no cluster 'c'"),
        (lambda config: config.update({"users": None}), "has no user 'u'"),
        (lambda config: config["clusters"][0]["cluster"].update(server="http://x"), "is not asked over https"),
        (
            lambda config: config["clusters"][0]["cluster"].update({"insecure-skip-tls-verify": True}),
            "insecure-skip-tls-verify is not done here",
        ),
        (
            lambda config: config["clusters"][0]["cluster"].update({"certificate-authority-data": "!"}),
            "certificate-authority-data is not base64",
        ),
        (
            lambda config: config["clusters"][0]["cluster"].update({"certificate-authority-data": "eA=="}),
            "the certificate authority cannot be read",
        ),
        (
            lambda config: config["users"][0]["user"].update({"auth-provider": {}}),
            "auth-provider of a user is not",
        ),
        (
            lambda config: config["users"][0]["user"].update({"exec": {"command": "x"}}),
            "exec of a user names no",
        ),
        (
            lambda config: config["users"][0]["user"].update(
                {"client-certificate-data": "eA==", "client-key-data": "eA=="}
            ),
            "the client certificate and its key cannot be used",
        ),
        (lambda config: config.update({"kind": "List"}), "is no kubeconfig"),
    ],
)
def test_a_kubeconfig_that_makes_no_sense_is_told(
    server: ApiServer, tmp_path: Path, change: Callable[[Any], object], said: str
) -> None:
    path = kubeconfig(server, tmp_path)
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))
    with pytest.raises(BadAccess, match=said):
        from_kubeconfig(path, {})


def test_a_pod_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadAccess, match="this is no pod"):
        in_cluster({}, tmp_path)
    (tmp_path / "config").write_text("{")
    with pytest.raises(BadAccess, match="is no kubeconfig"):
        from_kubeconfig(tmp_path / "config", {})


def test_a_bundle_is_published_once(server: ApiServer, api: Api) -> None:
    with pytest.raises(Refusal, match="404"):
        publish(api, "davy-admission", b"one")
    server.write(
        CONFIGURATIONS, "davy-admission", webhooks=[{"name": "a", "clientConfig": {"url": "u"}}, {"name": "b"}]
    )
    assert publish(api, "davy-admission", b"one")
    assert not publish(api, "davy-admission", b"one")
    hooks = server.objects[CONFIGURATIONS]["davy-admission"]["webhooks"]
    text = base64.b64encode(b"one").decode()
    assert hooks == [
        {"name": "a", "clientConfig": {"url": "u", "caBundle": text}},
        {"name": "b", "clientConfig": {"caBundle": text}},
    ]


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not on PATH")
def test_kubectl_reads_the_same_through_the_same_kubeconfig(server: ApiServer, tmp_path: Path) -> None:
    server.write(NAMESPACES, "prod")
    command = ["kubectl", "--kubeconfig", str(kubeconfig(server, tmp_path)), "get", "--raw", NAMESPACES]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert [item["metadata"]["name"] for item in json.loads(ran.stdout)["items"]] == ["prod"]
