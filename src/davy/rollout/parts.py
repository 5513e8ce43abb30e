"""Which part each version plays, and what its replicas carry for it."""

from davy.model.rollout import PodTemplateMetadata, Rollout
from davy.rollout import plan
from davy.rollout.state import Aborted, Previewing, RolloutState, Settled

NOTHING = PodTemplateMetadata()


def roles(rollout: Rollout, state: RolloutState, hash_: str) -> tuple[str, ...]:
    """Say which parts a version plays, in Argo's words: stable and canary, or stable, active and preview.

    With blue/green the version that is stable need not be the active one: it is both again once a new version
    is verified, or aborted.
    """
    stable = ("stable",) if hash_ == state.stable else ()
    if plan.blue_green(rollout) is None:
        return stable or (("canary",) if hash_ == state.current else ())
    if hash_ == active_hash(state):
        return (*stable, "active")
    return stable or (("preview",) if hash_ == state.current else ())


def active_hash(state: RolloutState) -> str:
    """Return the version that the active service of a blue/green rollout is meant to lead to."""
    return state.stable if isinstance(state.progress, Previewing | Aborted) else state.current


def metadata_of(rollout: Rollout, state: RolloutState, hash_: str) -> PodTemplateMetadata:
    """Return the labels and annotations of a part: those of stable or active, of canary or preview, or none."""
    settled = isinstance(state.progress, Settled)
    canary, blue_green = rollout.spec.strategy.canary, rollout.spec.strategy.blue_green
    if hash_ == state.stable or (settled and hash_ == state.current):
        found = canary.stable_metadata if canary else blue_green.active_metadata if blue_green else None
    elif hash_ == state.current:
        found = canary.canary_metadata if canary else blue_green.preview_metadata if blue_green else None
    else:
        found = None
    return found or NOTHING
