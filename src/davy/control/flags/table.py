"""All flags of an environment at one moment. A table never changes; another takes its place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

import msgspec

from davy.control.flags.passages import Passage
from davy.control.flags.settled import reach, settled
from davy.control.flags.state import BUCKET, FlagState, digest
from davy.flags.definition import Definition, Definitions
from davy.flags.evidence import Evidence
from davy.flags.gate import Verdict, enforced, is_guarded, judge, safe_variant
from davy.flags.governance import Governance
from davy.flags.overlays import definition_of, governance_of, overlaid
from davy.flags.rendering import rendered
from davy.ledger.store import Record, Store
from davy.model.flag import FeatureFlag
from davy.model.key import Key

KIND = "FeatureFlag"
PASSAGES = "passage"
"""Where it is kept what passed of each rollout."""


@dataclass(frozen=True)
class Flag:
    """A flag: what is declared of it here, what governs it, and what has become of it."""

    manifest: FeatureFlag
    definition: Definition
    governance: Governance
    state: FlagState

    @classmethod
    def of(cls, manifest: FeatureFlag, state: FlagState, environment: str) -> "Flag":
        """Return a flag as it is in an environment."""
        governance = governance_of(manifest)
        definition = definition_of(manifest, governance)
        overlay = manifest.spec.environments.get(environment)
        if overlay is not None:
            definition = overlaid(definition, overlay)
        return cls(manifest, definition, governance, state)

    def being(self, **changes: object) -> "Flag":
        """Return the flag in another state."""
        return Flag(
            self.manifest, self.definition, self.governance, msgspec.structs.replace(self.state, **changes)
        )

    @property
    def key(self) -> Key:
        """Its namespace and its name; the name is what code asks for."""
        return self.manifest.key

    @property
    def subject(self) -> str:
        """What entries about it are filed under."""
        return f"{KIND} {self.key}"

    @property
    def linked(self) -> Key | None:
        """The rollout whose canary has to pass."""
        namespace, slash, name = self.governance.rollout.partition("/")
        return Key(namespace, name) if slash else None

    @property
    def safe(self) -> str:
        """The variant that is safe."""
        return safe_variant(self.definition) or ""

    @cached_property
    def served(self) -> Definition:
        """What is served of it where nothing holds it back."""
        return settled(self.definition, self.state.settings)

    @property
    def reach(self) -> int:
        """The share of users, in percent, that can get something else than what is safe; the gate aside."""
        return reach(self.definition, self.state.settings, dead=self.state.dead)

    @property
    def digest(self) -> str:
        """What it is known by as it stands, however often it was so before."""
        return digest(self.definition, self.state.settings, killed=self.state.killed is not None)

    @property
    def commit(self) -> str:
        """What this version is known by, and no other."""
        told = f"{self.key} {self.state.version} {self.digest}"
        return f"sha256:{sha256(told.encode()).hexdigest()}"


@dataclass(frozen=True)
class Table:
    """The flags, what has passed of which rollout, and which document that makes.

    Args:
        environment: whose flags these are.
        flags: by namespace and name.
        passages: by rollout.
        retired: what is left of flags that were taken away.
        generation: the version of the documents.
    """

    environment: str
    flags: Mapping[Key, Flag] = field(default_factory=dict)
    passages: Mapping[Key, Passage] = field(default_factory=dict)
    retired: Mapping[Key, FlagState] = field(default_factory=dict)
    generation: int = 1

    @classmethod
    def load(cls, store: Store, environment: str) -> "Table":
        """Read what a store holds."""
        objects = store.load("object")
        passages = {
            _key(name): msgspec.json.decode(body, type=Passage) for name, body in store.load(PASSAGES).items()
        }
        flags: dict[Key, Flag] = {}
        retired: dict[Key, FlagState] = {}
        generation = 1
        for name, body in store.load(BUCKET).items():
            state = msgspec.json.decode(body, type=FlagState)
            generation = max(generation, state.generation)
            manifest = objects.get(f"{KIND}/{name}")
            if manifest is None:
                retired[_key(name)] = state
            else:
                flag = Flag.of(msgspec.json.decode(manifest, type=FeatureFlag), state, environment)
                flags[flag.key] = flag
        return cls(environment, flags, passages, retired, generation)

    @cached_property
    def artifacts(self) -> frozenset[str]:
        """The artifacts that anything is known of."""
        passages = self.passages.values()
        passed = {each.artifact for passage in passages for each in passage.evidence}
        return frozenset(passed.union(*(passage.users_meet for passage in passages)))

    @property
    def production(self) -> bool:
        """Whether gates are shut here until a canary has passed."""
        return is_guarded(self.environment)

    def put(self, flag: Flag) -> "Table":
        """Return the table with a flag in it, or another state of it."""
        generation = max(self.generation, flag.state.generation)
        retired = {key: state for key, state in self.retired.items() if key != flag.key}
        flags = {**self.flags, flag.key: flag}
        return Table(self.environment, flags, self.passages, retired, generation)

    def without(self, key: Key, state: FlagState) -> "Table":
        """Return the table without a flag, of which this state is left."""
        flags = {each: flag for each, flag in self.flags.items() if each != key}
        generation = max(self.generation, state.generation)
        return Table(self.environment, flags, self.passages, {**self.retired, key: state}, generation)

    def only(self, key: Key, generation: int) -> "Table":
        """Return a table that knows of no other flag: enough for what comes of one, and small to change."""
        flags = {key: self.flags[key]} if key in self.flags else {}
        retired = {key: self.retired[key]} if key in self.retired else {}
        return Table(self.environment, flags, self.passages, retired, generation)

    def joined(self, parts: Mapping[Key, "Table"]) -> "Table":
        """Return the table in which each of these flags is as in a table of its own; many cost one copy."""
        flags, generation = dict(self.flags), self.generation
        retired = {key: state for key, state in self.retired.items() if key not in parts}
        for key, part in parts.items():
            if not part.flags:
                flags.pop(key, None)
            flags.update(part.flags)
            retired.update(part.retired)
            generation = max(generation, part.generation)
        return Table(self.environment, flags, self.passages, retired, generation)

    def passing(self, rollout: Key, passage: Passage) -> "Table":
        """Return the table in which something else is known of a rollout."""
        passages = {**self.passages, rollout: passage}
        return Table(self.environment, self.flags, passages, self.retired, self.generation)

    def linked(self, rollout: Key) -> list[Flag]:
        """List the flags that wait for a rollout."""
        return [flag for flag in self.flags.values() if flag.linked == rollout]

    def opened(self, flag: Flag) -> dict[str, Evidence]:
        """Return what a flag may be on for, by artifact; the empty artifact is for who does not say which."""
        if flag.linked is None or not self.production:
            return {}
        passage = self.passages.get(flag.linked, Passage())
        enough = {each.artifact: each for each in passage.evidence if self._is_open(flag, each)}
        for each in passage.for_anybody:
            if self._is_open(flag, each):
                enough[""] = each
        return enough

    def gated(self, flag: Flag) -> bool:
        """Whether there is a gate before a flag here."""
        return flag.linked is not None and self.production

    def may_be_on(self, flag: Flag) -> bool:
        """Whether somebody may get something else than what is safe."""
        return bool(self.opened(flag)) or not self.gated(flag)

    def verdict(self, flag: Flag, artifact: str = "") -> Verdict:
        """Say whether the gate of a flag is open for instances of an artifact, and why."""
        return judge(flag.definition, self.environment, self._evidence(artifact), artifact)

    def definitions(self, artifact: str = "") -> Definitions:
        """Return what is served to instances of an artifact, gates and kills in it."""
        alive = [flag for _, flag in sorted(self.flags.items()) if not flag.manifest.spec.retired]
        set_metadata = {"flagSetId": self.environment}
        wanted = Definitions({flag.key.name: flag.served for flag in alive}, {}, set_metadata)
        killed = {flag.key.name for flag in alive if flag.state.dead}
        return enforced(wanted, self.environment, self._evidence(artifact), killed, artifact)

    def text(self, artifact: str = "") -> bytes:
        """Return the document for instances of an artifact."""
        return rendered(self.definitions(artifact))

    def _evidence(self, artifact: str) -> Mapping[Key, tuple[Evidence, ...]]:
        if artifact:
            return {rollout: each.evidence for rollout, each in self.passages.items()}
        return {rollout: each.for_anybody for rollout, each in self.passages.items()}

    def _is_open(self, flag: Flag, evidence: Evidence) -> bool:
        return judge(flag.definition, self.environment, {evidence.rollout: (evidence,)}, evidence.artifact).open


def records(before: Table, after: Table) -> dict[Record, bytes | None]:
    """Return what to write to the store so that it holds what came about."""
    found: dict[Record, bytes | None] = {}
    for key, flag in after.flags.items():
        known = before.flags.get(key)
        if known is None or known.state != flag.state:
            found[BUCKET, str(key)] = msgspec.json.encode(flag.state)
    for key, state in after.retired.items():
        if before.retired.get(key) != state:
            found[BUCKET, str(key)] = msgspec.json.encode(state)
    for rollout, passage in after.passages.items():
        if before.passages.get(rollout) != passage:
            found[PASSAGES, str(rollout)] = msgspec.json.encode(passage)
    return found


def changed(before: Table, after: Table) -> tuple[str, ...]:
    """Name the flags that instances get another version of."""
    return tuple(sorted({key.name for key in _other(before, after)}))


def _other(before: Table, after: Table) -> Iterator[Key]:
    for key, flag in after.flags.items():
        known = before.flags.get(key)
        if known is None or known.state.generation != flag.state.generation:
            yield key
    yield from before.flags.keys() - after.flags.keys()


def _key(name: str) -> Key:
    namespace, _, rest = name.partition("/")
    return Key(namespace, rest)
