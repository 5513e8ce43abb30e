"""Experiments: versions side by side for a time, each with replicas of its own, and analyses of them.

Source of the order: `experiments/experiment.go` and `rollout/experiment.go` of argoproj/argo-rollouts
(Apache-2.0). There an experiment whose time is over is Successful while its analyses still run, unless they are
required; here every analysis that can finish has to, and one that cannot must have measured something good.
"""

from datetime import UTC, datetime

import msgspec

from davy.model.duration import parse_duration
from davy.model.rollout import Rollout, RolloutAnalysis
from davy.model.steps import (
    AnalysisRunArgument,
    AnalysisTemplateRef,
    RolloutExperimentStep,
    RolloutExperimentStepAnalysisTemplateRef,
    RolloutExperimentTemplate,
)
from davy.rollout import plan
from davy.rollout.decision import Event, Look, RunKind, RunRequest, RunView, Verdict
from davy.rollout.move import Move, naming, run_name
from davy.rollout.names import fingerprint
from davy.rollout.state import Experiment, RolloutState, Side, Stepping


def begin(rollout: Rollout, state: RolloutState, progress: Stepping, now: float) -> Move:
    """Start the versions of an experiment."""
    name = name_of(rollout, state, progress.index)
    sides = tuple(_side(state, name, template) for template in _wanted(rollout, progress).templates)
    detail: dict[str, object] = {
        **naming(state),
        "experiment": name,
        "step": progress.index,
        "sides": {side.name: side.hash for side in sides},
    }
    started = msgspec.structs.replace(progress, experiment=Experiment(name, since=now))
    return Move(started, events=(Event("experiment_started", detail),), sides=sides)


def name_of(rollout: Rollout, state: RolloutState, index: int) -> str:
    """Name the experiment of a step as Argo does; a later attempt gets a number of its own."""
    return run_name(rollout, state, str(index))


def await_sides(
    rollout: Rollout, state: RolloutState, progress: Stepping, experiment: Experiment, look: Look, now: float
) -> Move:
    """Start the analyses once every side is available; from then on the time of the experiment counts."""
    if any(look.seen.count(side.hash).available < side.replicas for side in state.sides):
        return Move(progress)
    wanted = _wanted(rollout, progress)
    end_s = _duration_s(wanted)
    facts = _facts(rollout, state, now, None if end_s is None else now + end_s)
    requests = tuple(
        RunRequest(
            f"{experiment.name}-{each.name}",
            RunKind.EXPERIMENT,
            _analysis(wanted, each, facts),
            progress.index,
        )
        for each in wanted.analyses
    )
    running = Experiment(experiment.name, experiment.since, now, tuple(request.name for request in requests))
    return Move(msgspec.structs.replace(progress, experiment=running), start=requests)


def stuck_cause(rollout: Rollout, state: RolloutState, progress: Stepping, look: Look, now: float) -> str:
    """Say which side never became available within the progress deadline, or return an empty string."""
    experiment = progress.experiment
    if experiment is None or experiment.available_at is not None:
        return ""
    if now < experiment.since + rollout.spec.progress_deadline_s:
        return ""
    late = [side.name for side in state.sides if look.seen.count(side.hash).available < side.replicas]
    if not late:
        return ""
    limit = rollout.spec.progress_deadline_s
    return f"Experiment {experiment.name}: {' and '.join(late)} did not become available within {limit:g}s"


def judge(
    rollout: Rollout, state: RolloutState, progress: Stepping, experiment: Experiment, look: Look, now: float
) -> RunView:
    """Say what an experiment has shown so far; its failures are heard elsewhere, as aborts."""
    wanted = _wanted(rollout, progress)
    duration_s, started = _duration_s(wanted), experiment.available_at
    assert started is not None, "an experiment is judged once its sides are available"
    over = duration_s is not None and now >= started + duration_s
    runs = [look.runs.get(name, RunView(Verdict.RUNNING)) for name in experiment.runs]
    required = [run for run, each in zip(runs, wanted.analyses, strict=True) if each.required_for_completion]
    if unknown := [run for run in runs if run.verdict is Verdict.UNKNOWN]:
        return unknown[0]
    running = [run for run in runs if run.verdict is Verdict.RUNNING]
    if not running and (runs or over):
        return RunView(Verdict.PASSED)
    if required and not any(run.verdict is Verdict.RUNNING for run in required):
        return RunView(Verdict.PASSED)
    if not over or any(run.finite for run in running) or any(run in running for run in required):
        return RunView(Verdict.RUNNING)
    if blind := [run for run in running if not run.passing]:
        return RunView(Verdict.UNKNOWN, blind[0].message or "the experiment ended before anything was measured")
    return RunView(Verdict.PASSED)


def finish(rollout: Rollout, state: RolloutState, progress: Stepping, now: float) -> Move:
    """End the users' share of the sides, and let their replicas go a little later."""
    assert progress.experiment is not None
    delay = _wanted(rollout, progress).scale_down_delay_seconds
    at = now + (plan.ARGO_SCALE_DOWN_DELAY_S if delay is None else delay)
    sides = tuple(msgspec.structs.replace(side, scale_down_at=at) for side in state.sides)
    detail = {**naming(state), "experiment": progress.experiment.name, "step": progress.index}
    return Move(progress, events=(Event("experiment_finished", detail),), sides=sides)


def ends_at(rollout: Rollout, progress: Stepping) -> float | None:
    """Say when the time of an experiment is over, None for never or before it counts."""
    experiment = progress.experiment
    if experiment is None or experiment.available_at is None:
        return None
    duration_s = _duration_s(_wanted(rollout, progress))
    return None if duration_s is None else experiment.available_at + duration_s


def _wanted(rollout: Rollout, progress: Stepping) -> RolloutExperimentStep:
    wanted = plan.steps(rollout)[progress.index].experiment
    assert wanted is not None
    return wanted


def _duration_s(wanted: RolloutExperimentStep) -> float | None:
    return parse_duration(wanted.duration) if wanted.duration else None


def _side(state: RolloutState, experiment: str, wanted: RolloutExperimentTemplate) -> Side:
    """Make one side: the template of the stable or of the new version, under a hash of its own."""
    source = state.revision(state.stable) if wanted.spec_ref == "stable" else state.newest
    hash_ = fingerprint(source.template, source.launch.digest, experiment, wanted.name)
    service = "" if wanted.service is None else wanted.service.name or f"{experiment}-{wanted.name}"
    return Side(
        name=wanted.name,
        hash=hash_,
        of=wanted.spec_ref,
        template=source.template,
        launch=source.launch,
        replicas=1 if wanted.replicas is None else wanted.replicas,
        weight=wanted.weight or 0,
        service=service,
        metadata=wanted.metadata,
    )


def _facts(rollout: Rollout, state: RolloutState, now: float, ends_at_s: float | None) -> dict[str, str]:
    """Return what arguments of an experiment's analyses may name (`utils/template/template.go`)."""
    facts = {"experiment.availableAt": _instant(now)}
    if ends_at_s is not None:
        facts["experiment.finishedAt"] = _instant(ends_at_s)
    for side in state.sides:
        facts[f"templates.{side.name}.podTemplateHash"] = side.hash
        facts[f"templates.{side.name}.replicaset.name"] = f"{rollout.metadata.name}-{side.hash}"
    return facts


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _analysis(
    wanted: RolloutExperimentStep,
    each: RolloutExperimentStepAnalysisTemplateRef,
    facts: dict[str, str],
) -> RolloutAnalysis:
    """Put together what one analysis of an experiment asks for, the facts of the experiment filled in."""
    return RolloutAnalysis(
        templates=(AnalysisTemplateRef(each.template_name, each.cluster_scope),),
        args=tuple(_filled(argument, facts) for argument in each.args),
        dry_run=wanted.dry_run,
    )


def _filled(argument: AnalysisRunArgument, facts: dict[str, str]) -> AnalysisRunArgument:
    value = argument.value
    for name, fact in facts.items():
        value = value.replace(f"{{{{{name}}}}}", fact)
    return msgspec.structs.replace(argument, value=value)
