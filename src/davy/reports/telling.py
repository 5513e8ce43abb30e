"""Entries of the ledger as the projection reads them: no more of each than the figures need."""

from functools import lru_cache

import msgspec

from davy.model import origin
from davy.reports.event import Change, EventType, Kind

TYPES: dict[str, EventType] = {
    "change_created": "created",
    "change_merged": "merged",
    "change_exposed": "exposed",
    "change_promoted": "promoted",
    "change_rolled_back": "rolled_back",
    "change_aborted_unexposed": "aborted_unexposed",
    "incident_opened": "opened",
    "incident_restored": "restored",
}
"""Kinds of entries that are one event, and its type."""

repository_name = lru_cache(maxsize=10_000)(origin.repository_name)
"""The one name of a repository; there are few of them in many entries."""

KIND_OF: dict[str, Kind] = {
    "flag_changed": "flag",
    "config_changed": "config",
    "migration_changed": "migration",
}
"""Kinds of entries of what reaches users without a rollout, and what it is a change of."""

USERS = ("users", "external", "public", "customers")


class Named(msgspec.Struct, frozen=True, gc=False):
    """A change; `rollout` is the update that it was released by, where that is told."""

    repo: str
    commit: str
    rollout: str = ""

    @property
    def change(self) -> Change:
        """The change, under the one name of its repository."""
        return repository_name(self.repo), self.commit


class Telling(msgspec.Struct, frozen=True, gc=False):
    """An entry without its details; instants are whole microseconds."""

    kind: str
    at: int
    subject: str
    detail: msgspec.Raw
    source: str = ""
    id: str = ""
    received: int | None = None


class Said(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The details of whatever is about a change or an incident."""

    change: Named | None = None
    service: str = ""
    environment: str = ""
    target: str = ""
    rollout: str = ""
    attempt: int = 0
    kind: Kind = "code"
    weight: float | None = None
    audience: str = "users"
    remediates: str | Named | None = None
    cause: str = ""
    incident: str = ""
    committed_at: str = ""
    requests: int | None = None
    bad_requests: int | None = None
    waiver: str = ""
    team: str = ""
    from_: Named | None = msgspec.field(default=None, name="from")
    exposed: bool = False
    undone: bool = False


class Contained(msgspec.Struct, frozen=True, gc=False):
    """The details of what a rollout contains: commits of one repository."""

    rollout: str
    repo: str
    changes: list[str] = []
    reverted: list[str] = []


class Drilled(msgspec.Struct, frozen=True, gc=False):
    """The details of a rehearsal."""

    drill: str = ""
    service: str = ""
    rollout: str = ""
    audience: str = ""


class Renamed(msgspec.Struct, frozen=True, gc=False):
    """The details of another name; `what` is service or repository."""

    what: str
    from_: str = msgspec.field(name="from")
    to: str = ""


class Used(msgspec.Struct, frozen=True, gc=False):
    """The details of a waiver that was used."""

    waiver: str = ""
    action: str = ""


telling = msgspec.json.Decoder(Telling).decode
said = msgspec.json.Decoder(Said).decode
contained = msgspec.json.Decoder(Contained).decode
drilled = msgspec.json.Decoder(Drilled).decode
renamed = msgspec.json.Decoder(Renamed).decode
used = msgspec.json.Decoder(Used).decode

_KIND = b'"kind":"'

READ = frozenset(
    kind.encode()
    for kind in (
        *TYPES,
        *KIND_OF,
        "update_started",
        "change_contained",
        "change_superseded",
        "stable_restored",
        "waiver_used",
        "drill_started",
        "drill_finished",
    )
)
"""The kinds of entries that are or become events, or say how others are read."""


def kind_of(body: bytes) -> bytes:
    """Return the kind of an entry without reading the rest of it.

    In canonical bytes it is the last key of that name: it follows the details, and a quote within a text is
    escaped.
    """
    start = body.rindex(_KIND) + len(_KIND)
    return body[start : body.index(b'"', start)]
