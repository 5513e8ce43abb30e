"""Other providers, governed: OpenFeature's own, LaunchDarkly's, and ones that fail."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ld_openfeature import LaunchDarklyProvider
from ldclient import Config
from ldclient.integrations import Files
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode, GeneralError, ProviderFatalError
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.hook import Hook
from openfeature.provider import FeatureProvider, ProviderStatus
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider
from openfeature.track import TrackingEventDetails
from tests.openfeature.documents import document, flag

from davy.openfeature import DavyProvider
from davy.testing.patience import until
from openfeature import api

LINKED = flag("on", safe="off", rollout="shop/checkout")
KILLED = flag("off", safe="off", killed=True, gateReason="it was killed")


def client_of(inner: FeatureProvider, text: str, **options: Any) -> OpenFeatureClient:
    governed = DavyProvider.from_text(text).govern(inner, **options)
    api.set_provider_and_wait(governed)
    return api.get_client()


def on(value: Any = True, variant: str = "on", **metadata: Any) -> InMemoryFlag[Any]:
    return InMemoryFlag(variant, {variant: value}, flag_metadata=metadata)


class Asked(InMemoryProvider):
    """Remembers which flags it was asked for, and fails as it is told."""

    def __init__(self, flags: dict[str, InMemoryFlag[Any]]) -> None:
        super().__init__(flags)
        self.asked: list[str] = []
        self.failing: Exception | None = None
        self.start: Exception | None = None
        self.running = 0
        self.hook = Hook()

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        if self.start is not None:
            raise self.start
        self.running += 1

    def shutdown(self) -> None:
        self.running -= 1

    def get_provider_hooks(self) -> list[Hook]:
        return [self.hook]

    def _resolve(
        self, flag_key: str, default_value: Any, evaluation_context: Any
    ) -> FlagResolutionDetails[Any]:
        self.asked.append(flag_key)
        if self.failing is not None:
            raise self.failing
        return super()._resolve(flag_key, default_value, evaluation_context)


@pytest.mark.parametrize("closed", [LINKED, KILLED, flag("on", state="DISABLED")])
def test_what_is_closed_is_not_asked_for(closed: Any) -> None:
    inner = Asked({"a.b": on()})
    details = client_of(inner, document(a__b=closed)).get_boolean_details("a.b", False)
    assert (details.value, details.reason) == (False, "DISABLED")
    assert inner.asked == []


def test_what_is_open_is_what_the_other_one_says_with_the_declared_metadata_over_its_own() -> None:
    inner = Asked({"a.b": on(plan="pro", owner="vendor")})
    details = client_of(inner, document(a__b=flag("off", owner="team"))).get_boolean_details("a.b", False)
    assert (details.value, details.variant, details.reason) == (True, "on", "STATIC")
    assert details.flag_metadata == {"plan": "pro", "owner": "team"}


def test_every_type_passes_asked_for_with_and_without_waiting() -> None:
    flags = {"a.b": on(True), "a.t": on("x"), "a.i": on(3), "a.f": on(0.5), "a.o": on({"k": [1]})}
    text = document(**{key: flag("v", variants={"v": each.variants["on"]}) for key, each in flags.items()})
    client = client_of(Asked(flags), text)
    for kind, key, default in (
        ("boolean", "a.b", False),
        ("string", "a.t", ""),
        ("integer", "a.i", 0),
        ("float", "a.f", 0.0),
        ("object", "a.o", {}),
    ):
        details = getattr(client, f"get_{kind}_details")(key, default)
        assert (details.value, details.variant) == (flags[key].variants["on"], "v")
        again = asyncio.run(getattr(client, f"get_{kind}_details_async")(key, default))
        assert again.value == details.value


def test_a_key_that_is_not_declared_is_refused_or_passed() -> None:
    inner = Asked({"a.b": on()})
    details = client_of(inner, document()).get_boolean_details("a.b", False)
    assert (details.value, details.error_code) == (False, ErrorCode.FLAG_NOT_FOUND)
    assert inner.asked == []
    assert client_of(inner, document(), undeclared="pass").get_boolean_value("a.b", False) is True


@pytest.mark.parametrize(("answer", "ask"), [("yes", "boolean"), (7, "integer"), (1, "boolean")])
def test_a_value_that_is_not_declared_is_not_believed(answer: Any, ask: str) -> None:
    variants = {"on": True, "off": False} if ask == "boolean" else {"on": 1, "off": 0}
    text = document(a__b=flag("on", variants=variants, safe="off"))
    details = getattr(client_of(Asked({"a.b": on(answer)}), text), f"get_{ask}_details")("a.b", variants["on"])
    assert (details.value, details.variant) == (variants["off"], "off")
    assert details.flag_metadata["failure"] == "PARSE_ERROR"


def test_another_type_than_declared_is_the_callers_mistake() -> None:
    inner = Asked({"a.b": on("x")})
    details = client_of(inner, document(a__b=flag("on", safe="off"))).get_string_details("a.b", "mine")
    assert (details.value, details.error_code) == ("mine", ErrorCode.TYPE_MISMATCH)
    assert inner.asked == []


@pytest.mark.parametrize("failing", [RuntimeError("down"), GeneralError("down"), ProviderFatalError("down")])
@pytest.mark.parametrize(
    ("mode", "known", "value", "reason"),
    [
        ("safe", True, False, "ERROR"),
        ("last-known", True, True, "STALE"),
        ("last-known", False, False, "ERROR"),
        ("code", True, True, "ERROR"),
    ],
)
def test_what_it_fails_with_is_what_the_flag_declares(
    failing: Exception, mode: str, known: bool, value: bool, reason: str
) -> None:
    inner = Asked({"a.b": on()})
    client = client_of(inner, document(a__b=flag("on", safe="off", onError=mode)))
    context = EvaluationContext("u")
    if known:
        assert client.get_boolean_value("a.b", False, context) is True
    inner.failing = failing
    details = client.get_boolean_details("a.b", True, context)
    assert (details.value, details.reason) == (value, reason)
    assert asyncio.run(client.get_boolean_value_async("a.b", True, context)) is value
    stranger = client.get_boolean_details("a.b", True, EvaluationContext("another"))
    assert stranger.value is (mode == "code")


def test_its_errors_without_a_declaration_of_what_is_safe_are_passed_on() -> None:
    details = client_of(Asked({}), document(a__b=flag("on"))).get_boolean_details("a.b", True)
    assert (details.value, details.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)


@pytest.mark.parametrize("start", [RuntimeError("no network"), ProviderFatalError("wrong key")])
def test_one_that_does_not_start_leaves_the_gates_and_the_fail_modes(start: Exception) -> None:
    inner = Asked({"a.b": on(), "a.c": on()})
    inner.start = start
    inner.failing = start
    text = document(a__b=flag("on", safe="off"), a__c=KILLED)
    with pytest.raises(GeneralError, match="In-Memory Provider"):
        client_of(inner, text)
    client = api.get_client()
    assert client.get_provider_status() is ProviderStatus.ERROR
    assert client.get_boolean_details("a.b", True).variant == "off"
    assert client.get_boolean_details("a.c", True).reason == "DISABLED"


def test_it_lives_and_ends_with_what_governs_it() -> None:
    inner = Asked({})
    client = client_of(inner, document())
    assert client.provider.get_metadata().name == "davy (In-Memory Provider)"
    assert client.provider.get_provider_hooks() == [inner.hook]
    client.track("bought", EvaluationContext("u"), TrackingEventDetails(3.0))
    assert inner._tracking_events["bought"].value == 3.0
    assert inner.running == 1
    api.shutdown()
    assert inner.running == 0


def test_events_of_both_are_its_events_and_the_worse_status_is_its_own() -> None:
    inner = Asked({"a.b": on()})
    governor = DavyProvider.from_text(document(a__b=flag("on", safe="off")))
    api.set_provider_and_wait(governor.govern(inner))
    client = api.get_client()
    changes: list[EventDetails] = []
    api.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, changes.append)
    governor.put(document(a__b=KILLED))
    inner.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=["a.x"]))
    until(lambda: sorted(str(each.flags_changed) for each in changes) == ["['a.b']", "['a.x']"])
    governor.put(document(a__b=flag("on", safe="off")))
    inner.emit_provider_stale(ProviderEventDetails())
    assert client.get_provider_status() is ProviderStatus.STALE
    governor.put("{")
    assert client.get_provider_status() is ProviderStatus.ERROR
    inner.emit_provider_ready(ProviderEventDetails())
    assert client.get_provider_status() is ProviderStatus.ERROR
    governor.put(document(a__b=flag("on", safe="off")))
    assert client.get_provider_status() is ProviderStatus.READY
    inner.emit_provider_error(ProviderEventDetails(error_code=ErrorCode.PROVIDER_FATAL))
    assert client.get_provider_status() is ProviderStatus.ERROR
    assert client.get_boolean_details("a.b", True).variant == "off"


# -- LaunchDarkly, with its own SDK ----------------------------------------------------------------------------


@contextmanager
def launchdarkly(path: Path) -> Iterator[LaunchDarklyProvider]:
    config = Config(
        "sdk-key", update_processor_class=Files.new_data_source(paths=[str(path)]), send_events=False
    )
    provider = LaunchDarklyProvider(config)
    try:
        yield provider
    finally:
        provider.client.close()  # type: ignore[no-untyped-call]


def test_launchdarkly_decides_what_is_open_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "launchdarkly.json"
    path.write_text(
        json.dumps({"flagValues": {"a.open": True, "a.closed": True, "a.killed": True, "a.theirs": True}})
    )
    text = document(a__open=flag("off", safe="off"), a__closed=LINKED, a__killed=KILLED)
    with launchdarkly(path) as inner:
        client = client_of(inner, text)
        context = EvaluationContext("user-1", {"kind": "user"})
        answers = {
            key: client.get_boolean_details(key, True, context) for key in ("a.open", "a.closed", "a.killed")
        }
        assert {key: each.value for key, each in answers.items()} == {
            "a.open": True,
            "a.closed": False,
            "a.killed": False,
        }
        assert answers["a.open"].variant == "on"
        theirs = client.get_boolean_details("a.theirs", False, context)
        assert (theirs.value, theirs.error_code) == (False, ErrorCode.FLAG_NOT_FOUND)
        assert answers["a.open"].reason not in (None, Reason.ERROR)
        api.shutdown()
