"""A rollout as a view: the block above the tree, and its revisions below."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from davy.analysis import guard
from davy.analysis.tally import Tally
from davy.control import views
from davy.control.held import Held
from davy.control.picture.judge import judged
from davy.control.picture.revisions import Sight, images_of, revision
from davy.control.picture.routes import described
from davy.control.runs import RunRecord
from davy.control.verdicts import heard
from davy.rollout import plan as plans
from davy.rollout.parts import roles
from davy.rollout.platform import Seen
from davy.rollout.restart import restart_at, restarting
from davy.rollout.state import Aborted, RolloutState, Settled, Stepping, pause_of
from davy.rollout.status import count, status


def rollout(
    held: Held,
    seen: Seen,
    counters: Mapping[str, Tally],
    runs: Sequence[RunRecord],
    now: float,
    judge: str = "",
) -> views.RolloutView:
    """Draw one rollout; `judge` is the name of its Judge, where it has one."""
    manifest, state = held.manifest, held.state
    how, numbers = status(manifest, state, seen, heard(held, now)), count(manifest, state, seen)
    pause = pause_of(state.progress)
    left = None if pause is None or pause.duration_s is None else max(0.0, pause.since + pause.duration_s - now)
    switches = plans.blue_green(manifest) is not None
    sight = Sight(held, seen, counters, runs, now)
    return views.RolloutView(
        namespace=held.key.namespace,
        name=held.key.name,
        status=how.phase,
        message=how.message,
        strategy="BlueGreen" if switches else "Canary",
        step=step(state, len(plans.steps(manifest))),
        steps=_steps(held),
        set_weight=None if switches else _set_weight(held),
        actual_weight=None if switches else _actual_weight(held, seen),
        images=_images(held, seen),
        replicas=views.ReplicaNumbers(**msgspec.structs.asdict(numbers)),
        revisions=tuple(
            revision(sight, each) for each in sorted(state.revisions, key=lambda each: -each.number)
        ),
        guard=_guard(held),
        url=_url(seen.port),
        paused_for_s=None if pause is None else now - pause.since,
        pause_left_s=left,
        age_s=now - min(each.created_at for each in state.revisions),
        trouble=held.trouble or seen.trouble,
        services=tuple(_services(state, seen)),
        routes=tuple(views.RouteView(route.name, described(route)) for route in seen.routes),
        restart=_restart(held, seen, now),
        judge=judged(held, judge, now),
    )


def step(state: RolloutState, total: int) -> int | None:
    """Return the step index as Argo counts it: 0 after an abort, all of them when done."""
    if not total:
        return None
    match state.progress:
        case Stepping(index=index):
            return index
        case Aborted():
            return 0
        case _:
            return total


def _steps(held: Held) -> tuple[views.StepView, ...]:
    """List the plan, and how far the update has come in it."""
    plan, progress = plans.steps(held.manifest), held.state.progress
    if isinstance(progress, Stepping):
        reached, at = progress.index, "paused" if progress.pause else "active"
    elif isinstance(progress, Aborted):
        reached, at = progress.step, "aborted"
    else:
        reached, at = len(plan), "done"
    states = ["done" if i < reached else at if i == reached else "pending" for i in range(len(plan))]
    return tuple(views.StepView(plans.describe(step), state) for step, state in zip(plan, states, strict=True))


def _set_weight(held: Held) -> int | None:
    """Return the weight that the plan asks for now."""
    match held.state.progress:
        case Stepping(index=index):
            return plans.set_weight(held.manifest, index)
        case Aborted():
            return 0
        case _:
            return plans.full_weight(held.manifest)


def _actual_weight(held: Held, seen: Seen) -> int | None:
    """Return the share that the data plane has acknowledged."""
    if isinstance(held.state.progress, Settled):
        return plans.full_weight(held.manifest)
    weights = seen.weights or {}
    total = sum(weights.values())
    whole = plans.full_weight(held.manifest)
    return round(weights.get(held.state.current, 0) * whole / total) if total else 0


def _images(held: Held, seen: Seen) -> tuple[views.Image, ...]:
    """List the images that run or are about to, newest first, with the parts that they play."""
    state = held.state
    running = {pod.hash for pod in seen.pods}
    found: dict[str, tuple[str, ...]] = {}
    for each in sorted(state.revisions, key=lambda each: -each.number):
        if each.hash in running or each.hash in (state.current, state.stable):
            for image in images_of(each.template):
                found[image] = (*found.get(image, ()), *roles(held.manifest, state, each.hash))
    for side in state.sides:
        for image in images_of(side.template):
            found[image] = (*found.get(image, ()), f"experiment:{side.name}")
    return tuple(views.Image(image, tuple(dict.fromkeys(parts))) for image, parts in found.items())


def _url(port: int | None) -> str:
    return f"http://127.0.0.1:{port}/" if port else ""


def _services(state: RolloutState, seen: Seen) -> Iterator[views.ServiceView]:
    """List what can be called apart from users, as far as the data plane has it: the preview, and sides."""
    sides = {side.hash: side.name for side in state.sides}
    for name, point in sorted(seen.services.items()):
        yield views.ServiceView(name, sides.get(point.hash, "preview"), point.hash, _url(point.port))


def _restart(held: Held, seen: Seen, now: float) -> views.RestartView | None:
    """Count how far a restart has come, while there is one."""
    at = restart_at(held.manifest)
    if at is None or not restarting(held.manifest, held.state, now):
        return None
    young = [pod.started_at >= at for pod in seen.pods if pod.phase != "Terminating"]
    return views.RestartView(replaced=sum(young), of=len(young))


def _guard(held: Held) -> views.GuardView | None:
    """Draw the guard while it watches."""
    if held.watch is None or held.watch.guard is None:
        return None
    found = guard.verdict(held.watch.guard)
    return views.GuardView(
        sentence=found.sentence,
        evidence=round(found.log10_evidence, 2),
        needed=round(found.needed, 2),
        canary_requests=found.canary.requests,
        canary_errors=found.canary.errors,
        stable_requests=found.stable.requests,
        stable_errors=found.stable.errors,
        alarm=found.abort,
    )
