"""The files that tell Envoy what to do, each with a version that only ever grows."""

import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from davy.adapters.fence import Fence
from davy.traffic.document import Document
from davy.traffic.envoy import response
from davy.traffic.names import file_name


class Documents:
    """What Envoy was told, by the path of the file.

    The highest version is found in the files themselves, so that it goes on growing after a restart. Unreadable
    files (the disk was full, the power failed) count as absent: whoever steers writes them anew.
    """

    def __init__(self, directory: Path, fence: Fence) -> None:
        self._fence = fence
        self.listeners = directory / "listeners.json"
        self.clusters = directory / "clusters.json"
        self._routes = directory / "routes"
        self._endpoints = directory / "endpoints"
        for each in (self._routes, self._endpoints):
            each.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._told: dict[Path, tuple[int, list[Document]]] = {}
        for path in (self.listeners, self.clusters, *_documents(self._routes), *_documents(self._endpoints)):
            if (found := _read(path)) is not None:
                self._told[path] = found
        self._newest = max((version for version, _ in self._told.values()), default=0)

    def routes(self, name: str) -> Path:
        """Name the file with the split of one rollout."""
        return self._routes / file_name(name)

    def endpoints(self, cluster: str) -> Path:
        """Name the file with the replicas of one revision."""
        return self._endpoints / file_name(cluster)

    def told(self, path: Path) -> list[Document]:
        """Return what Envoy was told last; nothing where it was never told anything."""
        return self._told.get(path, (0, []))[1]

    def version(self, path: Path) -> int:
        """Return the version of what Envoy was told last, 0 where it was never told anything."""
        return self._told.get(path, (0, []))[0]

    def tell(self, path: Path, resources: Sequence[Document]) -> int:
        """Replace a file, by a rename that Envoy notices, and return its new version.

        Raises:
            Fenced: another engine has taken over; Envoy was told nothing.
        """
        with self._lock:
            self._newest += 1
            version = self._newest
        self._fence.replace(path, msgspec.json.encode(response(version, resources)), durable=False)
        with self._lock:
            self._told[path] = (version, list(resources))
        return version

    def drop(self, path: Path) -> None:
        """Remove a file that nothing refers to any more."""
        self._fence.remove(path)
        with self._lock:
            self._told.pop(path, None)


def _documents(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if not path.name.startswith(".")]


def _read(path: Path) -> tuple[int, list[Document]] | None:
    try:
        document = msgspec.json.decode(path.read_bytes())
        return int(document["version_info"]), list(document["resources"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
