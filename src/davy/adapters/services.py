"""The services beside one rollout: each has a port of its own, and leads to one revision alone.

What comes through them reaches the replicas by a cluster that is counted apart from the users', so a preview
exposes nobody. A service moves as users do: the cluster first, then the route, then the listener.
"""

from collections.abc import Mapping

from davy.adapters import ports
from davy.adapters.envoy import Envoy
from davy.model.key import Key
from davy.rollout.platform import ServicePoint
from davy.traffic.names import cluster_name, side_cluster_name
from davy.traffic.route import ServiceRoute


class Services:
    """The services of one rollout as the data plane has them; one thread changes them, any may look."""

    def __init__(self, key: Key, envoy: Envoy) -> None:
        self._key, self._envoy = key, envoy
        self._known: Mapping[str, ServicePoint] = {
            name: ServicePoint(hash_ or "", port) for name, (hash_, port) in envoy.services(key).items()
        }

    def __bool__(self) -> bool:
        """Whether there is any, be it that it leads nowhere."""
        return bool(self._known)

    @property
    def shown(self) -> dict[str, ServicePoint]:
        """Those that lead somewhere."""
        return {name: point for name, point in self._known.items() if point.hash}

    @property
    def hashes(self) -> set[str]:
        """The revisions that they lead to."""
        return {point.hash for point in self.shown.values()}

    def unknown(self, wanted: Mapping[str, ServicePoint]) -> list[str]:
        """Name those that nobody wants any more."""
        return [name for name in self._known if name not in wanted]

    def lead(self, name: str, point: ServicePoint) -> None:
        """Lead a service to a revision that has a ready replica. Without a wish, its port stays what it was.

        Raises:
            Undecided: the port is taken, or the data plane did not acknowledge; it leads where it did.
        """
        now = self._known.get(name, ServicePoint(""))
        port = point.port or now.port or ports.free_port()
        if now == ServicePoint(point.hash, port):
            return
        cluster = cluster_name(self._key, point.hash)
        self._envoy.place_beside(side_cluster_name(self._key, point.hash), cluster)
        if now.hash != point.hash:
            self._envoy.lead(ServiceRoute(self._key, name, point.hash))
            if now.port is not None:
                self._note(name, ServicePoint(point.hash, now.port))
        self._envoy.listen(self._key, port, name)
        self._note(name, ServicePoint(point.hash, port))

    def drop(self, name: str) -> None:
        """Take the listener of a service away.

        Raises:
            Undecided: the data plane did not acknowledge.
        """
        self._envoy.forget(self._key, name)
        port = self._known[name].port
        self._known = {each: point for each, point in self._known.items() if each != name}
        if port is not None:
            ports.give_back(port)

    def _note(self, name: str, point: ServicePoint) -> None:
        self._known = {**self._known, name: point}
