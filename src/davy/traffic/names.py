"""The names under which a data plane knows a rollout and its revisions, and the way back.

Envoy builds the names of its statistics from these, with dots between the parts and colons replaced, and
the scraper takes them apart again. So each part is escaped until it has letters, digits, `_` and `-` only:
every other character is written as its code point in hexadecimal between tildes (`v1.2` is `v1~2e~2`).
"""

import hashlib
import re
from typing import NamedTuple

from davy.model.key import Key

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_ESCAPED = re.compile(r"~([0-9a-f]+)~")
_CLUSTER = re.compile(r"([^/|]*)/([^/|]*)\|([^/|]*)(\|side)?")
_ROUTE = re.compile(r"([^/|]*)/([^/|]*)(?:/([^/|]*))?")
_LONGEST_FILE_NAME = 200


class ClusterName(NamedTuple):
    """What a cluster is for: the users of a revision, or (`side`) requests to it that are nobody's.

    Those are mirrored ones and those that reach it through a service of its own. They go to the same replicas,
    by a cluster that is counted apart.
    """

    key: Key
    hash: str
    side: bool = False


def route_name(key: Key, service: str | None = None) -> str:
    """Name the listener and the route configuration of a rollout, or of a service beside it."""
    name = f"{_escape(key.namespace)}/{_escape(key.name)}"
    return name if service is None else f"{name}/{_escape(service)}"


def read_route_name(name: str) -> tuple[Key, str | None] | None:
    """Take the name of a listener apart again, or say None when it is none of ours."""
    parts = _ROUTE.fullmatch(name)
    if parts is None:
        return None
    namespace, rollout, service = parts.groups()
    return Key(_unescape(namespace), _unescape(rollout)), None if service is None else _unescape(service)


def cluster_name(key: Key, hash_: str) -> str:
    """Name the cluster that holds the replicas of one revision; no two revisions share a name."""
    return f"{route_name(key)}|{_escape(hash_)}"


def side_cluster_name(key: Key, hash_: str) -> str:
    """Name the cluster with the same replicas for the requests that are not users'."""
    return f"{cluster_name(key, hash_)}|side"


def read_cluster_name(name: str) -> ClusterName | None:
    """Take a cluster name apart again, or say None when it is none of ours."""
    parts = _CLUSTER.fullmatch(name)
    if parts is None:
        return None
    namespace, rollout, hash_ = (_unescape(part) for part in parts.groups()[:3])
    return ClusterName(Key(namespace, rollout), hash_, parts[4] is not None)


def file_name(name: str) -> str:
    """Name the file that holds the document of a route or cluster; no two share one.

    A file system takes 255 bytes. Names that come near it are cut, and a digest keeps them apart.
    """
    plain = name.replace("/", "+").replace("|", "+")
    if len(plain) <= _LONGEST_FILE_NAME:
        return f"{plain}.json"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{plain[: _LONGEST_FILE_NAME - 50]}+{digest[:40]}.json"


def _escape(text: str) -> str:
    return _UNSAFE.sub(lambda found: f"~{ord(found[0]):x}~", text)


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
