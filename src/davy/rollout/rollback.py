"""Going back quickly: to a version that was stable before, without steps and analyses.

Argo Rollouts takes any older revision within the window; here it has to have been promoted once and not aborted
since, so that no version that was aborted comes back past its gates.
"""

from davy.model.rollout import Rollout
from davy.rollout import plan
from davy.rollout.state import Revision, RolloutState

WITHIN_WINDOW = "Rollback within window"
FAST = "Fast rollback"


def quick_way_back(rollout: Rollout, state: RolloutState, target: Revision, now: float) -> str:
    """Say in Argo's words why a revision may come back without taking its steps again, or return nothing.

    It may when it lies within `rollbackWindow`, and with blue/green also while its replicas still wait for the
    end of their `scaleDownDelaySeconds`.
    """
    if not was_stable_before(state, target):
        return ""
    stable = state.revision(state.stable)
    if _is_within_window(rollout, state, target, stable):
        return WITHIN_WINDOW
    waits = target.replicas > 0 and target.scale_down_at is not None and now < target.scale_down_at
    return FAST if plan.blue_green(rollout) is not None and waits else ""


def was_stable_before(state: RolloutState, target: Revision) -> bool:
    """Say whether to go to a revision is to go back: it is older than the stable one and was stable itself."""
    if not state.stable or target.promoted_at is None:
        return False
    return target.created_at < state.revision(state.stable).created_at


def _is_within_window(rollout: Rollout, state: RolloutState, target: Revision, stable: Revision) -> bool:
    """Count the revisions between a target and stable by when they were made."""
    window = rollout.spec.rollback_window
    if window is None:
        return False
    between = [each for each in state.revisions if target.created_at < each.created_at < stable.created_at]
    return len(between) < window.revisions
