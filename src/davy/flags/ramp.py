"""A ramp written as a Rollout: what decides and judges canaries does so with a flag's way to everybody.

The two versions are those who get the ramp's variant and those who get what is safe; a weight is a share of
users. The name has a colon in it, which no object that somebody applies can have.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from davy.model.flag import FeatureFlag, FlagRamp
from davy.model.key import Key
from davy.model.meta import ObjectMeta, PodMeta
from davy.model.pod import Container, PodSpec, PodTemplateSpec
from davy.model.rollout import CanaryStrategy, Rollout, RolloutSpec, RolloutStrategy, RolloutTrafficRouting
from davy.model.steps import AnalysisRunArgument, CanaryStep

PREFIX = "flag:"
"""What stands before the key of a flag in the name of its ramp."""

DRAWN_BY = "targetingKey"
"""What users are drawn by where a ramp does not say: what flagd draws by."""


def name_of(flag: Key) -> Key:
    """Return what the ramp of a flag is called among rollouts: `default/flag:checkout.discount-enabled`."""
    return Key(flag.namespace, PREFIX + flag.name)


def is_ramp(rollout: Key) -> bool:
    """Say whether a rollout is the ramp of a flag."""
    return rollout.name.startswith(PREFIX)


def flag_of(rollout: Key) -> Key:
    """Return the flag whose ramp it is."""
    return Key(rollout.namespace, rollout.name.removeprefix(PREFIX))


def as_rollout(flag: FeatureFlag, annotations: Mapping[str, str]) -> Rollout:
    """Write the ramp of a flag, which has to have one, as the Rollout that takes its steps.

    Args:
        flag: the flag.
        annotations: whose change it is and where it goes (`davy.model.origin`).
    """
    ramp = flag.spec.ramp
    assert ramp is not None, "a flag with a ramp"
    key = name_of(flag.key)
    canary = CanaryStrategy(
        steps=tuple(_step(step, flag.key.name, ramp) for step in ramp.steps),
        traffic_routing=RolloutTrafficRouting(),
        scale_down_delay_seconds=0,
        abort_scale_down_delay_seconds=1,
    )
    return Rollout(
        metadata=ObjectMeta(name=key.name, namespace=key.namespace, annotations=dict(annotations)),
        spec=RolloutSpec(
            strategy=RolloutStrategy(canary=canary), replicas=1, template=template(flag, ramp.variant)
        ),
    )


def template(flag: FeatureFlag, variant: str) -> PodTemplateSpec:
    """Return what stands for the users who get a variant: its name is their image."""
    labels = {"davy.dev/flag": flag.key.name, "davy.dev/variant": variant}
    return PodTemplateSpec(
        metadata=PodMeta(labels=labels), spec=PodSpec(containers=(Container(name="flag", image=variant),))
    )


def _step(step: CanaryStep, flag: str, ramp: FlagRamp) -> CanaryStep:
    """Tell the templates of an analysis which flag and variant it is about, where the ramp does not."""
    if step.analysis is None:
        return step
    given = {each.name for each in step.analysis.args}
    told = {"flag": flag, "variant": ramp.variant}
    more = tuple(AnalysisRunArgument(name, value) for name, value in told.items() if name not in given)
    return replace(step, analysis=replace(step.analysis, args=(*step.analysis.args, *more)))
