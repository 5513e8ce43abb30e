"""What an instance of an application and a server of flags tell each other, as JSON.

The server hands out one document for each artifact (`GET /flags/v1/document`), says when there is another
(`GET /flags/v1/stream`, server-sent events), and hears what became of it.
"""

import msgspec


class Instance(msgspec.Struct, frozen=True, rename="camel"):
    """One running copy of an application.

    Args:
        id: unique among all copies, and new after a restart.
        service: whose copy it is.
        artifact: the hash of the pod template that it was started from; empty where it does not know.
    """

    id: str
    service: str
    artifact: str = ""


class Acknowledgement(msgspec.Struct, frozen=True, rename="camel"):
    """An instance evaluates by this version of the document from now on.

    Args:
        instance: who.
        version: the document's `version`, which only grows.
        digest: of the document, as in its ETag.
    """

    instance: Instance
    version: int
    digest: str


class Exposure(msgspec.Struct, frozen=True, rename="camel"):
    """How often a variant was answered, and how requests that met it ended.

    Args:
        flag: the key.
        variant: its name; empty where the caller's default was answered.
        reason: why.
        version: of the document that it was evaluated by.
        count: evaluations.
        requests: requests that met it and ended, where the application says how they end.
        failed: those of them that failed.
    """

    flag: str
    variant: str
    reason: str
    version: int
    count: int
    requests: int = 0
    failed: int = 0


class ExposureReport(msgspec.Struct, frozen=True, rename="camel"):
    """What an instance counted from `since` until `until`, in seconds since the epoch.

    `dropped` is how many evaluations could not be told apart any more.
    """

    instance: Instance
    since: float
    until: float
    exposures: tuple[Exposure, ...]
    dropped: int = 0


class Changed(msgspec.Struct, frozen=True, rename="camel"):
    """An event of the stream: there is another document; `flags` are the keys that are not what they were."""

    version: int
    digest: str
    flags: tuple[str, ...] = ()
