"""What Argo fills in late, and what is decided by the fields themselves."""

import msgspec
import pytest

from davy.model.analysis import Metric, MetricProvider
from davy.model.duration import BadDuration
from davy.model.key import Key
from davy.model.meta import LabelSelector, LabelSelectorRequirement, ObjectMeta
from davy.model.part import int_value
from davy.model.pod import Container, PodSpec, PodTemplateSpec
from davy.model.rollout import (
    BlueGreenStrategy,
    CanaryStrategy,
    RolloutPause,
    RolloutSpec,
    RolloutStrategy,
    RolloutTrafficRouting,
)


def test_a_rollout_says_what_it_means_where_nothing_is_written() -> None:
    spec = RolloutSpec(strategy=RolloutStrategy())
    assert (spec.desired_replicas, spec.kept_revisions, spec.progress_deadline_s) == (1, 10, 600)
    spec = RolloutSpec(
        strategy=RolloutStrategy(), replicas=0, revision_history_limit=0, progress_deadline_seconds=0
    )
    assert (spec.desired_replicas, spec.kept_revisions, spec.progress_deadline_s) == (0, 0, 0)


def test_a_canary_says_what_it_means_where_nothing_is_written() -> None:
    alone = CanaryStrategy(scale_down_delay_seconds=5, abort_scale_down_delay_seconds=5)
    assert (alone.full_weight, alone.scale_down_delay_s, alone.abort_scale_down_delay_s) == (100, 0, 0)
    routed = CanaryStrategy(traffic_routing=RolloutTrafficRouting())
    assert (routed.full_weight, routed.scale_down_delay_s, routed.abort_scale_down_delay_s) == (100, 30, 30)
    told = CanaryStrategy(
        traffic_routing=RolloutTrafficRouting(max_traffic_weight=1000),
        scale_down_delay_seconds=0,
        abort_scale_down_delay_seconds=0,
    )
    assert (told.full_weight, told.scale_down_delay_s, told.abort_scale_down_delay_s) == (1000, 0, None)


def test_blue_green_promotes_itself_unless_it_is_told_not_to() -> None:
    assert BlueGreenStrategy(active_service="a").promotes_itself
    assert not BlueGreenStrategy(active_service="a", auto_promotion_enabled=False).promotes_itself


def test_a_pause_without_a_duration_has_no_end() -> None:
    assert RolloutPause().seconds is None
    assert RolloutPause(duration="2m").seconds == 120.0
    assert RolloutPause(duration="1d").seconds == -1.0


def test_a_metric_reads_its_times() -> None:
    metric = Metric(name="a", provider=MetricProvider())
    assert (metric.interval_s, metric.initial_delay_s) == (None, 0.0)
    metric = Metric(name="a", provider=MetricProvider(), interval="500ms", initial_delay="1m")
    assert (metric.interval_s, metric.initial_delay_s) == (0.5, 60.0)
    with pytest.raises(BadDuration):
        _ = Metric(name="a", provider=MetricProvider(), interval="1d").interval_s


def test_a_pod_has_half_a_minute_to_end() -> None:
    assert PodSpec().termination_grace_s == 30
    assert PodSpec(termination_grace_period_seconds=0).termination_grace_s == 0


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        ("5", 5),
        ("-5", -5),
        ("+05", 5),
        ("x", 0),
        ("", 0),
        (None, 0),
        ("9" * 19, 0),
        ("0" * 5000 + "7", 7),
        ("٣", 0),
    ],
)
def test_an_int_or_string_is_read_as_go_does(value: int | str | None, number: int) -> None:
    assert int_value(value) == number


@pytest.mark.parametrize(
    ("operator", "values", "labels", "meets"),
    [
        ("In", ("a",), {"k": "a"}, True),
        ("In", ("a",), {}, False),
        ("NotIn", ("a",), {"k": "a"}, False),
        ("NotIn", ("a",), {}, True),
        ("Exists", (), {"k": ""}, True),
        ("Exists", (), {}, False),
        ("DoesNotExist", (), {"k": ""}, False),
        ("DoesNotExist", (), {}, True),
    ],
)
def test_a_selector_selects(
    operator: str, values: tuple[str, ...], labels: dict[str, str], meets: bool
) -> None:
    expression = LabelSelectorRequirement("k", operator, values)
    assert LabelSelector(match_expressions=(expression,)).matches(labels) is meets
    assert not LabelSelector({"other": "x"}, (expression,)).matches(labels)
    assert LabelSelector().matches(labels)


def test_an_object_is_known_by_namespace_and_name() -> None:
    assert ObjectMeta(name="a").key == Key("default", "a")
    assert str(ObjectMeta(name="a", namespace="b").key) == "b/a"


def test_what_was_not_written_is_not_encoded() -> None:
    template = PodTemplateSpec(spec=PodSpec(containers=(Container(name="a", image="b"),)))
    assert msgspec.json.encode(template) == b'{"spec":{"containers":[{"name":"a","image":"b"}]}}'
    assert msgspec.json.decode(msgspec.json.encode(template), type=PodTemplateSpec) == template
