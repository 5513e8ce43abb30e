"""Who may ask a server of flags for what: tokens, of which only a hash is kept."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Annotated

import msgspec

from davy.flags.details import Metadata
from davy.flags.governance import Exposure

PER_MINUTE = 60_000
"""Requests that a token may make in a minute, unless it says how many."""

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
Pattern = Annotated[str, msgspec.Meta(pattern=r"^(\*|[a-z0-9][a-z0-9_.-]{0,253}(\.\*)?)$")]
Origin = Annotated[str, msgspec.Meta(pattern=r"^https?://[A-Za-z0-9.:\[\]-]{1,253}$")]


class Edge(StrEnum):
    """Whose token it is: a program of ours, or something in the hands of users, where nothing stays secret."""

    SERVER = "server"
    CLIENT = "client"


class Token(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """One token.

    Args:
        name: what it is called in lists, metrics and reports.
        hash: `sha256:…` of the secret. That has 256 random bits, so a slow hash would make nothing safer.
        edge: who holds it.
        created: when it was made, in seconds since the epoch.
        expires: from when it is nobody's any more; None is never.
        keys: the flags that it sees, as keys or as `namespace.*`; `*` is all.
        services: for which services its holder may speak; none said is any.
        origins: the origins of pages that may use it, as browsers write them.
        per_minute: requests in a minute.
    """

    name: Name
    hash: Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}$")]
    edge: Edge
    created: float
    expires: float | None = None
    keys: tuple[Pattern, ...] = ()
    services: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()
    per_minute: Annotated[int, msgspec.Meta(ge=1, le=10**9)] = PER_MINUTE

    @property
    def sees_all(self) -> bool:
        """Whether no flag is kept from it."""
        return self.edge is Edge.SERVER and "*" in self.keys

    def lists(self, key: str) -> bool:
        """Say whether a key is on its list."""
        return any(
            pattern in ("*", key) or (pattern.endswith(".*") and key.startswith(pattern[:-1]))
            for pattern in self.keys
        )

    def sees(self, key: str, metadata: Metadata) -> bool:
        """Say whether its holder may know of a flag; what does not say that it is for clients is not."""
        exposed = self.edge is Edge.SERVER or metadata.get("exposure") == Exposure.CLIENT
        return exposed and self.lists(key)

    def speaks_for(self, service: str) -> bool:
        """Say whether its holder may tell what instances of a service do."""
        return self.edge is Edge.SERVER and (not self.services or service in self.services)


class Tokens:
    """Tokens, known at one time; what is looked up is a hash, so that time tells nothing of a secret."""

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self.all = tuple(tokens)
        self._by_hash: Mapping[str, Token] = {token.hash: token for token in self.all}
        self._by_name: Mapping[str, Token] = {token.name: token for token in self.all}

    def holder(self, secret: str, now: float) -> Token | None:
        """Return the token of a secret, if there is one that has not expired."""
        return _alive(self._by_hash.get(hashed(secret)), now)

    def named(self, name: str, now: float) -> Token | None:
        """Return the token of a name, if there is one that has not expired."""
        return _alive(self._by_name.get(name), now)

    def allows_origin(self, origin: str, now: float) -> bool:
        """Say whether pages of an origin may use some token; a preflight does not say which."""
        return any(origin in token.origins and _alive(token, now) is not None for token in self.all)


def hashed(secret: str) -> str:
    """Return what is kept of a secret."""
    return f"sha256:{sha256(secret.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _alive(token: Token | None, now: float) -> Token | None:
    return None if token is None or (token.expires is not None and token.expires <= now) else token
