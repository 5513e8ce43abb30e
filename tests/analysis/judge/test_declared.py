"""From a Judge as it is written to the one that is run, and which one that is for a rollout."""

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from davy.analysis.judge import Judge, Metric, MetricKind, Rung
from davy.analysis.judge.declared import judge_for, settings_of, step_weights
from davy.analysis.judge.settings import ERRORS, LADDER, LATENCIES
from davy.model.analysis import AnalysisTemplateRef, AnalysisTemplateSpec
from davy.model.judge import Judge as Written
from davy.model.judge import JudgeSpec
from davy.model.meta import ObjectMeta
from davy.model.rollout import Rollout

SOAK = {"weight": 5, "least": "2m", "most": "1h"}
NONE: Mapping[AnalysisTemplateRef, AnalysisTemplateSpec] = {}


def written(name: str = "strict", namespace: str = "shop", **spec: object) -> Written:
    return Written(
        metadata=ObjectMeta(name=name, namespace=namespace),
        spec=msgspec.convert({"service": "payments", **spec}, JudgeSpec),
    )


def rollout(
    steps: list[object] | None = None, annotations: Mapping[str, str] = {}, **canary: object
) -> Rollout:
    strategy = {"canary": {"steps": steps or [], **canary}}
    metadata = {"name": "payments", "namespace": "shop", "annotations": annotations}
    return msgspec.convert({"metadata": metadata, "spec": {"strategy": strategy}}, Rollout)


def template(*judges: str | None, templates: tuple[str, ...] = ()) -> AnalysisTemplateSpec:
    """Make a template with a metric for each Judge that is asked; None is a query of Prometheus."""
    metrics = [
        {
            "name": f"m{number}",
            "provider": {"prometheus": {"query": "up"}}
            if judge is None
            else {"plugin": {"davy/judge": {"judge": judge} if judge else {}}},
        }
        for number, judge in enumerate(judges)
    ]
    nested = [{"templateName": name} for name in templates]
    return msgspec.convert({"metrics": metrics, "templates": nested}, AnalysisTemplateSpec)


def analysis(*names: str) -> dict[str, object]:
    return {"analysis": {"templates": [{"templateName": name} for name in names]}}


def test_a_service_is_enough() -> None:
    assert settings_of(written()) == Judge()


def test_everything_that_is_written_counts() -> None:
    judge = written(
        metrics=[
            {"materiality": 2, "objective": 0.01},
            {"kind": "latency", "name": "slow", "margin": 1.21, "weight": 0.5},
            {"kind": "conversions", "name": "checkout", "counter": {"tried": "a", "happened": "b"}},
        ],
        alpha=0.001,
        beta=0.1,
        riskBudget=5,
        assurance=0.001,
        warmUp="0s",
        warmUpEach=True,
        bake="1h",
        interval="10s",
        steps=[SOAK, {"weight": 50, "least": "0s", "most": "0s"}],
        patience=3,
    )
    assert settings_of(judge, scrape_s=1.0) == Judge(
        metrics=(
            Metric(materiality=2.0, objective=0.01),
            Metric("slow", MetricKind.LATENCY, 0.5, margin_buckets=2),
            Metric("checkout", MetricKind.CONVERSIONS, 0.1),
        ),
        alpha=0.001,
        beta=0.1,
        risk_budget=5.0,
        assurance=0.001,
        warm_up_s=0.0,
        warm_up_each=True,
        bake_s=3600.0,
        scrape_s=10.0,
        ladder=(Rung(0.05, 120.0, 3600.0), Rung(0.5, 0.0, 0.0)),
        patience=3.0,
    )


def test_a_metric_has_the_defaults_of_its_kind() -> None:
    assert settings_of(written(metrics=[{}, {"kind": "latency"}])).metrics == (ERRORS, LATENCIES)


@given(st.floats(1.0, 100.0))
def test_who_may_be_slower_is_not_held_to_less(margin: float) -> None:
    [metric] = settings_of(written(metrics=[{"kind": "latency", "margin": margin}])).metrics
    assert 1.1**metric.margin_buckets >= margin * (1.0 - 1e-8)
    assert 1.1 ** (metric.margin_buckets - 1) < margin


def test_counters_are_read_as_often_as_whoever_asks_reads_them_unless_the_judge_says() -> None:
    assert settings_of(written(), scrape_s=1.0).scrape_s == 1.0
    assert settings_of(written(interval="3s"), scrape_s=1.0).scrape_s == 3.0


@given(st.lists(st.floats(0.0, 1.0)), st.sampled_from([[], [SOAK]]))
def test_the_rungs_are_the_weights_that_the_rollout_sets(weights: list[float], steps: list[object]) -> None:
    judge = settings_of(written(steps=steps), weights)
    inner = sorted({weight for weight in weights if 0.0 < weight < 1.0})
    by_itself = settings_of(written(steps=steps))
    assert [rung.weight for rung in judge.ladder] == (inner or [rung.weight for rung in by_itself.ladder])
    for rung in judge.ladder:
        times = by_itself.rung(rung.weight)
        assert (rung.soak_s, rung.cap_s) == (times.soak_s, times.cap_s)


def test_a_ladder_of_its_own_weights_is_itself() -> None:
    assert settings_of(written(), [rung.weight for rung in LADDER]).ladder == LADDER


@pytest.mark.parametrize(
    ("steps", "weights"),
    [
        ([], ()),
        ([{"setWeight": 50}, {"pause": {}}, {"setWeight": 5}, {"setWeight": 50}], (0.05, 0.5)),
        ([{"setWeight": 0}, {"setWeight": 100}], (0.0, 1.0)),
    ],
)
def test_the_weights_of_steps_are_shares(steps: list[object], weights: tuple[float, ...]) -> None:
    assert step_weights(rollout(steps)) == weights


def test_weights_are_shares_of_what_all_of_the_traffic_is() -> None:
    found = rollout([{"setWeight": 50}], trafficRouting={"maxTrafficWeight": 1000, "nginx": {}})
    assert step_weights(found) == (0.05,)


def test_blue_green_has_no_judge_and_no_weights() -> None:
    spec = {"strategy": {"blueGreen": {"activeService": "payments"}}}
    found = msgspec.convert({"metadata": {"name": "payments", "namespace": "shop"}, "spec": spec}, Rollout)
    assert judge_for(found, [written()], NONE) is None
    assert step_weights(found) == ()


def test_a_service_has_the_judge_of_its_name() -> None:
    other = written("a", service="other")
    assert judge_for(rollout(), [other, written()], NONE) == written()
    assert judge_for(rollout(), [other], NONE) is None
    assert judge_for(rollout(annotations={"davy.dev/service": "other"}), [other, written()], NONE) == other


def test_a_judge_is_one_of_its_namespace() -> None:
    assert judge_for(rollout(), [written(namespace="other")], NONE) is None


def test_of_two_judges_of_a_service_the_first_by_name_judges() -> None:
    assert judge_for(rollout(), [written("b"), written("a")], NONE) == written("a")


def test_a_rollout_may_name_its_judge_and_then_no_other_judges() -> None:
    named = rollout(annotations={"davy.dev/judge": "lax"})
    assert judge_for(named, [written(), written("lax", service="x")], NONE) == written("lax", service="x")
    assert judge_for(named, [written()], NONE) is None


def test_a_metric_may_ask_a_judge() -> None:
    lax = written("lax", service="x")
    templates = {
        AnalysisTemplateRef("whole"): template(templates=("missing", "part", "whole")),
        AnalysisTemplateRef("part"): template(None, "", "lax"),
        AnalysisTemplateRef("unused"): template("strict"),
    }
    asks = rollout([analysis("whole")])
    assert judge_for(asks, [written(), lax], templates) == lax
    assert judge_for(asks, [written(), lax], {}) == written()
    named = rollout([analysis("whole")], {"davy.dev/judge": "strict"})
    assert judge_for(named, [written(), lax], templates) == written()


def test_a_metric_that_names_none_asks_the_one_of_the_service() -> None:
    templates = {AnalysisTemplateRef("part"): template("")}
    assert (
        judge_for(rollout([analysis("part")]), [written("lax", service="x"), written()], templates) == written()
    )


def test_a_margin_of_one_is_none() -> None:
    [metric] = settings_of(written(metrics=[{"kind": "latency", "margin": 1}])).metrics
    assert metric.margin_buckets == 0
