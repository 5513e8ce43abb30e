"""A cluster's API as far as admission needs it: list, watch, and replace one object."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from davy.adapters import http
from davy.adapters.http import Refusal, Trust, Unreadable
from davy.adapters.kubernetes_access import Access

PAGE = 500
"""How many objects of a list are asked for at a time."""

WATCH_S = 240
"""Seconds after which a server ends a watch, so that one that fell silent is noticed."""

LARGEST = 64 << 20
"""Bytes of one page of a list, or of one event."""

Json = dict[str, Any]


class Expired(Refusal):
    """The server no longer knows the version that a watch goes on from: list anew."""


class Plural(NamedTuple):
    """A kind as the paths of the API have it, e.g. `apps`, `v1`, `deployments`."""

    group: str
    version: str
    name: str

    @property
    def path(self) -> str:
        """Where all of them are listed."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{base}/{self.name}"

    def __str__(self) -> str:
        return f"{self.name}.{self.group}" if self.group else self.name


class Event(NamedTuple):
    """What a watch tells: `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK`."""

    type: str
    object: Json


@dataclass(frozen=True, slots=True)
class Api:
    """Speaks to an API server; `now` tells the time, for credentials that end."""

    access: Access
    now: Callable[[], float]
    timeout_s: float = 30.0

    def get(self, path: str, **query: str) -> Json:
        """Return what is at a path.

        Raises:
            Refusal: the server has nothing there, or nothing for us.
            Unreachable: it gave no answer that can be read.
        """
        return self._asked("GET", path, query)

    def replace(self, path: str, found: Mapping[str, Any]) -> Json:
        """Put an object in the place of the one whose `resourceVersion` it has.

        Raises:
            Refusal: another has changed it since (409), or we may not.
        """
        return self._asked("PUT", path, {}, json.dumps(found).encode())

    def list(self, plural: Plural) -> tuple[tuple[Json, ...], str]:
        """Return all objects of a kind, and the version to watch from.

        Raises:
            Refusal, Unreachable: as of `get`. A list that went stale between two pages is `Expired`.
        """
        found: list[Json] = []
        query = {"limit": str(PAGE)}
        while True:
            page = self.get(plural.path, **query)
            metadata = page.get("metadata") or {}
            kind = {
                "apiVersion": page.get("apiVersion"),
                "kind": str(page.get("kind", "")).removesuffix("List"),
            }
            found += ({**kind, **each} for each in page.get("items") or [])
            query["continue"] = metadata.get("continue") or ""
            if not query["continue"]:
                return tuple(found), str(metadata.get("resourceVersion", ""))

    def watch(self, plural: Plural, version: str) -> Iterator[Event]:
        """Yield what happens after a version, until the server ends it.

        Raises:
            Expired: the version is too old.
            Refusal, Unreachable: as of `get`.
        """
        options = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_S)}
        lines = http.stream(
            self._url(plural.path, {**options, "resourceVersion": version}),
            trust=self._trust,
            headers=self._headers(),
            timeout_s=WATCH_S + self.timeout_s,
            max_bytes=LARGEST,
        )
        try:
            for line in lines:
                event = _json(line, plural.path)
                found = event.get("object")
                if not isinstance(found, dict):
                    raise Unreadable(f"an event of {plural} has no object")
                if event.get("type") == "ERROR":
                    raise _refusal(plural.path, int(found.get("code") or 0))
                yield Event(str(event.get("type")), found)
        except Refusal as error:
            self._note(error.status)
            raise _refusal(plural.path, error.status) from error

    def _asked(self, method: str, path: str, query: Mapping[str, str], body: bytes | None = None) -> Json:
        headers = {**self._headers(), "Accept": "application/json", "Content-Type": "application/json"}
        answer = http.request(
            method,
            self._url(path, query),
            headers=headers,
            body=body,
            timeout_s=self.timeout_s,
            max_bytes=LARGEST,
            trust=self._trust,
        )
        if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
            self._note(answer.status)
            raise _refusal(path, answer.status)
        return _json(answer.body, path)

    @property
    def _trust(self) -> Trust:
        return Trust(self.access.context, self.access.server_name)

    def _headers(self) -> dict[str, str]:
        return self.access.headers(self.now())

    def _url(self, path: str, query: Mapping[str, str]) -> str:
        return f"{self.access.server}{quote(path)}" + (f"?{urlencode(query)}" if query else "")

    def _note(self, status: int) -> None:
        if status == HTTPStatus.UNAUTHORIZED:
            self.access.forget()


def _refusal(path: str, status: int) -> Refusal:
    return (Expired if status == HTTPStatus.GONE else Refusal)(path, status)


def _json(text: bytes, path: str) -> Json:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"what is at {path} of the cluster is not JSON") from error
    if not isinstance(found, dict):
        raise Unreadable(f"what is at {path} of the cluster is no object")
    return found
