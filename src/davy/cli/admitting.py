"""What admission stands on: files, a cluster and a certificate, looked at again and again while it serves."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from davy.adapters.certificate_files import BUNDLE, ServerTls, is_own, renew
from davy.adapters.cluster import Cluster
from davy.adapters.kubernetes import Api
from davy.adapters.kubernetes_access import Access, from_kubeconfig
from davy.adapters.kubernetes_access import in_cluster as from_pod
from davy.adapters.webhook_bundle import publish
from davy.cli.manifests import read_manifests
from davy.cli.setting import Setting, talk
from davy.control.api_reviews import Reviewing
from davy.control.rules_in_force import in_force
from davy.errors import DavyError
from davy.model.loader import load_raw
from davy.policy import pack
from davy.policy.review import Object

RENEW_S = 60.0
"""Seconds between two looks at whether a certificate of ours has to be renewed."""


def access(setting: Setting, *, in_cluster: bool, kubeconfig: Path | None, context: str) -> Api | None:
    """Return how to speak to the cluster that was named, if one was.

    Raises:
        BadAccess: what was named cannot be used.
    """
    found: Access | None = None
    if in_cluster:
        found = from_pod(setting.environment)
    elif kubeconfig is not None:
        found = from_kubeconfig(kubeconfig, setting.environment, context)
    return None if found is None else Api(found, setting.wall)


@dataclass(slots=True)
class Files:
    """Objects from files, with those of Davy's own pack."""

    sources: tuple[str, ...]
    profile: "pack.Profile | None"
    objects: tuple[Object, ...] = ()
    problem: str = ""
    _digest: bytes = b""

    def look(self) -> bool:
        """Read the files again where they changed; say whether there is something new.

        Raises:
            DavyError: they cannot be read, and what was read before stays.
        """
        texts = read_manifests(self.sources) if self.sources else []
        digest = hashlib.sha256(b"".join(name.encode() + b"\0" + text for name, text in texts)).digest()
        if digest == self._digest:
            return False
        found = [document.value for name, text in texts for document in load_raw(text, name)]
        self.objects = (*self._pack(), *found)
        self._digest = digest
        return True

    def _pack(self) -> tuple[Object, ...]:
        return () if self.profile is None else pack.objects(self.profile)


@dataclass(slots=True)
class Secured:
    """The certificate that is shown, renewed where it is our own, and its authorities told to the cluster."""

    tls: ServerTls
    directory: Path
    names: tuple[str, ...]
    now: Callable[[], float]
    published: str = ""
    problem: str = ""
    _next_s: float = 0.0

    def look(self, api: Api | None) -> None:
        """Renew, publish and load what is to be.

        Raises:
            DavyError: the certificate cannot be renewed, told of or used; the one before stays in use.
        """
        now = self.now()
        if now >= self._next_s or now < self._next_s - RENEW_S:
            self._next_s = now + RENEW_S
            if is_own(self.directory):
                renew(self.directory, self.names, now)
            if api is not None and self.published:
                publish(api, self.published, (self.directory / BUNDLE).read_bytes())
        self.tls.load()

    def doubt(self) -> str:
        """Say why the certificate may not do."""
        if self.tls.ends_s <= self.now():
            return "the certificate has ended"
        return self.problem


@dataclass(slots=True)
class Admitting:
    """Keeps rules and certificate up to date, and says when they are not."""

    reviewing: Reviewing
    files: Files
    secured: Secured
    api: Api | None
    failures: int = 0
    cluster: Cluster | None = field(default=None, init=False)
    _told: set[str] = field(default_factory=set, init=False)

    def begin(self) -> None:
        """Read everything once, and start to watch the cluster.

        Raises:
            DavyError: files or certificate cannot be used.
        """
        self.files.look()
        self.secured.look(self.api)
        if self.api is not None:
            self.cluster = Cluster(self.api)
            self.cluster.start()
        else:
            self._read()

    def end(self) -> None:
        """Stop watching."""
        if self.cluster is not None:
            self.cluster.stop()

    def look(self) -> None:
        """Look at everything again; what cannot be used is told, and what was before stays."""
        news = self._tried(self.files.look, self.files)
        self._tried(lambda: self.secured.look(self.api), self.secured)
        if self.cluster is not None and self.cluster.changed.is_set():
            self.cluster.changed.clear()
            news = True
        if news or self.reviewing.rules is None:
            self._read()

    def doubt(self) -> str:
        """Say why what is known may not be what is there."""
        told = [self.files.problem, self.secured.doubt(), self.cluster.trouble if self.cluster else ""]
        return "\n".join(each for each in told if each)

    def gauges(self) -> Mapping[str, tuple[str, float]]:
        """Say how old and how sound everything is, for a page of metrics."""
        left_s = self.secured.tls.ends_s - self.secured.now()
        rules = self.reviewing.rules
        return {
            "davy_admission_certificate_seconds_left": ("Until the certificate that is shown ends.", left_s),
            "davy_admission_reload_failures_total": (
                "Times that something could not be read again.",
                self.failures,
            ),
            "davy_admission_notes": (
                "What is wrong and keeps nobody from working.",
                len(rules.notes) if rules else 0,
            ),
            "davy_admission_in_doubt": (
                "1 while files, certificate or cluster are not as they should be.",
                float(bool(self.doubt())),
            ),
        }

    def _read(self) -> None:
        """Put the rules in force that follow from all objects, once a cluster has told all that it has."""
        if self.cluster is not None and self.cluster.trouble and self.reviewing.rules is None:
            return
        before = self.reviewing.rules
        after = in_force(before, tuple(self._objects()))
        self.reviewing.rules = after
        if after.stale and (before is None or after.stale != before.stale):
            self.failures += 1
        if before is None or before.edition != after.edition:
            talk(f"rules: edition {after.edition.generation}, {after.edition.digest[:12]}")
        for line in [each for each in (after.problem, *after.notes) if each]:
            if line not in self._told:
                self._told.add(line)
                talk(f"rules: {line}")

    def _objects(self) -> Iterator[Object]:
        yield from self.files.objects
        if self.cluster is not None:
            yield from self.cluster.objects()

    def _tried(self, look: Callable[[], Any], whose: "Files | Secured") -> bool:
        try:
            news = bool(look())
        except DavyError as error:
            if whose.problem != error.message:
                self.failures += 1
                talk(f"error[{error.code}]: {error.message}; what was before stays in use")
            whose.problem = error.message
            return False
        whose.problem = ""
        return news
