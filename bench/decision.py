"""One decision: what is computed in every turn for every rollout."""

from time import perf_counter

import msgspec

from bench.figure import Figure, median, percentile
from bench.payments import rollout
from davy.model.rollout import PodTemplateSpec, Rollout
from davy.rollout import actions
from davy.rollout.decide import decide
from davy.rollout.decision import Look, RunView, Verdict
from davy.rollout.platform import Desired, Launch, Pod, Seen
from davy.rollout.state import RolloutState, Settled

TURNS = 2000
TURN_S = 10.0
LAUNCH = Launch(argv=("true",), directory="/")


def measure() -> list[Figure]:
    """Lead the example's rollout through release after release, and time every decision on the way."""
    manifest = rollout()
    state, _ = actions.create(manifest, manifest.spec.template, LAUNCH, 0.0)
    seen, runs, times = Seen(), set[str](), []
    for turn in range(TURNS):
        now = turn * TURN_S
        if isinstance(state.progress, Settled):
            state = _release(manifest, state, turn, now)
        look = Look(seen=seen, runs={name: RunView(Verdict.PASSED) for name in runs})
        began = perf_counter()
        decision = decide(manifest, state, look, now)
        times.append(1000 * (perf_counter() - began))
        state, seen = decision.state, _follow(decision.desired, now)
        runs = {run.name for run in decision.start} | decision.active
    releases = state.newest.number
    return [
        Figure(f"decide(), median over {releases} releases", median(times), "ms", TURNS, 1.0),
        Figure("decide(), p99", percentile(times, 99), "ms", TURNS),
    ]


def _release(manifest: Rollout, state: RolloutState, number: int, now: float) -> RolloutState:
    """Ask for another version."""
    metadata = msgspec.structs.replace(manifest.spec.template.metadata, annotations={"release": str(number)})
    template: PodTemplateSpec = msgspec.structs.replace(manifest.spec.template, metadata=metadata)
    return actions.revise(manifest, state, template, LAUNCH, now)[0]


def _follow(desired: Desired, now: float) -> Seen:
    """Play a world that does as it is told at once."""
    pods = [
        Pod(f"{each.hash}-{number}", each.hash, "Running", True, True, 0, now, 8080)
        for each in desired.replica_sets
        for number in range(each.replicas)
    ]
    return Seen(pods=tuple(pods), weights=desired.weights, port=8080)
