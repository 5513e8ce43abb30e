"""The OpenFeature specification's rules, by number, with this provider under the real API."""

from typing import Any

import pytest
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails, FlagEvaluationOptions
from openfeature.hook import Hook, HookContext, HookHints
from openfeature.provider import ProviderStatus
from tests.openfeature.documents import document, flag

from davy.openfeature import DavyProvider
from davy.testing.patience import until
from openfeature import api

TEXT = document(
    a__b=flag(owner="team"), a__m=flag("off", targeting={"if": [{"var": "x"}, {"var": "x"}, "off"]})
)


class Told(Hook):
    """Writes down its stages, and does in `before` what it is told."""

    def __init__(
        self, name: str, into: list[str], returns: EvaluationContext | None = None, fails: str = ""
    ) -> None:
        self.name, self.into, self.returns, self.fails = name, into, returns, fails

    def _note(self, stage: str) -> None:
        self.into.append(f"{stage} {self.name}")
        if stage == self.fails:
            raise RuntimeError(f"{self.name} fails")

    def before(self, hook_context: HookContext, hints: HookHints) -> EvaluationContext | None:
        self._note("before")
        return self.returns

    def after(self, hook_context: HookContext, details: FlagEvaluationDetails[Any], hints: HookHints) -> None:
        self._note("after")

    def error(self, hook_context: HookContext, exception: Exception, hints: HookHints) -> None:
        self._note("error")

    def finally_after(
        self, hook_context: HookContext, details: FlagEvaluationDetails[Any], hints: HookHints
    ) -> None:
        self._note("finally")


@pytest.fixture
def provider() -> DavyProvider:
    provider = DavyProvider.from_text(TEXT)
    api.set_provider_and_wait(provider)
    return provider


def test_1_1_2_and_1_7_providers_are_bound_to_domains_and_have_a_status(provider: DavyProvider) -> None:
    other = DavyProvider.from_text(document(a__b=flag("off")))
    api.set_provider_and_wait(other, "shop")
    assert api.get_client().get_boolean_value("a.b", False) is True
    assert api.get_client("shop").get_boolean_value("a.b", True) is False
    assert api.get_client("shop").get_provider_status() is ProviderStatus.READY
    assert api.get_client("unbound").get_boolean_value("a.b", False) is True


def test_1_1_6_a_provider_that_is_replaced_is_shut_down(provider: DavyProvider) -> None:
    api.set_provider_and_wait(DavyProvider.from_text(document()))
    until(lambda: provider.status == "NOT_READY")


def test_1_4_details_have_all_fields_and_nothing_is_raised(provider: DavyProvider) -> None:
    client = api.get_client()
    details = client.get_boolean_details("a.b", False)
    assert (details.flag_key, details.value, details.variant, details.reason) == ("a.b", True, "on", "STATIC")
    assert (details.error_code, details.error_message) == (None, None)
    for key in ("", "a.missing", "a b", "ä" * 10_000):
        failed = client.get_boolean_details(key, True)
        assert (failed.value, failed.reason, failed.error_code) == (True, "ERROR", ErrorCode.FLAG_NOT_FOUND)


def test_1_4_14_and_2_2_10_metadata_cannot_be_changed_and_are_flat(provider: DavyProvider) -> None:
    metadata = api.get_client().get_boolean_details("a.b", False).flag_metadata
    with pytest.raises(TypeError):
        metadata["owner"] = "me"  # type: ignore[index]
    assert all(isinstance(each, bool | str | int | float) for each in metadata.values())


def test_1_7_6_before_a_provider_is_ready_its_client_answers_the_default() -> None:
    late = DavyProvider.from_text(TEXT)
    assert late.status == "NOT_READY"
    assert late.resolve_boolean_details("a.b", False).error_code is ErrorCode.PROVIDER_NOT_READY


def test_2_3_and_2_4_the_name_is_said_and_hooks_are_none_of_its_own(provider: DavyProvider) -> None:
    assert api.get_provider_metadata().name == "davy"
    assert provider.get_provider_hooks() == []


def test_2_5_shutting_down_twice_and_initialising_again_is_fine(provider: DavyProvider) -> None:
    provider.shutdown()
    provider.shutdown()
    provider.initialize(EvaluationContext())
    provider.initialize(EvaluationContext())
    assert provider.resolve_boolean_details("a.b", False).value is True


def test_3_2_3_contexts_are_merged_and_a_before_hook_has_the_last_word(provider: DavyProvider) -> None:
    api.set_evaluation_context(EvaluationContext(attributes={"x": "api"}))
    client = api.get_client()
    client.context = EvaluationContext(attributes={"x": "client"})
    hook = Told("h", [], EvaluationContext(attributes={"x": "on"}))
    options = FlagEvaluationOptions(hooks=[hook])
    called = EvaluationContext(attributes={"x": "call"})
    assert client.get_boolean_details("a.m", False, called, options).variant == "on"
    assert client.get_boolean_details("a.m", False, called).error_code is ErrorCode.GENERAL


def test_4_4_2_hooks_run_from_api_to_call_and_back(provider: DavyProvider) -> None:
    noted: list[str] = []
    api.add_hooks([Told("api", noted)])
    client = api.get_client()
    client.add_hooks([Told("client", noted)])
    client.get_boolean_value("a.b", False, None, FlagEvaluationOptions(hooks=[Told("call", noted)]))
    assert noted == [
        *(f"before {name}" for name in ("api", "client", "call")),
        *(f"after {name}" for name in ("call", "client", "api")),
        *(f"finally {name}" for name in ("call", "client", "api")),
    ]


def test_4_4_6_a_before_hook_that_fails_means_the_default_and_error_and_finally(provider: DavyProvider) -> None:
    noted: list[str] = []
    client = api.get_client()
    client.add_hooks([Told("one", noted, fails="before"), Told("two", noted)])
    assert client.get_boolean_details("a.b", False).reason == "ERROR"
    assert noted == ["before one", "error two", "error one", "finally two", "finally one"]


def test_4_3_8_an_error_of_the_provider_reaches_error_hooks_and_no_after_hook(provider: DavyProvider) -> None:
    noted: list[str] = []
    client = api.get_client()
    client.add_hooks([Told("h", noted)])
    client.get_boolean_value("a.missing", False)
    assert noted == ["before h", "error h", "finally h"]


def test_5_2_and_5_3_handlers_run_late_survive_a_swap_and_do_not_hinder_each_other(
    provider: DavyProvider,
) -> None:
    seen: list[EventDetails] = []

    def fail(_: EventDetails) -> None:
        raise RuntimeError("broken handler")

    client = api.get_client()
    client.add_handler(ProviderEvent.PROVIDER_READY, fail)
    client.add_handler(ProviderEvent.PROVIDER_READY, seen.append)
    until(lambda: len(seen) == 1)
    assert seen[0].provider_name == "davy"
    successor = DavyProvider.from_text(TEXT)
    api.set_provider_and_wait(successor)
    until(lambda: len(seen) == 2)
    client.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, seen.append)
    successor.put(document(a__b=flag("off")))
    until(lambda: len(seen) == 3)
    assert seen[2].flags_changed == ["a.b", "a.m"]


def test_5_3_5_the_status_is_there_when_its_event_is(provider: DavyProvider) -> None:
    client = api.get_client()
    found: list[ProviderStatus] = []
    client.add_handler(ProviderEvent.PROVIDER_ERROR, lambda _: found.append(client.get_provider_status()))
    provider.put("{")
    until(lambda: found == [ProviderStatus.ERROR])


def test_6_1_tracking_is_taken_with_and_without_details(provider: DavyProvider) -> None:
    client = api.get_client()
    client.track("bought")
    client.track("bought", EvaluationContext("u"))
