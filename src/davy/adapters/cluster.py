"""What is in a cluster, kept up to date: list, then watch, and list anew where the thread was lost.

Every kind has a thread of its own. A kind that the cluster does not have (yet) is empty, and asked for again
every half a minute; one that we may not see, or that cannot be reached, is a reason not to be ready.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus

from davy.adapters.http import Refusal
from davy.adapters.kubernetes import Api, Expired, Json, Plural
from davy.errors import DavyError

CONSTRAINTS = ("constraints.gatekeeper.sh", "v1beta1")
TEMPLATES = Plural("templates.gatekeeper.sh", "v1", "constrainttemplates")

ARGO = ("argoproj.io", "v1alpha1")

WATCHED = (
    Plural("", "v1", "namespaces"),
    Plural(*ARGO, "rollouts"),
    Plural(*ARGO, "analysistemplates"),
    Plural(*ARGO, "clusteranalysistemplates"),
    Plural("apps", "v1", "deployments"),
    Plural("apps", "v1", "replicasets"),
    Plural("autoscaling", "v2", "horizontalpodautoscalers"),
    Plural("davy.dev", "v1alpha1", "waivers"),
    TEMPLATES,
    Plural("expansion.gatekeeper.sh", "v1beta1", "expansiontemplate"),
    Plural("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies"),
    Plural("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings"),
)
"""Policies, who is excused from them, and what they may look at. Constraints have kinds of their own."""

AGAIN_S = 30.0
"""Real seconds until a kind that is not there, and the kinds of constraints, are asked for again."""

BETWEEN_S = 0.1
"""Real seconds between two watches: a server that ends each at once is not asked without a pause."""

BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Real seconds between attempts to reach a server that does not answer."""


@dataclass(slots=True)
class Mirror:
    """The objects of one kind.

    Args:
        api: what is asked.
        plural: which kind.
        changed: is told when there is something new.
        pause: waits for so many real seconds; true says that it is over.
    """

    api: Api
    plural: Plural
    changed: Callable[[], None]
    pause: Callable[[float], bool]
    objects: dict[tuple[str, str], Json] = field(default_factory=dict)
    listed: bool = False
    trouble: str = ""

    def run(self) -> None:
        """Keep up until it is over."""
        failures = 0
        while True:
            wait_s = BACKOFF_S[min(failures, len(BACKOFF_S) - 1)]
            failures += 1
            try:
                version = self._list()
                failures = 0
                self._follow(version)
                return
            except Expired:
                wait_s = BACKOFF_S[0]
            except Refusal as error:
                if error.status == HTTPStatus.NOT_FOUND:
                    wait_s = AGAIN_S
                    self._set({})
                else:
                    self._tell(error)
            except DavyError as error:
                self._tell(error)
            if self.pause(wait_s):
                return

    def _list(self) -> str:
        found, version = self.api.list(self.plural)
        self._set({_name(each): _slim(each) for each in found})
        return version

    def _follow(self, version: str) -> None:
        """Watch, again and again from where the last watch ended."""
        while not self.pause(BETWEEN_S):
            for event in self.api.watch(self.plural, version):
                version = event.object.get("metadata", {}).get("resourceVersion") or version
                if event.type in ("ADDED", "MODIFIED"):
                    self.objects = {**self.objects, _name(event.object): _slim(event.object)}
                elif event.type == "DELETED":
                    gone = _name(event.object)
                    self.objects = {name: each for name, each in self.objects.items() if name != gone}
                else:
                    continue
                self.changed()

    def _set(self, objects: dict[tuple[str, str], Json]) -> None:
        news = not self.listed or bool(self.trouble) or objects != self.objects
        self.objects, self.listed, self.trouble = objects, True, ""
        if news:
            self.changed()

    def _tell(self, error: DavyError) -> None:
        if self.trouble != error.message:
            self.trouble = error.message
            self.changed()


class Cluster:
    """Mirrors what a cluster has, in threads of its own, from `start` to `stop`.

    `changed` is set whenever there is something new to read.
    """

    def __init__(self, api: Api, watched: tuple[Plural, ...] = WATCHED) -> None:
        self._api = api
        self.changed = threading.Event()
        self._over = threading.Event()
        self._mirrors: dict[Plural, Mirror] = {}
        self._watched = watched
        self._constraints = "not asked for yet" if TEMPLATES in watched else ""

    def start(self) -> None:
        """Begin to list and to watch."""
        for plural in self._watched:
            self._mirror(plural)
        if TEMPLATES in self._watched:
            threading.Thread(target=self._discover, name="davy-constraints", daemon=True).start()

    def stop(self) -> None:
        """Stop; a watch that waits for its server is left behind."""
        self._over.set()

    @property
    def trouble(self) -> str:
        """Why what is known may not be what is there; empty where it is."""
        mirrors = tuple(self._mirrors.values())
        told = [f"{each.plural}: {each.trouble}" for each in mirrors if each.trouble]
        unlisted = [str(each.plural) for each in mirrors if not each.listed and not each.trouble]
        if unlisted:
            told.append(f"not read yet: {', '.join(unlisted)}")
        if self._constraints:
            told.append(f"the kinds of constraints: {self._constraints}")
        return "; ".join(told)

    def objects(self) -> Iterator[Json]:
        """Yield all objects that are known."""
        for mirror in tuple(self._mirrors.values()):
            yield from mirror.objects.values()

    def _mirror(self, plural: Plural) -> None:
        mirror = Mirror(self._api, plural, self.changed.set, self._over.wait)
        self._mirrors[plural] = mirror
        threading.Thread(target=mirror.run, name=f"davy-watch-{plural.name}", daemon=True).start()

    def _discover(self) -> None:
        """Look for the kinds of constraints: each template makes one.

        Until they were found once, or there are none, nobody knows what they deny.
        """
        group, version = CONSTRAINTS
        while True:
            try:
                found = self._api.get(f"/apis/{group}/{version}")
                names, trouble = {str(each.get("name")) for each in found.get("resources") or []}, ""
            except DavyError as error:
                there_are_none = isinstance(error, Refusal) and error.status == HTTPStatus.NOT_FOUND
                names, trouble = set(), "" if there_are_none else error.message
            for name in sorted(names):
                plural = Plural(group, version, name)
                if "/" not in name and plural not in self._mirrors:
                    self._mirror(plural)
            if trouble != self._constraints:
                self._constraints = trouble
                self.changed.set()
            if self._over.wait(AGAIN_S if names else BACKOFF_S[-1]):
                return


def _name(found: Json) -> tuple[str, str]:
    metadata = found.get("metadata") or {}
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _slim(found: Json) -> Json:
    """Leave out who wrote which field: nobody judges by it, and it is half of an object."""
    metadata = found.get("metadata")
    if not isinstance(metadata, dict):
        return found
    return {**found, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}
