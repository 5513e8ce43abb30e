"""Split (Harness FME) as a vendor of flags, by its admin API v2 (docs.split.io/reference).

A flag is on in an environment where it has a definition and is not killed. Split has no log that its API lists:
of each flag the last change is known, by when it was, and not who did it.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar
from urllib.parse import quote

import msgspec

from davy.adapters.flag_api import FlagApi, VendorUnavailable
from davy.flags.vendor import Described, Toggle, VendorFlag

PAGE = 50
"""How many flags are asked for at once; there are no more."""

TRAFFIC_TYPE = "user"
"""Whose traffic type a flag gets that is created: a name that every workspace begins with."""

Item = TypeVar("Item")


class _Split(msgspec.Struct):
    name: str
    description: str | None = None


class _Definition(msgspec.Struct, rename="camel"):
    name: str
    killed: bool = False
    last_update_time: int = 0


class _Page(msgspec.Struct, Generic[Item], rename="camel"):
    objects: list[Item]
    total_count: int = 0


class Split:
    """One environment of one workspace of Split.

    Args:
        url: where the admin API is, without `/internal/api/v2`.
        token: an admin API key.
        workspace: its id.
        environment: its name or id.
    """

    def __init__(self, url: str, token: str, workspace: str, environment: str) -> None:
        self._api = FlagApi(url, f"Bearer {token}", "Split")
        self._workspace, self._environment = workspace, environment
        self._splits = f"/internal/api/v2/splits/ws/{quote(workspace, safe='')}"

    @property
    def source(self) -> str:
        """A workspace has an id that is that of no other."""
        return f"split/{self._workspace}"

    def flags(self) -> Sequence[VendorFlag]:
        """Return the flags of the workspace."""
        defined = {each.name: not each.killed for each in self._definitions()}
        found = self._pages(_Page[_Split], self._splits)
        return [VendorFlag(each.name, defined.get(each.name, False), each.description or "") for each in found]

    def toggles(self, since: float) -> Sequence[Toggle]:
        """Return the last change of each flag; who did it Split does not say."""
        found = [
            Toggle(
                f"{each.name}/{each.last_update_time}",
                each.name,
                each.last_update_time / 1000,
                "split",
                "killed" if each.killed else "updated",
                False if each.killed else None,
            )
            for each in self._definitions()
            if each.last_update_time >= since * 1000
        ]
        return sorted(found, key=lambda each: (each.at, each.key))

    def describe(self, flag: Described, *, create: bool) -> None:
        """Create a flag, which is in no environment yet, or say what is declared of one."""
        if create:
            body = {"name": flag.key, "description": flag.description}
            self._api.send("POST", f"{self._splits}/trafficTypes/{TRAFFIC_TYPE}", body)
        else:
            path = f"{self._splits}/{quote(flag.key, safe='')}/updateDescription"
            self._api.send("PUT", path, flag.description)

    def switch_off(self, key: str, reason: str) -> str:
        """Kill a flag in the environment; its default treatment is what everybody gets."""
        name, where = quote(key, safe=""), quote(self._environment, safe="")
        self._api.send("PUT", f"{self._splits}/{name}/environments/{where}/kill", {"comment": reason})
        if any(each.name == key and not each.killed for each in self._definitions()):
            raise VendorUnavailable(
                f"Split took it that {key} is killed, and says that it is not all the same",
                hint="does the environment ask for approvals? Its settings say so",
            )
        return "read back from the admin API"

    def _definitions(self) -> list[_Definition]:
        where = quote(self._environment, safe="")
        return self._pages(_Page[_Definition], f"{self._splits}/environments/{where}")

    def _pages(self, kind: type[_Page[Item]], path: str) -> list[Item]:
        found: list[Item] = []
        while True:
            page = self._api.read(kind, path, {"limit": str(PAGE), "offset": str(len(found))})
            found += page.objects
            if not page.objects or len(found) >= page.total_count:
                return found
