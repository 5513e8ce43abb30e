"""The SDKs of LaunchDarkly and Split, governed: what Davy closes or kills they are not asked for."""

import asyncio
import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ld_openfeature import LaunchDarklyProvider
from ldclient import Config
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider.in_memory_provider import InMemoryProvider
from splitio import get_factory  # type: ignore[import-untyped]
from tests.apps import launchdarkly
from tests.openfeature.documents import document, flag

from davy.adapters.launchdarkly import LaunchDarkly
from davy.openfeature import DavyProvider
from davy.testing.patience import until
from openfeature import api

EXAMPLE = Path(__file__).parents[2] / "examples" / "split" / "split_provider.py"
SplitProvider = runpy.run_path(str(EXAMPLE))["SplitProvider"]

KEY = "checkout.discount-enabled"
USER = EvaluationContext("user-17")

pytestmark = pytest.mark.filterwarnings("ignore:setDaemon:DeprecationWarning")  # of Split's SDK


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    api.shutdown()


@contextmanager
def connected(there: launchdarkly.LaunchDarkly) -> Iterator[tuple[str, LaunchDarklyProvider]]:
    """Serve flags, and connect the real SDK to that."""
    with launchdarkly.serving(there) as url:
        config = Config(launchdarkly.SDK_KEY, base_uri=url, stream_uri=url, events_uri=url, flush_interval=0.2)
        provider = LaunchDarklyProvider(config)
        try:
            yield url, provider
        finally:
            provider.client.close()  # type: ignore[no-untyped-call]


def evaluated(there: launchdarkly.LaunchDarkly) -> set[str]:
    """Return the flags that the SDK says it evaluated."""
    return {
        key
        for batch in there.events
        for event in (batch if isinstance(batch, list) else [batch])
        for key in event.get("features", {})
    }


GATED = document(
    **{KEY: flag("on", safe="off", rollout="shop/checkout"), "search.fuzzy": flag("on", safe="off")}
)
PLAIN = document(**{KEY: flag("on", safe="off")})
KILLED = document(**{KEY: flag("off", safe="off", killed=True, gateReason="it was killed")})


def test_behind_a_closed_gate_launchdarkly_is_not_asked() -> None:
    there = launchdarkly.LaunchDarkly()
    for key in (KEY, "search.fuzzy"):
        there.add(key, on=True)
    with connected(there) as (_, provider):
        api.set_provider_and_wait(DavyProvider.from_text(GATED).govern(provider))
        client = api.get_client()
        details = client.get_boolean_details(KEY, True, USER)
        assert (details.value, details.variant, details.reason) == (False, "off", "DISABLED")
        details = client.get_boolean_details("search.fuzzy", False, USER)
        assert (details.value, details.variant, details.reason) == (True, "on", "FALLTHROUGH")
        provider.client.flush()  # type: ignore[no-untyped-call]
        until(lambda: evaluated(there))
        assert evaluated(there) == {"search.fuzzy"}


def test_what_a_sync_switches_off_arrives_in_the_sdk_by_its_stream() -> None:
    there = launchdarkly.LaunchDarkly()
    there.add(KEY, on=True)
    with connected(there) as (url, provider):
        api.set_provider_and_wait(DavyProvider.from_text(PLAIN).govern(provider))
        client = api.get_client()
        assert client.get_boolean_value(KEY, False, USER) is True
        LaunchDarkly(url, launchdarkly.TOKEN, "shop", "production").switch_off(KEY, "a canary was aborted")
        until(lambda: client.get_boolean_value(KEY, True, USER) is False)
        assert there.log[-1]["comment"] == "a canary was aborted"


def test_a_kill_by_davy_is_obeyed_while_launchdarkly_says_on(tmp_path: Path) -> None:
    there = launchdarkly.LaunchDarkly()
    there.add(KEY, on=True)
    file = tmp_path / "flags.json"
    file.write_text(PLAIN)
    with connected(there) as (_, provider):
        davys = DavyProvider.from_file(file, interval_s=0.01)
        api.set_provider_and_wait(davys.govern(provider))
        client = api.get_client()
        assert client.get_boolean_value(KEY, False, USER) is True
        file.write_text(KILLED)
        until(lambda: client.get_boolean_value(KEY, True, USER) is False)
        details = client.get_boolean_details(KEY, True, USER)
        assert (details.reason, details.flag_metadata["killed"]) == ("DISABLED", True)
        assert there.flags[KEY]["environments"]["production"]["on"]


class Echo(InMemoryProvider):
    """Answers with what the caller falls back to as if it had matched: so does Unleash's of what it lacks."""

    def __init__(self) -> None:
        super().__init__({})

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        return FlagResolutionDetails(default_value, reason=Reason.TARGETING_MATCH)


def test_a_vendor_that_answers_with_the_fallback_is_told_to_fall_back_to_what_is_safe() -> None:
    text = document(
        **{
            KEY: flag("on", safe="off"),
            "checkout.last": flag("on", safe="off", onError="last-known"),
            "checkout.code": flag("on", safe="off", onError="code"),
        }
    )
    api.set_provider_and_wait(DavyProvider.from_text(text).govern(Echo()))
    client = api.get_client()
    assert client.get_boolean_value(KEY, True, USER) is False
    assert asyncio.run(client.get_boolean_value_async(KEY, True, USER)) is False
    assert client.get_boolean_value("checkout.last", True, USER) is False
    assert client.get_boolean_value("checkout.code", True, USER) is True


def test_a_flag_is_asked_for_by_the_name_that_it_was_imported_as() -> None:
    there = launchdarkly.LaunchDarkly()
    there.add("newCheckout", on=True)
    text = document(**{KEY: flag("off", safe="off", importedAs="newCheckout")})
    with connected(there) as (_, provider):
        api.set_provider_and_wait(DavyProvider.from_text(text).govern(provider))
        assert api.get_client().get_boolean_value(KEY, False, USER) is True


SPLITS = """
- checkout.discount-enabled: {treatment: "on"}
- checkout.page-size: {treatment: "50"}
- checkout.style: {treatment: blue, config: '{"colour": "#00f"}'}
"""


def test_split_is_governed_like_any_other(tmp_path: Path) -> None:
    file = tmp_path / "splits.yaml"
    file.write_text(SPLITS)
    inner = SplitProvider(get_factory("localhost", config={"splitFile": str(file)}))
    styles = {"blue": {"colour": "#00f"}, "plain": {}}
    definitions = {
        KEY: flag("on", safe="off", rollout="shop/checkout"),
        "checkout.page-size": flag("small", variants={"small": 10, "large": 50}, safe="small"),
        "checkout.style": flag("plain", variants=styles, safe="plain"),
        "checkout.unknown": flag("on", safe="off"),
    }
    api.set_provider_and_wait(DavyProvider.from_text(document(**definitions)).govern(inner))
    client = api.get_client()
    assert inner.resolve_boolean_details(KEY, False, USER).value is True
    assert client.get_boolean_details(KEY, True, USER).reason == "DISABLED"
    size = client.get_integer_details("checkout.page-size", 10, USER)
    assert (size.value, size.variant, size.reason) == (50, "large", "TARGETING_MATCH")
    assert client.get_object_value("checkout.style", {}, USER) == {"colour": "#00f"}
    assert client.get_float_value("checkout.page-size", 1.0, USER) == 50.0
    assert client.get_string_details("checkout.style", "", USER).error_code is not None, (
        "it is declared otherwise"
    )
    unknown = client.get_boolean_details("checkout.unknown", True, USER)
    assert (unknown.value, unknown.flag_metadata["failure"]) == (False, "FLAG_NOT_FOUND")
    nobody = client.get_integer_details("checkout.page-size", 10)
    assert (nobody.value, nobody.flag_metadata["failure"]) == (10, "TARGETING_KEY_MISSING")


def test_what_is_told_of_splits_provider_is_so(tmp_path: Path) -> None:
    file = tmp_path / "splits.yaml"
    file.write_text(SPLITS)
    inner = SplitProvider(get_factory("localhost", config={"splitFile": str(file)}))
    inner.initialize(USER)
    assert inner.get_metadata().name == "Split"
    assert inner.resolve_string_details("checkout.style", "", USER).value == "blue"
    with pytest.raises(Exception, match="no value of that type"):
        inner.resolve_boolean_details("checkout.style", False, USER)
    inner.shutdown()
