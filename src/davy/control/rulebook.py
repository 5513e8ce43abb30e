"""The policies that an engine enforces: those of its pack's profile, and those that were applied to it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from davy.errors import NotFound, UsageError
from davy.ledger.store import Record, Store
from davy.policy.engine import Policy
from davy.policy.review import Kind, Object
from davy.policy.waivers import TERMS, Terms

BUCKET = "policy"
PROFILES = ("", "starter", "standard", "strict")
"""The profiles of the pack, each asks for more than the one before it; without a name it asks for nothing."""

_PROFILE: Record = ("meta", "profile")

OnTemplateChange: TypeAlias = Literal["refuse", "restart"]
"""What becomes of a changed analysis template that an update under way uses: no, or the update starts again."""


def no_pack(profile: str) -> Sequence[Object]:
    """Have no policies of one's own."""
    return ()


@dataclass(frozen=True, slots=True)
class Rules:
    """What an engine is told about policies when it is started.

    Args:
        pack: makes the policies of a profile.
        profile: which profile is wanted; None is the one that it had, or else `first`.
        first: the profile of a store that has none yet.
        reason: why the profile is lowered, where it is.
        terms: what waivers have to keep to.
        on_template_change: what becomes of a changed template that an update under way uses.
        policies: what judges beside the pack and the policies that are applied, without being a manifest.
    """

    pack: Callable[[str], Sequence[Object]] = no_pack
    profile: str | None = None
    first: str = ""
    reason: str = ""
    terms: Terms = TERMS
    on_template_change: OnTemplateChange = "refuse"
    policies: Sequence[Policy] = ()


class Rulebook:
    """Holds the policies as manifests. What is put in was stored by whoever puts it in.

    Raises:
        UsageError: the profile would be lowered, and nobody says why.
    """

    def __init__(self, store: Store, rules: Rules) -> None:
        self.rules = rules
        found: dict[str, Object] = {}
        for name, body in store.load(BUCKET).items():
            found[name] = msgspec.json.decode(body)
        self._applied = found
        kept = store.load(_PROFILE[0]).get(_PROFILE[1])
        self.lowered_from = ""
        self.profile = self._chosen(None if kept is None else kept.decode())
        self._pack = {name_of(each): each for each in rules.pack(self.profile)}

    @property
    def records(self) -> dict[Record, bytes | None]:
        """What to write to the store so that the next engine has the same profile."""
        return {_PROFILE: self.profile.encode()} if self.profile else {}

    @property
    def detail(self) -> dict[str, object]:
        """What the record says of the profile when the engine comes up."""
        lowered: dict[str, object] = {"loweredFrom": self.lowered_from} if self.lowered_from else {}
        return {"profile": self.profile, **lowered} if self.profile else {}

    @property
    def documents(self) -> tuple[Object, ...]:
        """All policies; one that was applied takes the place of the pack's of its name."""
        return tuple((self._pack | self._applied).values())

    def find(self, name: str) -> Object | None:
        """Return a policy by the name that `name_of` gives it."""
        return self._applied.get(name) or self._pack.get(name)

    def removable(self, name: str) -> Object:
        """Return a policy that was applied.

        Raises:
            NotFound: there is none of that name, or it is the pack's.
        """
        if name in self._applied:
            return self._applied[name]
        if name in self._pack:
            raise NotFound(f"{name} is of the profile {self.profile}", hint="davy up --profile chooses another")
        known = ", ".join(sorted(self._applied)) or "none was applied"
        raise NotFound(f"there is no policy {name}", hint=f"those that were applied: {known}")

    def outcome(self, policy: Object) -> str:
        """Say what applying a policy makes of it, in kubectl's words."""
        known = self.find(name_of(policy))
        return "created" if known is None else "unchanged" if known == policy else "configured"

    def put(self, policies: Iterable[Object]) -> None:
        """Take policies in, or others in their place."""
        self._applied = self._applied | {name_of(each): each for each in policies}

    def remove(self, name: str) -> None:
        """Take a policy out."""
        self._applied = {each: found for each, found in self._applied.items() if each != name}

    def _chosen(self, kept: str | None) -> str:
        wanted = self.rules.profile
        if wanted is None:
            return self.rules.first if kept is None else kept
        if kept is not None and PROFILES.index(wanted) < PROFILES.index(kept):
            if not self.rules.reason.strip():
                raise UsageError(
                    f"the profile would be lowered from {kept} to {wanted or 'none'}, and nobody says why",
                    hint=f'davy up --profile {wanted} --reason "…" puts one on record',
                )
            self.lowered_from = kept
        return wanted


def name_of(policy: Object) -> str:
    """Name a policy: its kind, its namespace if it has one, and its name."""
    metadata = policy.get("metadata") or {}
    parts = (Kind.of(policy).kind, metadata.get("namespace"), metadata.get("name"))
    return "/".join(str(part) for part in parts if part)


def stored(policies: Iterable[Object]) -> dict[Record, bytes | None]:
    """Return what to write to the store for some policies."""
    return {(BUCKET, name_of(each)): msgspec.json.encode(each) for each in policies}
