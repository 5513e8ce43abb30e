"""LaunchDarkly as a vendor of flags, by its REST API v2 (apidocs.launchdarkly.com).

A flag is on where its targeting is on; off it answers its off variation. What was switched off is read back
from the same API: SDKs hear of it by LaunchDarkly's own stream.
"""

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from davy.adapters.flag_api import FlagApi, VendorUnavailable
from davy.flags.launchdarkly_log import LaunchDarklyEntry
from davy.flags.vendor import Described, Toggle, VendorFlag

PAGE, PAGE_OF_LOG = 100, 20
"""How many flags and entries of the log are asked for at once; of the log there are no more."""

SEMANTIC = "application/json; domain-model=launchdarkly.semanticpatch"


class _Environment(msgspec.Struct):
    on: bool = False


class _Flag(msgspec.Struct):
    key: str
    description: str = ""
    archived: bool = False
    environments: dict[str, _Environment] = {}


class _Flags(msgspec.Struct, rename="camel"):
    items: list[_Flag]
    total_count: int = 0


class _Log(msgspec.Struct):
    items: list[LaunchDarklyEntry]


class LaunchDarkly:
    """One environment of one project of LaunchDarkly.

    Args:
        url: where the REST API is, without `/api/v2`.
        token: an access token that may write flags.
        project: its key.
        environment: its key.
    """

    def __init__(self, url: str, token: str, project: str, environment: str) -> None:
        self._api = FlagApi(url, token, "LaunchDarkly")
        self._project, self._environment = project, environment
        self._flags = f"/api/v2/flags/{quote(project, safe='')}"

    @property
    def source(self) -> str:
        """Entries of the log have names that are those of no other account."""
        return f"launchdarkly/{self._project}"

    def flags(self) -> Sequence[VendorFlag]:
        """Return the flags of the project."""
        found: list[_Flag] = []
        while True:
            query = {"env": self._environment, "limit": str(PAGE), "offset": str(len(found)), "summary": "0"}
            page = self._api.read(_Flags, self._flags, query)
            found += page.items
            if not page.items or len(found) >= page.total_count:
                break
        return [self._seen(each) for each in found if not each.archived]

    def toggles(self, since: float) -> Sequence[Toggle]:
        """Read the audit log from its newest entry back; `before` is that of the page before."""
        found: dict[str, Toggle] = {}
        query = {
            "limit": str(PAGE_OF_LOG),
            "after": str(int(since * 1000)),
            "spec": f"proj/{self._project}:env/{self._environment}:flag/*",
        }
        while True:
            page = self._api.read(_Log, "/api/v2/auditlog", query).items
            fresh = [entry for entry in page if entry.id not in found]
            for entry in fresh:
                found[entry.id] = entry.toggle(self._project, self._environment)
            if len(page) < PAGE_OF_LOG or not fresh:
                break
            query["before"] = str(min(entry.date for entry in page) + 1)
        known = [each for each in found.values() if each.key and each.at >= since]
        return sorted(known, key=lambda each: (each.at, each.id))

    def describe(self, flag: Described, *, create: bool) -> None:
        """Create a flag, which is off in every environment, or say what is declared of one."""
        if not create:
            self._patch(flag.key, [{"kind": "updateDescription", "value": flag.description}], "")
            return
        names = list(flag.variants)
        off = names.index(flag.safe) if flag.safe in names else len(names) - 1
        on = next((number for number in range(len(names)) if number != off), off)
        body = {
            "key": flag.key,
            "name": flag.key,
            "description": flag.description,
            "variations": [{"name": name, "value": value} for name, value in flag.variants.items()],
            "defaults": {"onVariation": on, "offVariation": off},
        }
        self._api.send("POST", self._flags, body)

    def switch_off(self, key: str, reason: str) -> str:
        """Turn targeting off, with the reason as the comment of the log."""
        self._patch(key, [{"kind": "turnFlagOff"}], reason)
        path, query = f"{self._flags}/{quote(key, safe='')}", {"env": self._environment}
        if self._seen(self._api.read(_Flag, path, query)).on:
            raise VendorUnavailable(
                f"LaunchDarkly took it that {key} is off, and says that it is on all the same",
                hint="does the environment ask for approvals? Its settings say so",
            )
        return "read back from the REST API"

    def _patch(self, key: str, instructions: list[dict[str, str]], comment: str) -> None:
        body = {"environmentKey": self._environment, "comment": comment, "instructions": instructions}
        self._api.send("PATCH", f"{self._flags}/{quote(key, safe='')}", body, SEMANTIC)

    def _seen(self, flag: _Flag) -> VendorFlag:
        environment = flag.environments.get(self._environment, _Environment())
        return VendorFlag(flag.key, environment.on, flag.description)
