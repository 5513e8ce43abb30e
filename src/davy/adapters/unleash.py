"""Unleash as a vendor of flags, by its admin API, and by what it hands out to SDKs (docs.getunleash.io/api).

A flag is on where its environment is enabled. What was switched off is read back from the client API, with a
token of an SDK: that is what every SDK gets with its next poll.
"""

import time
from collections.abc import Callable, Sequence
from itertools import count
from urllib.parse import quote

import msgspec

from davy.adapters.flag_api import FlagApi, VendorUnavailable
from davy.flags.vendor import Described, Toggle, VendorFlag
from davy.model.instant import parse_instant

PAGE = 100
"""How many events are asked for at once."""

ON, OFF = "feature-environment-enabled", "feature-environment-disabled"
RULES = (
    "feature-strategy-add",
    "feature-strategy-update",
    "feature-strategy-remove",
    "feature-variants-updated",
)

READ_BACK, PAUSE_S = 100, 0.1
"""How often, and with how many seconds between, it is looked at what SDKs get before that is an error."""


class _Environment(msgspec.Struct):
    name: str
    enabled: bool


class _Feature(msgspec.Struct):
    name: str
    description: str | None = None
    stale: bool = False
    environments: list[_Environment] = []


class _Features(msgspec.Struct):
    features: list[_Feature]


class _Event(msgspec.Struct, rename="camel"):
    id: int
    type: str
    created_by: str
    created_at: str
    feature_name: str | None = None
    environment: str | None = None


class _Events(msgspec.Struct):
    events: list[_Event]


class _Evaluated(msgspec.Struct):
    name: str
    enabled: bool


class _Client(msgspec.Struct):
    features: list[_Evaluated]


class Unleash:
    """One environment of one project of an Unleash.

    Args:
        url: where it is, without `/api`.
        token: one for the admin API.
        project: its name there.
        environment: its name there.
        client_token: one that an SDK would have, to read back what SDKs get; without it the admin API is asked.
        pause: lets time pass between two looks: Unleash hands a change out within a second or two.
    """

    def __init__(
        self,
        url: str,
        token: str,
        project: str,
        environment: str,
        client_token: str = "",
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = FlagApi(url, token, "Unleash")
        self._client = FlagApi(url, client_token, "Unleash") if client_token else None
        self._project, self._environment, self._pause = project, environment, pause
        self._features = f"/api/admin/projects/{quote(project, safe='')}/features"

    @property
    def source(self) -> str:
        """Events have numbers of the server that they are of."""
        return f"unleash/{self._api.host}/{self._project}"

    def flags(self) -> Sequence[VendorFlag]:
        """Return the flags of the project."""
        found = self._api.read(_Features, self._features)
        return [
            VendorFlag(each.name, self._is_on(each), each.description or "", each.stale)
            for each in found.features
        ]

    def toggles(self, since: float) -> Sequence[Toggle]:
        """Read the log of events from its newest page back."""
        found: list[Toggle] = []
        for page in count():
            query = {
                "limit": str(PAGE),
                "offset": str(page * PAGE),
                "project": f"IS:{self._project}",
                "type": f"IS_ANY_OF:{','.join((ON, OFF, *RULES))}",
            }
            events = self._api.read(_Events, "/api/admin/search/events", query).events
            told = [
                _toggle(each) for each in events if each.environment == self._environment and each.feature_name
            ]
            found += [each for each in told if each.at >= since]
            if len(events) < PAGE or any(parse_instant(each.created_at) < since for each in events):
                break
        return sorted(found, key=lambda each: (each.at, int(each.id)))

    def describe(self, flag: Described, *, create: bool) -> None:
        """Create a flag, which is off in every environment, or say what is declared of one."""
        if create:
            body = {"name": flag.key, "type": "release", "description": flag.description}
            self._api.send("POST", self._features, body)
            if not flag.stale:
                return
        said: dict[str, str | bool] = {"description": flag.description}
        if flag.stale:  # a mark that somebody made there is for people to take away
            said["stale"] = True
        patch = [{"op": "replace", "path": f"/{name}", "value": value} for name, value in said.items()]
        self._api.send("PATCH", f"{self._features}/{quote(flag.key, safe='')}", patch)

    def switch_off(self, key: str, reason: str) -> str:
        """Disable a flag in the environment, and look until SDKs get that; Unleash keeps no reason."""
        path = f"{self._features}/{quote(key, safe='')}/environments/{quote(self._environment, safe='')}/off"
        self._api.send("POST", path)
        for _ in range(READ_BACK):
            if not self._still_on(key):
                return "read back from the " + ("admin API" if self._client is None else "API of SDKs")
            self._pause(PAUSE_S)
        raise VendorUnavailable(
            f"Unleash took it that {key} is off, and hands it out as on all the same",
            hint="is there a proxy or a replica between? Look at /api/client/features",
        )

    def _still_on(self, key: str) -> bool:
        if self._client is None:
            return any(flag.on for flag in self.flags() if flag.key == key)
        found = self._client.read(_Client, "/api/client/features")
        return any(each.enabled for each in found.features if each.name == key)

    def _is_on(self, feature: _Feature) -> bool:
        return any(each.enabled for each in feature.environments if each.name == self._environment)


def _toggle(event: _Event) -> Toggle:
    on = {ON: True, OFF: False}.get(event.type)
    return Toggle(
        str(event.id),
        event.feature_name or "",
        parse_instant(event.created_at),
        event.created_by,
        event.type,
        on,
    )
