"""The routes beside the split that an update has now: none unless it is on its steps."""

from davy.model.rollout import Rollout
from davy.model.side_route import HeaderRoute, MirrorRoute, SideRoute
from davy.model.steps import SetHeaderRoute
from davy.rollout import plan
from davy.rollout.platform import Seen
from davy.rollout.state import Promoting, RolloutState, Stepping, lacks_evidence


def routes(rollout: Rollout, state: RolloutState, seen: Seen) -> tuple[SideRoute, ...]:
    """Return the routes that the steps up to now have set, while the new version can answer at all.

    The quick way back passes over the steps, and so sets none. An abort and the end of an update take them away
    with the weight, as Argo does. While evidence is missing, none comes into force.
    """
    match state.progress:
        case Stepping(index=index):
            pass
        case Promoting(quick=False):
            index = len(plan.steps(rollout))
        case _:
            return ()
    if seen.count(state.current).available == 0:
        return ()
    found: list[SideRoute] = []
    for route in plan.set_routes(rollout, index):
        if isinstance(route, SetHeaderRoute):
            found.append(HeaderRoute(route.name, route.match, state.current))
        else:
            share = 100 if route.percentage is None else route.percentage
            found.append(MirrorRoute(route.name, route.match, share, state.current))
    if lacks_evidence(state.progress):
        return tuple(route for route in found if route in seen.routes)
    return tuple(found)
