"""The data plane of one machine: a real Envoy that is told what to do through files, and says what it took.

Every change is confirmed by its version, never by waiting and hoping. Changes that belong together are told in
the order in which nothing is missing in between: places of replicas, cluster, split, listener.
"""

import http.client
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from davy.adapters import files, ports
from davy.adapters.envoy_admin import Admin, exactly
from davy.adapters.envoy_files import Documents
from davy.adapters.envoy_process import EnvoyProcess, find_envoy
from davy.adapters.fence import Fence
from davy.adapters.pid import Process
from davy.errors import Undecided
from davy.model.key import Key
from davy.model.side_route import SideRoute
from davy.traffic.document import Document
from davy.traffic.envoy import (
    cluster,
    listener,
    load_assignment,
    read_places_of,
    read_service,
    read_side_routes,
    read_weights,
    route_configuration,
    service_configuration,
)
from davy.traffic.names import read_route_name, route_name
from davy.traffic.route import Endpoint, Route, ServiceRoute

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
        """Split the traffic of a rollout; on return the split and its side routes are in force, all at once.

        Where nobody listens for the rollout yet, they come into force with the listener.

        Raises:
            Undecided: Envoy refused it or did not answer; what it had before has been said again.
        """
        self._route(route_name(route.key), route_configuration(route))

    def lead(self, route: ServiceRoute) -> None:
        """Lead a service to another revision; on return it does.

        Raises:
            Undecided: Envoy refused it or did not answer; what it had before has been said again.
        """
        self._route(route_name(route.key, route.service), service_configuration(route))

    def weights(self, key: Key) -> dict[str, int] | None:
        """Return the split that was told last, None where there is none or Envoy did not take it."""
        told = self._told_routes(route_name(key))
        return None if told is None else read_weights(told)

    def side_routes(self, key: Key) -> tuple[SideRoute, ...]:
        """Return the side routes that were told last, nothing where Envoy did not take them."""
        told = self._told_routes(route_name(key))
        return () if told is None else read_side_routes(told)

    def services(self, key: Key) -> dict[str, tuple[str | None, int]]:
        """Return where each service of a rollout leads to (None: Envoy did not take that), and its port."""
        found = {}
        for listening in self._documents.told(self._documents.listeners):
            whose = read_route_name(listening["name"])
            if whose is not None and whose[0] == key and whose[1] is not None:
                told = self._told_routes(listening["name"])
                found[whose[1]] = (None if told is None else read_service(told), _port_of(listening))
        return found

    def listen(self, key: Key, port: int, service: str | None = None) -> None:
        """Let users in to a rollout or a service on a port; where to has to be told before.

        Raises:
            Undecided: the port is taken, or Envoy did not answer.
        """
        if self.port(key, service) == port:
            return
        ports.ensure_free(port, taken_by=self._who_listens(port))
        routes = self._documents.routes(route_name(key, service))
        document = listener(key, port=port, routes_path=str(routes), service=service)
        with self._shared:
            told = [*self._others(_LISTENERS, document["name"]), document]
            self._tell(self._documents.listeners, told, _LISTENERS)
        self._confirm(_route_scope(document["name"]), self._documents.version(routes))

    def port(self, key: Key, service: str | None = None) -> int | None:
        """Return the port where users reach a rollout or a service, None when it has none."""
        return self._port(route_name(key, service))

    def forget(self, key: Key, service: str | None = None) -> None:
        """Take a listener and its routes away; new connections are refused from then on.

        Raises:
            Undecided: Envoy did not acknowledge.
        """
        name = route_name(key, service)
        with self._shared:
            if self._port(name) is not None:
                self._tell(self._documents.listeners, self._others(_LISTENERS, name), _LISTENERS)
        self._documents.drop(self._documents.routes(name))

    def place(self, name: str, endpoints: Iterable[Endpoint]) -> None:
        """Say where the replicas of a cluster are; on return no request goes anywhere else.

        That is so for the cluster beside it, too.

        Raises:
            Undecided: Envoy did not acknowledge; it will act on it as soon as it can.
        """
        path = self._documents.endpoints(name)
        resources = [load_assignment(name, endpoints)]
        if self._knows(name):
            sharing = [f"cluster.{each}" for each, whose in self._places_of().items() if whose == name]
            self._tell(path, resources, *sharing, undo=False)
            return
        self._documents.tell(path, resources)
        self._add(cluster(name, endpoints_path=str(path)), path)

    def place_beside(self, name: str, places_of: str) -> None:
        """Have a cluster with the replicas of another, which has to be there, wherever that one's are.

        Raises:
            Undecided: Envoy did not acknowledge.
        """
        if not self._knows(name):
            path = self._documents.endpoints(places_of)
            self._add(cluster(name, endpoints_path=str(path), places_of=places_of), path)

    def endpoints(self, name: str) -> list[Endpoint]:
        """Return where the replicas of a cluster are, as it was told last."""
        if not self._knows(name):
            return []
        told = self._documents.told(self._documents.endpoints(self._places_of()[name]))
        places = [each for part in told[:1] for each in part["endpoints"][0]["lb_endpoints"]]
        return [Endpoint(_port_of(each["endpoint"])) for each in places]

    def clusters(self) -> list[str]:
        """List the clusters that Envoy knows."""
        return [told["name"] for told in self._documents.told(self._documents.clusters)]

    def remove(self, name: str) -> None:
        """Take a cluster away that no route refers to any more; the one beside another before that other.

        Raises:
            Undecided: Envoy did not acknowledge.
        """
        with self._shared:
            if self._knows(name):
                self._tell(self._documents.clusters, self._others(_CLUSTERS, name), _CLUSTERS)
        self._documents.drop(self._documents.endpoints(name))

    def _route(self, name: str, configuration: Document) -> None:
        path = self._documents.routes(name)
        if self._port(name) is None:
            self._documents.tell(path, [configuration])
        else:
            self._tell(path, [configuration], _route_scope(name))

    def _told_routes(self, name: str) -> Document | None:
        told = self._documents.told(self._documents.routes(name))
        return told[0] if told and _route_scope(name) not in self._untaken else None

    def _add(self, document: Document, endpoints: Path) -> None:
        """Make a cluster known, and wait until Envoy knows its places, too."""
        name = document["name"]
        with self._shared:
            self._tell(self._documents.clusters, [*self._others(_CLUSTERS, name), document], _CLUSTERS)
        self._confirm(f"cluster.{name}", self._documents.version(endpoints))

    def _tell(self, path: Path, resources: list[Document], *scopes: str, undo: bool = True) -> None:
        """Write a document and wait until Envoy has taken it; else say again what was told before."""
        before, was_told = self._documents.told(path), self._documents.version(path) > 0
        for scope in scopes:
            if scope not in self._refused:
                with Admin(self._directory) as admin:
                    self._refused[scope] = _count(_readings(admin, scope))
        try:
            version = self._documents.tell(path, resources)
            for scope in scopes:
                self._confirm(scope, version)
                self._untaken.discard(scope)
        except Undecided:
            if undo and was_told:
                self._documents.tell(path, before)
            raise

    def _confirm(self, scope: str, version: int) -> None:
        """Wait until Envoy has taken this version of a document, or one that was told since."""
        deadline = time.monotonic() + self._deadline_s
        with Admin(self._directory) as admin:
            while True:
                seen = _readings(admin, scope)
                if _version(seen.get(f"{scope}.version_text")) >= version and self._engine.listening:
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

    def _places_of(self) -> dict[str, str]:
        """Map each cluster to the one whose places it has."""
        return {told["name"]: read_places_of(told) for told in self._documents.told(self._documents.clusters)}

    def _port(self, name: str) -> int | None:
        for told in self._documents.told(self._documents.listeners):
            if told["name"] == name:
                return _port_of(told)
        return None

    def _who_listens(self, port: int) -> str:
        listeners = self._documents.told(self._documents.listeners)
        name = next((told["name"] for told in listeners if _port_of(told) == port), "")
        whose = read_route_name(name)
        if whose is None:
            return "another program"
        key, service = whose
        return f"rollout {key}" if service is None else f"service {service} of rollout {key}"

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
            **{
                f"cluster.{name}": self._documents.endpoints(places_of)
                for name, places_of in self._places_of().items()
            },
            _LISTENERS: self._documents.listeners,
            **{_route_scope(name): self._documents.routes(name) for name in listeners},
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


def _route_scope(name: str) -> str:
    return f"http.{name}.rds.{name}"


def _readings(admin: Admin, scope: str) -> dict[str, str]:
    """Read version and refusals of one scope; nothing when Envoy does not answer just now."""
    try:
        return dict(admin.values(exactly(scope, "version_text", "update_rejected", "update_failure")))
    except (OSError, http.client.HTTPException):
        admin.hang_up()
        return {}


def _version(text: str | None) -> int:
    """Read what Envoy says that it has; it says nothing before it has anything."""
    return int(text) if text else 0


def _count(readings: dict[str, str]) -> int:
    return sum(int(value) for name, value in readings.items() if not name.endswith(".version_text"))


def _port_of(document: Document) -> int:
    return int(document["address"]["socket_address"]["port_value"])
