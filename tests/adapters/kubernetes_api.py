"""An API server over TLS on the loopback interface: lists in pages, watches, versions, tokens, and no more."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from davy.adapters.certificate_files import BUNDLE, ServerTls, renew

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"

KINDS = {
    "/api/v1/namespaces": ("v1", "Namespace"),
    "/apis/argoproj.io/v1alpha1/rollouts": ("argoproj.io/v1alpha1", "Rollout"),
    "/apis/argoproj.io/v1alpha1/analysistemplates": ("argoproj.io/v1alpha1", "AnalysisTemplate"),
    "/apis/argoproj.io/v1alpha1/clusteranalysistemplates": ("argoproj.io/v1alpha1", "ClusterAnalysisTemplate"),
    "/apis/templates.gatekeeper.sh/v1/constrainttemplates": (
        "templates.gatekeeper.sh/v1",
        "ConstraintTemplate",
    ),
    "/apis/constraints.gatekeeper.sh/v1beta1/k8snodeploy": ("constraints.gatekeeper.sh/v1beta1", "K8sNoDeploy"),
    CONFIGURATIONS: ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
}


class ApiServer(ThreadingHTTPServer):
    """Has objects, and remembers what happened to them.

    `allowed` are the tokens that it takes, `forbidden` the paths that nobody may see; what happened before
    version `oldest` it has forgotten.
    """

    daemon_threads = True

    def __init__(self, tls: ServerTls) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = tls.context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.version = 10
        self.oldest = 0
        self.page = 2
        self.allowed = {"good"}
        self.forbidden: set[str] = set()
        self.objects: dict[str, dict[str, dict[str, Any]]] = {path: {} for path in KINDS}
        self.history: list[tuple[int, str, str, dict[str, Any]]] = []
        self.news = threading.Condition()
        self.over = False
        self.lists: list[str] = []
        self.watches: list[tuple[str, int]] = []

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server_port}"

    def write(self, path: str, name: str, **body: Any) -> None:
        """Create or change an object."""
        version, kind = KINDS[path]
        with self.news:
            self.version += 1
            metadata = {
                "name": name,
                "resourceVersion": str(self.version),
                "managedFields": [{"manager": "kubectl"}],
                **body.pop("metadata", {}),
            }
            found = {"apiVersion": version, "kind": kind, "metadata": metadata, **body}
            event = "MODIFIED" if name in self.objects[path] else "ADDED"
            self.objects[path][name] = found
            self._happened(path, event, found)

    def delete(self, path: str, name: str) -> None:
        with self.news:
            self.version += 1
            found = self.objects[path].pop(name)
            found["metadata"]["resourceVersion"] = str(self.version)
            self._happened(path, "DELETED", found)

    def hang_up(self) -> None:
        """End all watches that are open."""
        with self.news:
            self.version += 1
            self._happened("", "END", {})

    def forget(self) -> None:
        """Know nothing any more of what happened until now, and say so to those who watch."""
        with self.news:
            self.oldest = self.version + 1
        self.hang_up()

    def _happened(self, path: str, event: str, found: dict[str, Any]) -> None:
        self.history.append((self.version, path, event, json.loads(json.dumps(found))))
        self.news.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that have had enough."""


class _Handler(BaseHTTPRequestHandler):
    server: ApiServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in self.server.allowed:
            return self._answer(401, {"kind": "Status", "code": 401})
        if url.path in self.server.forbidden:
            return self._answer(403, {"kind": "Status", "code": 403})
        if url.path == "/apis/constraints.gatekeeper.sh/v1beta1":
            names = ["k8snodeploy", "k8snodeploy/status"]
            return self._answer(
                200, {"kind": "APIResourceList", "resources": [{"name": name} for name in names]}
            )
        base, _, name = url.path.rpartition("/")
        if base in KINDS:
            found = self.server.objects[base].get(name)
            return self._answer(200 if found else 404, found or {"kind": "Status", "code": 404})
        if url.path not in KINDS:
            return self._answer(404, {"kind": "Status", "code": 404})
        if "watch" in query:
            return self._watch(url.path, int(query["resourceVersion"]))
        return self._list(url.path, query)

    def do_PUT(self) -> None:
        length = int(self.headers["Content-Length"])
        sent = json.loads(self.rfile.read(length))
        base, _, name = self.path.rpartition("/")
        before = self.server.objects[base].get(name)
        if before is None or before["metadata"]["resourceVersion"] != sent["metadata"]["resourceVersion"]:
            return self._answer(404 if before is None else 409, {"kind": "Status"})
        self.server.write(base, name, webhooks=sent["webhooks"])
        return self._answer(200, self.server.objects[base][name])

    def _list(self, path: str, query: dict[str, str]) -> None:
        self.server.lists.append(path)
        version, kind = KINDS[path]
        with self.server.news:
            names = sorted(self.server.objects[path])
            start = int(query.get("continue") or 0)
            chosen = names[start : start + self.server.page]
            more = start + self.server.page
            # As an API server does, items of a list do not repeat what they are.
            items = [
                {
                    key: value
                    for key, value in self.server.objects[path][name].items()
                    if key not in ("kind", "apiVersion")
                }
                for name in chosen
            ]
            metadata = {
                "resourceVersion": str(self.server.version),
                **({"continue": str(more)} if more < len(names) else {}),
            }
        self._answer(200, {"apiVersion": version, "kind": f"{kind}List", "metadata": metadata, "items": items})

    def _watch(self, path: str, version: int) -> None:
        self.server.watches.append((path, version))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if version < self.server.oldest:
            return self._event("ERROR", {"kind": "Status", "code": 410})
        began = self.server.version
        while True:
            with self.server.news:
                news = [each for each in self.server.history if each[0] > version]
                while not news and not self.server.over:
                    self.server.news.wait()
                    news = [each for each in self.server.history if each[0] > version]
            if self.server.over:
                return None
            for number, where, event, found in news:
                version = number
                if event == "END":
                    if number > began:
                        return None
                    continue
                if where == path:
                    self._event(event, found)
                else:
                    self._event("BOOKMARK", {"metadata": {"resourceVersion": str(number)}})

    def _event(self, event: str, found: dict[str, Any]) -> None:
        self.wfile.write(json.dumps({"type": event, "object": found}).encode() + b"\n")
        self.wfile.flush()

    def _answer(self, status: int, found: dict[str, Any]) -> None:
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def api_server(directory: Path, now: float) -> Iterator[ApiServer]:
    """Run one; its authority is in `directory`."""
    renew(directory, ("localhost",), now)
    tls = ServerTls(directory)
    tls.load()
    server = ApiServer(tls)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with server.news:
            server.over = True
            server.news.notify_all()
        server.shutdown()
        server.server_close()
        thread.join()


def kubeconfig(server: ApiServer, directory: Path, **user: Any) -> Path:
    """Write a kubeconfig for a server whose authority is in `directory`; JSON is YAML, too."""
    path = directory / "config"
    cluster = {"server": server.url, "certificate-authority": BUNDLE}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user or {"token": "good"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
    }
    path.write_text(json.dumps(config))
    return path
