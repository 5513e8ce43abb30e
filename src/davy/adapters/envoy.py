"""The data plane of one machine: a real Envoy that is told what to do through files, and says what it took.

Every change is confirmed by its version, never by waiting and hoping. Changes that belong together are told in
the order in which nothing is missing in between: places of replicas, cluster, split, listener.
"""

import errno
import http.client
import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from davy.adapters import files
from davy.adapters.envoy_admin import Admin, exactly
from davy.adapters.envoy_files import Documents
from davy.adapters.envoy_process import EnvoyProcess, find_envoy
from davy.adapters.fence import Fence
from davy.adapters.pid import Process
from davy.errors import Undecided
from davy.model.key import Key
from davy.traffic.envoy import (
    Document,
    cluster,
    listener,
    load_assignment,
    read_weights,
    route_configuration,
)
from davy.traffic.names import route_name
from davy.traffic.route import Endpoint, Route

_ASK_EVERY_S = 0.001
_SETTLE_S = 1.0
_LOG_WITHIN_S = 0.5
_LISTENERS = "listener_manager.lds"
_CLUSTERS = "cluster_manager.cds"


class Envoy:
    """One Envoy and its files in `directory`, for any number of rollouts.

    What one rollout's split waits for never keeps another's waiting, nor does the start of a replica.

    Args:
        directory: where its files, its log and its admin socket are.
        fence: what the files are changed through.
        search_path: where the program is looked for beside the wheel, in the form of PATH.
        deadline_s: how long it may take to acknowledge a change.
    """

    def __init__(
        self, directory: Path, fence: Fence, *, search_path: str = "", deadline_s: float = 5.0
    ) -> None:
        self._directory = directory.resolve()
        self._directory.mkdir(parents=True, exist_ok=True)
        self._documents = Documents(self._directory, fence)
        self._deadline_s = deadline_s
        self._engine = EnvoyProcess(self._directory, fence, find_envoy(search_path), self._assert_again)
        self._shared = threading.Lock()  # guards the files that all rollouts share: clusters, listeners
        self._trouble = ""
        self._untaken: set[str] = set()  # what Envoy did not take of what was there when it started
        self._refused: dict[str, int] = {}  # how many documents of each scope were refused so far

    @property
    def process(self) -> Process | None:
        """The process of Envoy."""
        return self._engine.process

    @property
    def trouble(self) -> str:
        """Why Envoy does not do what it was told, or nothing."""
        return self._engine.trouble or self._trouble

    def start(self) -> None:
        """Adopt the Envoy of this directory, or start one.

        Raises:
            Undecided: it does not start.
        """
        self._engine.start(listeners=self._ensure(_LISTENERS), clusters=self._ensure(_CLUSTERS))
        self._assert_again()

    def close(self) -> None:
        """Let go of it; it goes on answering users."""
        self._engine.close()

    def stop(self) -> None:
        """End it."""
        self._engine.stop()

    def stats(self, pattern: str) -> str:
        """Read the used statistics that match a regular expression, in Prometheus' text format.

        Raises:
            Undecided: Envoy does not answer.
        """
        try:
            with Admin(self._directory) as admin:
                return admin.get(f"/stats/prometheus?usedonly&filter={quote(pattern, safe='')}")
        except (OSError, http.client.HTTPException) as error:
            raise self._silent() from error

    def split(self, route: Route) -> None:
        """Split the traffic of a rollout; on return the split is in force.

        Where nobody listens for the rollout yet, it comes into force with the listener.

        Raises:
            Undecided: Envoy refused it or did not answer; what it had before has been said again.
        """
        path = self._documents.routes(route_name(route.key))
        resources = [route_configuration(route)]
        if self.port(route.key) is None:
            self._documents.tell(path, resources)
        else:
            self._tell(path, resources, _route_scope(route.key))

    def weights(self, key: Key) -> dict[str, int] | None:
        """Return the split that was told last, None where there is none or Envoy did not take it."""
        told = self._documents.told(self._documents.routes(route_name(key)))
        return read_weights(told[0]) if told and _route_scope(key) not in self._untaken else None

    def listen(self, key: Key, port: int) -> None:
        """Let users in to a rollout on a port, whose split has to be told before.

        Raises:
            Undecided: the port is taken, or Envoy did not answer.
        """
        if self.port(key) == port:
            return
        _ensure_free(port, taken_by=self._who_listens(port))
        routes = self._documents.routes(route_name(key))
        document = listener(key, port=port, routes_path=str(routes))
        with self._shared:
            told = [*self._others(_LISTENERS, document["name"]), document]
            self._tell(self._documents.listeners, told, _LISTENERS)
        self._confirm(_route_scope(key), self._documents.version(routes))

    def port(self, key: Key) -> int | None:
        """Return the port where users reach a rollout, None when it has none."""
        for told in self._documents.told(self._documents.listeners):
            if told["name"] == route_name(key):
                return _port_of(told)
        return None

    def forget(self, key: Key) -> None:
        """Take the listener and the split of a rollout away; new connections are refused from then on.

        Raises:
            Undecided: Envoy did not acknowledge.
        """
        name = route_name(key)
        with self._shared:
            if self.port(key) is not None:
                self._tell(self._documents.listeners, self._others(_LISTENERS, name), _LISTENERS)
        self._documents.drop(self._documents.routes(name))

    def place(self, name: str, endpoints: Iterable[Endpoint]) -> None:
        """Say where the replicas of a cluster are; on return no request goes anywhere else.

        Raises:
            Undecided: Envoy did not acknowledge; it will act on it as soon as it can.
        """
        path = self._documents.endpoints(name)
        resources = [load_assignment(name, endpoints)]
        if self._knows(name):
            self._tell(path, resources, f"cluster.{name}", undo=False)
            return
        self._documents.tell(path, resources)
        document = cluster(name, endpoints_path=str(path))
        with self._shared:
            self._tell(self._documents.clusters, [*self._others(_CLUSTERS, name), document], _CLUSTERS)
        self._confirm(f"cluster.{name}", self._documents.version(path))

    def endpoints(self, name: str) -> list[Endpoint]:
        """Return where the replicas of a cluster are, as it was told last."""
        if not self._knows(name):
            return []
        told = self._documents.told(self._documents.endpoints(name))
        places = [each for part in told[:1] for each in part["endpoints"][0]["lb_endpoints"]]
        return [Endpoint(_port_of(each["endpoint"])) for each in places]

    def clusters(self) -> list[str]:
        """List the clusters that Envoy knows."""
        return [told["name"] for told in self._documents.told(self._documents.clusters)]

    def remove(self, name: str) -> None:
        """Take a cluster away that no split refers to any more.

        Raises:
            Undecided: Envoy did not acknowledge.
        """
        with self._shared:
            if self._knows(name):
                self._tell(self._documents.clusters, self._others(_CLUSTERS, name), _CLUSTERS)
        self._documents.drop(self._documents.endpoints(name))

    def _tell(self, path: Path, resources: list[Document], scope: str, *, undo: bool = True) -> None:
        """Write a document and wait until Envoy has taken it; else say again what was told before."""
        before, was_told = self._documents.told(path), self._documents.version(path) > 0
        if scope not in self._refused:
            with Admin(self._directory) as admin:
                self._refused[scope] = _count(_readings(admin, scope))
        try:
            self._confirm(scope, self._documents.tell(path, resources))
            self._untaken.discard(scope)
        except Undecided:
            if undo and was_told:
                self._documents.tell(path, before)
            raise

    def _confirm(self, scope: str, version: int) -> None:
        deadline = time.monotonic() + self._deadline_s
        with Admin(self._directory) as admin:
            while True:
                seen = _readings(admin, scope)
                if seen.get(f"{scope}.version_text") == str(version) and self._engine.listening:
                    return
                if (refused := _count(seen)) > self._refused.get(scope, 0):
                    self._refused[scope] = refused
                    raise Undecided(
                        f"Envoy refused a change: {self._reason()}",
                        hint=f"what it had stays in force; see {self._engine.log}",
                    )
                if time.monotonic() > deadline:
                    raise self._silent()
                time.sleep(_ASK_EVERY_S)

    def _reason(self) -> str:
        """Read in the log why the last change was refused; the log is a little late."""
        deadline = time.monotonic() + _LOG_WITHIN_S
        while time.monotonic() < deadline:
            _, found, reason = files.last_line(self._engine.log).partition("update rejected: ")
            if found:
                return reason
            time.sleep(_ASK_EVERY_S)
        return "it does not say why"

    def _silent(self) -> Undecided:
        return Undecided(
            f"Envoy has not acknowledged within {self._deadline_s:g} s"
            + (f": {self.trouble}" if self.trouble else ""),
            hint=f"see {self._engine.log}",
        )

    def _ensure(self, scope: str) -> Path:
        """Make sure that a file that the bootstrap names is there."""
        path = self._documents.listeners if scope == _LISTENERS else self._documents.clusters
        if not self._documents.version(path):
            self._documents.tell(path, [])
        return path

    def _others(self, scope: str, name: str) -> list[Document]:
        return [told for told in self._documents.told(self._ensure(scope)) if told["name"] != name]

    def _knows(self, name: str) -> bool:
        return name in self.clusters()

    def _who_listens(self, port: int) -> str:
        listeners = self._documents.told(self._documents.listeners)
        return next((told["name"] for told in listeners if _port_of(told) == port), "")

    def mend(self) -> None:
        """Say again what Envoy did not take, e.g. a listener whose port was taken and is free now."""
        if self._trouble:
            self._assert_again()

    def _assert_again(self) -> None:
        """Hold Envoy to its files after a start or an adoption, and say again what it did not take.

        A Davy that was killed between writing a bad document and mending it leaves a file that Envoy refused.
        """
        self._trouble = ""
        self._refused.clear()
        deadline = time.monotonic() + _SETTLE_S
        while self._not_taken() and time.monotonic() < deadline:
            time.sleep(_ASK_EVERY_S)
        for scope in self._expected():
            path = self._not_taken().get(scope)
            if path is None:
                continue
            try:
                self._tell(path, self._documents.told(path), scope, undo=False)
            except Undecided as error:
                self._untaken.add(scope)
                self._trouble = self._trouble or error.message

    def _expected(self) -> dict[str, Path]:
        """Map the scope of each document that Envoy has to know to its file, in the order of need."""
        listeners = [told["name"] for told in self._documents.told(self._documents.listeners)]
        return {
            _CLUSTERS: self._documents.clusters,
            **{f"cluster.{name}": self._documents.endpoints(name) for name in self.clusters()},
            _LISTENERS: self._documents.listeners,
            **{f"http.{name}.rds.{name}": self._documents.routes(name) for name in listeners},
        }

    def _not_taken(self) -> dict[str, Path]:
        """Compare the versions of all files that are referred to with those that Envoy says it has.

        What Envoy has never heard of is left out: it waits for something that refers to it.
        """
        try:
            with Admin(self._directory) as admin:
                seen = admin.values(r"\.version_text$")
        except (OSError, http.client.HTTPException):
            return self._expected()
        return {
            scope: path
            for scope, path in self._expected().items()
            if (taken := seen.get(f"{scope}.version_text")) is not None
            and taken != str(self._documents.version(path))
        }


def _route_scope(key: Key) -> str:
    name = route_name(key)
    return f"http.{name}.rds.{name}"


def _readings(admin: Admin, scope: str) -> dict[str, str]:
    """Read version and refusals of one scope; nothing when Envoy does not answer just now."""
    try:
        return dict(admin.values(exactly(scope, "version_text", "update_rejected", "update_failure")))
    except (OSError, http.client.HTTPException):
        admin.hang_up()
        return {}


def _count(readings: dict[str, str]) -> int:
    return sum(int(value) for name, value in readings.items() if not name.endswith(".version_text"))


def _port_of(document: Document) -> int:
    return int(document["address"]["socket_address"]["port_value"])


def _ensure_free(port: int, *, taken_by: str) -> None:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError as error:
            reasons = {
                errno.EADDRINUSE: f"is taken by {f'rollout {taken_by}' if taken_by else 'another program'}",
                errno.EACCES: "may not be used by this user",
            }
            raise Undecided(
                f"port {port} {reasons.get(error.errno or 0, f'cannot be used: {error}')}",
                hint="end that program, or choose another port with the annotation davy.dev/port",
            ) from error
