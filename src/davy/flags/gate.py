"""The gate: a flag that is linked to a rollout keeps its safe value in production until the canary has passed.

It is compiled into the document, so that every evaluator obeys it: a closed flag has its safe variant as its
default, and no targeting. What an application passes as a default never comes into it.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace

from davy.flags.definition import Definition, Definitions
from davy.flags.evidence import Evidence
from davy.flags.governance import NAMES
from davy.model.key import Key

PRODUCTION = "production"
"""The environment that is meant where none is named; gates are shut there."""

_WITHOUT_USERS = re.compile(
    "dev|devel|development|local|ci|e2e|sandbox|playground|demo|integration|test|tests|testing|qa|uat|perf"
    "|performance|load|stg|stage|staging|preview|review|ephemeral"
)
"""Words in the name of an environment that say that no users are there: in those alone gates are never shut."""

EvidenceByRollout = Mapping[Key, Sequence[Evidence]]
"""The canaries that passed, by their rollout."""

SAID = ("gate", "gateReason", "gateEvidence", "killed")
"""Names in metadata that say what became of a flag; nobody else writes them."""


class Verdict(msgspec.Struct, frozen=True):
    """Whether a flag may be on, and why in one sentence; `unknown` is as good as `closed`.

    `evidence` is what opened the gate, None where there is none to open or it is not open.
    """

    state: Literal["open", "closed", "unknown"]
    why: str
    evidence: Evidence | None = None

    @property
    def open(self) -> bool:
        """Say whether the flag may be on."""
        return self.state == "open"


def is_guarded(environment: str) -> bool:
    """Say whether gates can be shut in an environment: where users are, and wherever nobody knows.

    `staging`, `eu-dev-2` and `load-test` are known to be without; `production`, `prod`, `prodution`, `eu` and
    `live-preview` are not, and a name that is misspelt opens nothing.
    """
    words = re.findall("[a-z0-9]*[a-z][a-z0-9]*", environment.lower())
    if any(word.startswith(("prod", "live")) for word in words):
        return True
    return not any(map(_WITHOUT_USERS.fullmatch, words))


def judge(definition: Definition, environment: str, evidence: EvidenceByRollout, artifact: str = "") -> Verdict:
    """Say whether a flag may be on in an environment, for instances of one artifact.

    Args:
        definition: the flag; `rollout` and `rolloutWeight` in its metadata are the link.
        environment: where; see `is_guarded`.
        evidence: the canaries that passed.
        artifact: the hash of the pod template that instances were started from. Where it is empty, any artifact
            that passed opens the gate: hand in evidence only of those that users are served by.
    """
    if "rollout" not in definition.metadata:
        return Verdict("open", "no rollout is linked")
    if not is_guarded(environment):
        return Verdict("open", f"gates are for where users are, and this is {environment}")
    linked, weight = _link(definition)
    if linked is None:
        return Verdict("unknown", "the link to a rollout cannot be read: write `rollout: namespace/name`")
    passed = evidence.get(linked, ())
    if not passed:
        return Verdict("unknown", f"no canary of {linked} has passed yet")
    of_artifact = [each for each in passed if not artifact or each.artifact == artifact]
    if not of_artifact:
        return Verdict("closed", f"no canary of {linked} with the artifact {artifact} has passed yet")
    best = max(of_artifact, key=lambda each: (each.weight, each.at))
    if not best.weight >= weight:
        why = f"the canary of {linked} has passed at {best.weight} percent, and not yet at {weight}"
        return Verdict("closed", why)
    return Verdict("open", f"the canary of {linked} has passed at {best.weight} percent", best)


def enforced(
    definitions: Definitions,
    environment: str,
    evidence: EvidenceByRollout,
    killed: Collection[str],
    artifact: str = "",
) -> Definitions:
    """Bake closed gates and kills into a document; the rest of it stays as it is.

    What was baked once stays baked: a document whose gates are closed is opened by making it anew. A flag that
    cannot be read is baked, too, where its gate is closed or it was killed, and enough of it remains to know
    what is safe. What the metadata of the set says of governance is said of each flag that says nothing else.

    Args:
        definitions: the flags of the environment.
        environment: see `judge`.
        evidence: see `judge`.
        killed: keys of flags that were killed, wherever they are.
        artifact: see `judge`.
    """
    found = _told_each(definitions)
    flags = {key: _enforced(flag, environment, evidence, killed, artifact) for key, flag in found.flags.items()}
    remains = {
        key: _enforced(flag, environment, evidence, killed, artifact) for key, flag in found.remains.items()
    }
    safe = {key: flag for key, flag in remains.items() if is_baked(flag)}
    if not safe:
        return replace(found, flags=flags)
    broken = {key: why for key, why in found.broken.items() if key not in safe}
    left = {key: flag for key, flag in found.remains.items() if key not in safe}
    return replace(found, flags={**flags, **safe}, broken=broken, remains=left)


def is_baked(definition: Definition) -> bool:
    """Say whether a flag has its gate closed or was killed, and answers with what is safe whoever asks."""
    return definition.metadata.get("gate") == "closed" or definition.metadata.get("killed") is True


def safe_variant(definition: Definition) -> str | None:
    """Return the variant that is safe: the one that is declared so, or else one whose value is nothing.

    Nothing is false, 0, an empty text and an empty mapping; None where there is neither.
    """
    declared = definition.metadata.get("safe")
    if isinstance(declared, str) and declared in definition.variants:
        return declared
    return next((name for name, value in definition.variants.items() if not value), None)


def _told_each(definitions: Definitions) -> Definitions:
    """Put what a set says of governance into the flags that say nothing else."""
    said = {name: definitions.metadata[name] for name in NAMES if name in definitions.metadata}
    if not said:
        return definitions
    flags, remains = (
        {key: replace(flag, metadata={**said, **flag.metadata}) for key, flag in each.items()}
        for each in (definitions.flags, definitions.remains)
    )
    return replace(definitions, flags=flags, remains=remains)


def _enforced(
    flag: Definition, environment: str, evidence: EvidenceByRollout, killed: Collection[str], artifact: str
) -> Definition:
    if flag.key in killed:
        return _safe(flag, {"killed": True, "gateReason": "it was killed"})
    return _judged(flag, judge(flag, environment, evidence, artifact))


def _judged(flag: Definition, verdict: Verdict) -> Definition:
    if is_baked(flag):
        said = {name: flag.metadata[name] for name in SAID if name in flag.metadata}
        return _safe(flag, said)
    if not verdict.open:
        return _safe(flag, {"gate": "closed", "gateReason": verdict.why})
    if verdict.evidence is None:
        return flag
    return replace(flag, metadata={**flag.metadata, "gate": "open", "gateEvidence": verdict.evidence.digest})


def _safe(flag: Definition, said: Mapping[str, bool | int | float | str]) -> Definition:
    """Answer with what is safe, whatever is asked; a flag for which nothing is safe is switched off."""
    variant = safe_variant(flag)
    metadata = {name: value for name, value in flag.metadata.items() if name not in SAID} | dict(said)
    return Definition(flag.key, flag.variants, variant is not None, variant, None, metadata)


def _link(definition: Definition) -> tuple[Key | None, float]:
    """Read which rollout a flag is linked to, and at which weight its canary has to have passed."""
    rollout, weight = definition.metadata["rollout"], definition.metadata.get("rolloutWeight", 100)
    if not isinstance(rollout, str) or isinstance(weight, bool) or not isinstance(weight, int | float):
        return None, 100
    namespace, slash, name = rollout.partition("/")
    return (Key(namespace, name), weight) if namespace and slash and name else (None, 100)
