"""One rollout on this machine: what is wanted of it, the replicas that run, and the split in force.

Two rules hold it together. Weight goes only where somebody answers: a revision is reachable from when its first
ready replica was made known to the data plane. And nobody is taken away from under traffic: the last place of a
revision that has weight, or that a header route leads users to, stays, dead or alive, until that has gone;
errors there are evidence, not to be hidden.

The lock of the split is held for as long as the data plane takes to acknowledge a split, and never while a
replica is started, asked or ended.
"""

import threading
from collections.abc import Callable, Iterator
from functools import partial

from davy.adapters import ports
from davy.adapters.envoy import Envoy
from davy.adapters.processes import Record, Replica, Surroundings
from davy.adapters.services import Services
from davy.errors import DavyError, Refused
from davy.ledger.lease import Fenced
from davy.model.key import Key
from davy.model.side_route import HeaderRoute, MirrorRoute
from davy.rollout.platform import Desired, ReplicaSet, Seen
from davy.traffic.names import cluster_name, read_cluster_name, side_cluster_name
from davy.traffic.reach import publishable
from davy.traffic.route import Endpoint, Route


class Steered:
    """One rollout. `wake` is called when there may be something to converge on."""

    def __init__(self, key: Key, envoy: Envoy, around: Surroundings, wake: Callable[[], None]) -> None:
        self.key = key
        self.desired: Desired | None = None
        """What was asked for last and came into force; None until somebody asks."""
        self.forgotten = False
        self.unsaved = ""
        """Why what is wanted could not be written down, or nothing."""
        self._envoy, self._around, self._wake = envoy, around, wake
        self._replicas: tuple[Replica, ...] = ()
        self._weights = envoy.weights(key) or None
        self._routes = envoy.side_routes(key)
        self._services = Services(key, envoy)
        self._port = envoy.port(key)
        known = {*(self._weights or {}), *(route.hash for route in self._routes), *self._services.hashes}
        self._reachable = {hash_ for hash_ in known if envoy.endpoints(self._cluster(hash_))}
        self._waiting = ""
        self._retired = False
        self._strangers: tuple[str, ...] = ()
        self._troubles: tuple[str, ...] = ()
        self._splitting = threading.Lock()
        self._placing = threading.RLock()
        self._listing = threading.Lock()

    # What the loop asks:

    def look(self, now: float) -> Seen:
        """Say what there is; everything is in memory."""
        min_ready_s = self.desired.min_ready_s if self.desired is not None else 0.0
        sets = self.desired.replica_sets if self.desired is not None else ()
        carried = {each.hash: each.metadata for each in sets}
        replicas = self._replicas
        troubles = [self._waiting, self._envoy.trouble, self.unsaved, *self._strangers, *self._troubles]
        troubles += [replica.trouble for replica in replicas]
        return Seen(
            pods=tuple(
                replica.pod(now, min_ready_s, carried.get(revision.hash, revision.metadata))
                for replica in replicas
                for revision in (replica.record.revision,)
            ),
            weights=self._weights,
            port=self._port,
            trouble="; ".join(dict.fromkeys(trouble for trouble in troubles if trouble)),
            routes=self._routes,
            services=self._services.shown,
        )

    def steer(self, desired: Desired) -> bool:
        """Put the split and the routes into force, as far as they can be; the rest follows in `converge`.

        Returns False when this rollout was forgotten and has ended, so that a new one has to be made.

        Raises:
            Undecided: the data plane did not acknowledge; nothing has changed.
        """
        for hash_ in self._late(desired):
            if any(replica.ready for replica in self._of(hash_)):
                self._place(hash_)  # it became ready this very moment
        with self._splitting:
            if self._retired:
                return False
            self._listen(desired.port)
            self._publish(desired)
            self.desired, self.forgotten = desired, False
        return True

    def forget(self) -> None:
        """Take the listener away and let every replica and service go.

        Raises:
            Undecided: the data plane did not acknowledge.
        """
        with self._splitting:
            self._envoy.forget(self.key)
            self.desired, self.forgotten = Desired((), {}), True
            self._weights = self._port = None
            self._routes = ()

    # What the platform does in the background:

    def adopt(self, record: Record) -> None:
        """Go on with a replica that an earlier Davy started, unless that one ran what this one refuses."""
        try:
            replica = Replica(record, self._around, self._changed)
        except Refused as error:
            self._strangers += (f"replica {record.name} runs on, but cannot be looked after: {error.message}",)
        else:
            self._add(replica)

    def converge(self) -> bool:
        """Start what is missing, let go of what is too much, and repeat what did not succeed before.

        Returns whether the data plane does something else afterwards, or something else is in the way.
        """
        troubles, before = [], self._in_force()
        for act in self._plan():
            try:
                act()
            except Fenced:
                raise
            except (DavyError, OSError) as error:
                troubles.append(str(error))
        self._troubles = tuple(troubles)
        return self._in_force() != before

    def _plan(self) -> Iterator[Callable[[], None]]:
        """Say what there is to do, step by step; a step that fails does not keep the next from being taken."""
        desired = self.desired
        if desired is not None:
            wanted = {each.hash: each for each in desired.replica_sets}
            yield partial(self._evict, desired.evict)
            for each in wanted.values():
                yield partial(self._grow, each)
            for hash_ in self._running():
                yield partial(self._shrink, hash_, wanted[hash_].replicas if hash_ in wanted else 0)
        for hash_ in self._running() | self._called_alone():
            yield partial(self._place, hash_)
        yield self._publish_what_waits
        if desired is not None:
            for name, point in desired.services.items():
                if point.hash in self._reachable:
                    yield partial(self._services.lead, name, point)
            for name in self._services.unknown(desired.services):
                yield partial(self._services.drop, name)
        yield self._sweep

    @property
    def unfinished(self) -> bool:
        """Whether something has to be tried again."""
        return bool(self._troubles or self.unsaved)

    def retire(self) -> bool:
        """Say whether nothing of a forgotten rollout is left; from then on nobody can steer it."""
        with self._splitting:
            self._retired = not (self._replicas or self._services or self._troubles) and self.forgotten
            return self._retired

    @property
    def replicas(self) -> tuple[Replica, ...]:
        """Every replica, those on their way out too."""
        return self._replicas

    def _evict(self, names: tuple[str, ...]) -> None:
        """Let the replicas go that are to be replaced; the last place stays until another is there."""
        for replica in self._replicas:
            if replica.record.name in names and not replica.leaving:
                replica.leave()

    def _grow(self, wanted: ReplicaSet) -> None:
        staying = [replica for replica in self._of(wanted.hash) if not replica.leaving]
        for _ in range(wanted.replicas - len(staying)):
            self._add(Replica.create(self.key, wanted, self._around, self._changed))

    def _shrink(self, hash_: str, wanted: int) -> None:
        """Let the least useful go first: those that are not ready, then the youngest.

        A revision with more traffic than it shall have keeps its ready replicas until the split is in force.
        """
        staying = [replica for replica in self._of(hash_) if not replica.leaving]
        surplus = max(0, len(staying) - wanted)
        if self._overloaded(hash_):
            staying = [replica for replica in staying if not replica.ready]
        staying.sort(key=lambda replica: (replica.ready, -replica.record.started_at))
        for replica in staying[:surplus]:
            replica.leave()

    def _overloaded(self, hash_: str) -> bool:
        """Whether a revision has a larger share of the traffic than was asked for."""
        asked = self.desired.weights if self.desired is not None else {}
        has = self._weights or {}
        return has.get(hash_, 0) * sum(asked.values()) > asked.get(hash_, 0) * sum(has.values())

    def _sweep(self) -> None:
        """Take away the clusters that nothing needs, first those beside others, whose places they share.

        A split may come to need one of the first at any moment, so none is told meanwhile.
        """
        known = [(read_cluster_name(name), name) for name in self._envoy.clusters()]
        ours = [(found, name) for found, name in known if found is not None and found.key == self.key]
        for found, name in ours:
            with self._splitting:
                if found.side and found.hash not in self._called_alone():
                    self._envoy.remove(name)
        for hash_ in {found.hash for found, _ in ours if not found.side}:
            with self._placing:
                with self._splitting:
                    if self._of(hash_) or self._carries(hash_) or hash_ in self._called_alone():
                        continue
                    self._reachable.discard(hash_)
                self._envoy.remove(self._cluster(hash_))

    # What replicas tell, in their own threads:

    def _changed(self, replica: Replica) -> bool:
        """Take in that a replica is ready, is not, or has gone; say whether it may be left alone now."""
        if replica.gone:
            with self._listing:
                self._replicas = tuple(each for each in self._replicas if each is not replica)
            self._wake()
            return True
        cluster = self._cluster(replica.record.revision.hash)
        try:
            self._place(replica.record.revision.hash)
            self._publish_what_waits()
        except DavyError:
            return False
        finally:
            self._wake()
        return replica.ready or Endpoint(replica.record.port) not in self._envoy.endpoints(cluster)

    # What they share:

    def _listen(self, port: int | None) -> None:
        """Let users in; until somebody answers, they are told that nobody does."""
        wanted = port or self._port or ports.free_port()
        if wanted == self._port:
            return
        if self._port is None:
            self._envoy.split(Route(self.key, {}))
        self._envoy.listen(self.key, wanted)
        self._port = wanted

    def _publish_what_waits(self) -> None:
        """Put the rest of the split into force when those it waited for are there."""
        with self._splitting:
            if self.desired is not None and not self.forgotten:
                self._publish(self.desired)

    def _publish(self, desired: Desired) -> None:
        """Tell the split and the routes in one document, so that an abort takes both away at once."""
        split = publishable(desired.weights, self._weights or {}, self._reachable)
        weights = self._weights if split is None else split
        routes = tuple(route for route in desired.routes if route.hash in self._reachable)
        if weights is not None and (weights, routes) != (self._weights, self._routes):
            for route in routes:
                if isinstance(route, MirrorRoute):
                    beside = side_cluster_name(self.key, route.hash)
                    self._envoy.place_beside(beside, self._cluster(route.hash))
            self._envoy.split(Route(self.key, weights, routes))
            self._weights, self._routes = weights, routes
        late = self._late(desired)
        self._waiting = f"no replica of {' and '.join(late)} is ready to take traffic" if late else ""

    def _late(self, desired: Desired) -> list[str]:
        """Name the revisions that are to get requests and cannot be reached yet."""
        return sorted(desired.called() - self._reachable)

    def _place(self, hash_: str) -> None:
        """Make known where the ready replicas of a revision are."""
        cluster = self._cluster(hash_)
        with self._placing:
            ready = sorted(Endpoint(replica.record.port) for replica in self._of(hash_) if replica.ready)
            known = sorted(self._envoy.endpoints(cluster))
            if not ready and known:
                with self._splitting:
                    if self._carries(hash_):
                        return
                    self._reachable.discard(hash_)
            if ready != known:
                self._envoy.place(cluster, ready)
            if ready:
                with self._splitting:
                    self._reachable.add(hash_)

    def _in_force(self) -> tuple[object, ...]:
        return self._weights, self._routes, self._services.shown, self._troubles

    def _carries(self, hash_: str) -> bool:
        """Whether users are sent to a revision."""
        routed = any(isinstance(route, HeaderRoute) and route.hash == hash_ for route in self._routes)
        return routed or (self._weights or {}).get(hash_, 0) > 0

    def _called_alone(self) -> set[str]:
        """Name the revisions that are sent requests which are not users'."""
        mirrors = {route.hash for route in self._routes if isinstance(route, MirrorRoute)}
        return mirrors | self._services.hashes

    def _of(self, hash_: str) -> list[Replica]:
        return [replica for replica in self._replicas if replica.record.revision.hash == hash_]

    def _running(self) -> set[str]:
        return {replica.record.revision.hash for replica in self._replicas}

    def _add(self, replica: Replica) -> None:
        with self._listing:
            self._replicas = tuple(sorted((*self._replicas, replica), key=lambda each: each.record.name))
        replica.start()

    def _cluster(self, hash_: str) -> str:
        return cluster_name(self.key, hash_)
