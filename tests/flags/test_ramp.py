"""A ramp written as a rollout."""

from davy.flags.ramp import as_rollout, flag_of, is_ramp, name_of, template
from davy.model.flag import FeatureFlag, FeatureFlagSpec, FlagRamp
from davy.model.key import Key
from davy.model.meta import ObjectMeta
from davy.model.steps import (
    AnalysisRunArgument,
    AnalysisTemplateRef,
    CanaryStep,
    RolloutAnalysis,
    RolloutPause,
)

ANALYSIS = RolloutAnalysis(
    templates=(AnalysisTemplateRef("errors"),), args=(AnalysisRunArgument("variant", "mine"),)
)
FLAG = FeatureFlag(
    metadata=ObjectMeta(name="shop.new", namespace="eu"),
    spec=FeatureFlagSpec(
        owner="shop",
        jira="PAY-1",
        expiry="2027-01-01",
        variants={"on": True, "off": False},
        safe_value=False,
        ramp=FlagRamp(
            variant="on",
            steps=(
                CanaryStep(set_weight=10),
                CanaryStep(pause=RolloutPause()),
                CanaryStep(analysis=ANALYSIS),
                CanaryStep(set_weight=100),
            ),
        ),
    ),
)


def test_its_name_is_no_name_of_an_object_and_leads_back() -> None:
    name = name_of(FLAG.key)
    assert name == Key("eu", "flag:shop.new")
    assert is_ramp(name)
    assert not is_ramp(FLAG.key)
    assert flag_of(name) == FLAG.key


def test_it_has_the_steps_and_tells_templates_what_they_are_about() -> None:
    rollout = as_rollout(FLAG, {"davy.dev/kind": "flag"})
    canary = rollout.spec.strategy.canary
    assert canary is not None
    assert FLAG.spec.ramp is not None
    assert canary.steps[:2] == FLAG.spec.ramp.steps[:2]
    analysis = canary.steps[2].analysis
    assert analysis is not None
    assert {each.name: each.value for each in analysis.args} == {"variant": "mine", "flag": "shop.new"}
    assert rollout.metadata.annotations == {"davy.dev/kind": "flag"}


def test_variants_are_versions() -> None:
    assert template(FLAG, "on") != template(FLAG, "off")
    assert template(FLAG, "on").spec.containers[0].image == "on"
