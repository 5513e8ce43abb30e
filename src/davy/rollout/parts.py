"""Which part each version plays, and what its replicas carry for it."""

from davy.model.rollout import PodTemplateMetadata, Rollout
from davy.rollout.state import RolloutState, Settled

NOTHING = PodTemplateMetadata()


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
