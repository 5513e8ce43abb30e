"""Who is drawn stays drawn: a larger share has the smaller one in it, and a ramp begun again draws the same."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from tests.control.flags.test_ramps import KEY, NAME, RAMPED, RampLab

from davy.control import requests
from davy.control.flags.settled import drawing
from davy.flags import FlagSet, load

PEOPLE = [f"user-{number}" for number in range(400)]
shares = st.integers(0, 100)
keys = st.sampled_from(["shop.one", "shop.two", "checkout.discount-enabled"])


def flag_set(key: str, share: int, bucketing: str, bucket_by: str = "") -> FlagSet:
    flag = {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "targeting": drawing("on", share, "off", bucket_by),
        "metadata": {"bucketing": bucketing},
    }
    return load(msgspec.json.encode({"flags": {key: flag}}).decode())


def drawn(flags: FlagSet, key: str, attribute: str = "targetingKey") -> set[str]:
    return {who for who in PEOPLE if flags.evaluate(key, "boolean", False, {attribute: who}).value is True}


@pytest.mark.parametrize("bucketing", ["v2", "v3"])
@pytest.mark.parametrize("bucket_by", ["", "account", "user.id"])
@given(key=keys, one=shares, other=shares)
def test_a_larger_share_has_the_smaller_one_in_it(
    bucketing: str, bucket_by: str, key: str, one: int, other: int
) -> None:
    smaller, larger = sorted((one, other))
    few, many = (
        {who for who in PEOPLE if is_on(flag_set(key, share, bucketing, bucket_by), key, bucket_by, who)}
        for share in (smaller, larger)
    )
    assert few <= many
    assert abs(len(many) - 4 * larger) < 60, "and it is about as large as it says"


def is_on(flags: FlagSet, key: str, bucket_by: str, who: str) -> bool:
    context: dict[str, Any] = {"user": {"id": who}, bucket_by or "targetingKey": who}
    return flags.evaluate(key, "boolean", False, context).value is True


@pytest.mark.parametrize("bucketing", ["v2", "v3"])
def test_each_flag_draws_people_of_its_own(bucketing: str) -> None:
    one, two = (drawn(flag_set(key, 50, bucketing), key) for key in ("shop.one", "shop.two"))
    assert 60 < len(one & two) < 140


def test_of_whom_nothing_is_known_what_is_safe_is_the_answer() -> None:
    for bucket_by in ("", "account"):
        flags = flag_set("shop.one", 99, "v3", bucket_by)
        assert flags.evaluate("shop.one", "boolean", False, {"plan": "pro"}).value is False


def served(lab: RampLab) -> str:
    return lab.engine.flags.document().text.decode()


def by_davy(document: str, attribute: str) -> set[str]:
    return drawn(load(document), KEY, attribute)


def by_flagd(document: str, attribute: str) -> set[str]:
    core = FlagdCore()
    core.set_flags(document)

    def value(who: str) -> bool:
        named = attribute == "targetingKey"
        context = EvaluationContext(
            targeting_key=who if named else None, attributes={} if named else {attribute: who}
        )
        return bool(core.resolve_boolean_value(KEY, False, context).value)

    return {who for who in PEOPLE if value(who)}


@pytest.mark.parametrize("attribute", ["targetingKey", "account"])
def test_a_ramp_begun_again_draws_the_same_people_in_every_evaluator(tmp_path: Path, attribute: str) -> None:
    lab = RampLab(tmp_path)
    lab.declare(RAMPED.replace('variant: "on"', f'variant: "on"\n    bucketBy: {attribute}'), lab.template)
    lab.connect("i-1")
    assert by_davy(served(lab), attribute) == by_flagd(served(lab), attribute) == set()
    seen = []
    for _ in range(2):
        lab.ramp()
        lab.settle()
        few = by_davy(served(lab), attribute)
        assert few == by_flagd(served(lab), attribute)
        lab.to_pause()
        many = by_davy(served(lab), attribute)
        assert many == by_flagd(served(lab), attribute)
        assert few < many
        seen.append((few, many))
        lab.ask(requests.Abort("default", NAME, "again"))
        assert by_davy(served(lab), attribute) == by_flagd(served(lab), attribute) == set()
    assert seen[0] == seen[1]
