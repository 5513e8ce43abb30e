"""The provider by a text and by a file, through OpenFeature's own API."""

import asyncio
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.hook import Hook, HookContext, HookHints
from openfeature.provider import ProviderStatus
from openfeature.transaction_context import ContextVarsTransactionContextPropagator
from tests.openfeature.documents import BY_MAIL, document, flag

from davy.errors import UsageError
from davy.flags.evidence import Evidence
from davy.model.key import Key
from davy.openfeature import Client, DavyProvider
from davy.testing.patience import until
from openfeature import api

LINKED = flag("on", safe="off", rollout="shop/checkout", rolloutWeight=50)


def client_of(provider: DavyProvider) -> OpenFeatureClient:
    api.set_provider_and_wait(provider)
    return api.get_client()


class Seen:
    """Collects the events of one kind."""

    def __init__(self, *events: ProviderEvent) -> None:
        self.all: list[EventDetails] = []
        for event in events:
            api.add_handler(event, self.all.append)


def replace_file(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


# -- evaluation ------------------------------------------------------------------------------------------------


def test_every_type_is_answered_with_all_that_is_said_of_it() -> None:
    client = client_of(
        DavyProvider.from_text(
            document(
                {"flagSetId": "shop", "version": "7"},
                a__bool=flag(owner="team"),
                a__text=flag("b", variants={"a": "x", "b": "y"}),
                a__int=flag("many", variants={"few": 1, "many": 100}),
                a__float=flag("half", variants={"half": 0.5, "whole": 1}),
                a__whole=flag("whole", variants={"half": 0.5, "whole": 1}),
                a__object=flag("one", variants={"one": {"sizes": [1, 2]}}),
            )
        )
    )
    details = client.get_boolean_details("a.bool", False)
    assert (details.value, details.variant, details.reason) == (True, "on", "STATIC")
    assert details.flag_metadata == {"flagSetId": "shop", "version": "7", "owner": "team"}
    assert client.get_string_value("a.text", "") == "y"
    assert client.get_integer_value("a.int", 0) == 100
    assert client.get_float_value("a.float", 0.0) == 0.5
    assert client.get_float_details("a.whole", 0.0).value == 1.0
    assert client.get_object_value("a.object", {}) == {"sizes": [1, 2]}


def test_it_can_be_asked_without_waiting_for_it() -> None:
    client = client_of(DavyProvider.from_text(document(a__b=flag())))
    assert asyncio.run(client.get_boolean_value_async("a.b", False)) is True


def test_what_a_caller_does_to_a_structure_or_to_metadata_stays_with_the_caller() -> None:
    client = client_of(DavyProvider.from_text(document(a__b=flag("one", variants={"one": {"sizes": [1]}}))))
    details = client.get_object_details("a.b", {})
    value: Any = details.value
    value["sizes"].append(2)
    assert client.get_object_value("a.b", {}) == {"sizes": [1]}
    with pytest.raises(TypeError):
        details.flag_metadata["owner"] = "me"  # type: ignore[index]


@pytest.mark.parametrize(
    ("key", "ask", "code"),
    [
        ("a.missing", "boolean", ErrorCode.FLAG_NOT_FOUND),
        ("a.b", "string", ErrorCode.TYPE_MISMATCH),
        ("a.unknown-variant", "boolean", ErrorCode.GENERAL),
    ],
)
def test_an_error_is_the_callers_default_with_its_code(key: str, ask: str, code: ErrorCode) -> None:
    text = document(a__b=flag(), **{"a.unknown-variant": flag(targeting={"cat": ["no", "ne"]})})
    client = client_of(DavyProvider.from_text(text))
    default = {"boolean": True, "string": "mine"}[ask]
    details = getattr(client, f"get_{ask}_details")(key, default)
    assert (details.value, details.reason, details.error_code) == (default, "ERROR", code)
    assert details.error_message


def test_contexts_of_api_transaction_client_and_call_reach_the_rules_the_last_one_first() -> None:
    rule = {
        "cat": [
            {"var": "api"},
            {"var": "transaction"},
            {"var": "client"},
            {"var": "call"},
            {"var": "targetingKey"},
        ]
    }
    variants = {"ATCU": True, "CCCU": False}
    client = client_of(DavyProvider.from_text(document(a__b=flag("CCCU", variants=variants, targeting=rule))))
    api.set_evaluation_context(EvaluationContext("nobody", {"api": "A", "transaction": "x", "client": "x"}))
    api.set_transaction_context_propagator(ContextVarsTransactionContextPropagator())
    api.set_transaction_context(EvaluationContext(attributes={"transaction": "T", "client": "y"}))
    client.context = EvaluationContext(attributes={"client": "C"})
    assert client.get_boolean_details("a.b", False, EvaluationContext("U", {"call": "U"})).error_code
    assert client.get_boolean_value("a.b", False, EvaluationContext("U", {"call": ""})) is True


def test_instants_in_a_context_are_rfc_3339_and_utc_where_no_zone_is_said() -> None:
    rule = {"if": [{"==": [{"var": "at"}, "2027-03-01T12:00:00+00:00"]}, "on", "off"]}
    nested = {"if": [{"in": ["2027", {"var": "list.0"}]}, "on", "off"]}
    client = client_of(DavyProvider.from_text(document(a__b=flag(targeting=rule), a__c=flag(targeting=nested))))
    for at in (datetime(2027, 3, 1, 12), datetime(2027, 3, 1, 12, tzinfo=UTC)):  # noqa: DTZ001 - a naive one is meant
        context = EvaluationContext("u", {"at": at, "list": (at, {"deep": at})})
        assert client.get_boolean_details("a.b", False, context).variant == "on"
        assert client.get_boolean_details("a.c", False, context).variant == "on"


# -- the gate --------------------------------------------------------------------------------------------------


class Opens(Hook):
    """Tries all that a hook can to have a flag on."""

    def before(self, hook_context: HookContext, hints: HookHints) -> EvaluationContext:
        return EvaluationContext("chosen", {"email": "a@example.com", "gate": "open"})


class Fails(Hook):
    """Fails where a gate written as a hook would."""

    def before(self, hook_context: HookContext, hints: HookHints) -> None:
        raise RuntimeError("no")


def test_a_linked_flag_is_safe_in_production_whatever_a_caller_or_a_hook_says() -> None:
    client = client_of(DavyProvider.from_text(document(a__b=LINKED)))
    client.add_hooks([Opens()])
    details = client.get_boolean_details("a.b", True, EvaluationContext("u", {"email": "u@example.com"}))
    assert (details.value, details.variant, details.reason) == (False, "off", "DISABLED")
    assert details.flag_metadata["gate"] == "closed"
    assert "shop/checkout" in str(details.flag_metadata["gateReason"])


def test_elsewhere_and_with_evidence_it_is_what_its_rules_say() -> None:
    key = Key("shop", "checkout")
    passed = {key: [Evidence(key, "abc", 3, 50, ("run",), 1.0)]}
    for provider, expected in (
        (DavyProvider.from_text(document(a__b=LINKED), "staging"), True),
        (DavyProvider.from_text(document(a__b=LINKED), evidence=passed), True),
        (DavyProvider.from_text(document(a__b=LINKED), evidence=passed, artifact="abc"), True),
        (DavyProvider.from_text(document(a__b=LINKED), evidence=passed, artifact="other"), False),
        (DavyProvider.from_text(document(a__b=LINKED), "staging", killed=["a.b"]), False),
    ):
        assert client_of(provider).get_boolean_value("a.b", not expected) is expected


def test_every_new_document_passes_the_gate(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    path.write_text(document(a__b=flag()))
    provider = DavyProvider.from_file(path, interval_s=0.01)
    client = client_of(provider)
    assert client.get_boolean_value("a.b", False) is True
    replace_file(path, document(a__b={**LINKED, "metadata": {**LINKED["metadata"], "gate": "open"}}))
    until(lambda: client.get_boolean_value("a.b", True) is False)


# -- lifecycle and events --------------------------------------------------------------------------------------


def test_it_starts_stops_and_starts_again_any_number_of_times(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    path.write_text(document(a__b=flag()))
    provider = DavyProvider.from_file(path)
    before = threading.active_count()
    for _ in range(3):
        client = client_of(provider)
        assert client.get_boolean_value("a.b", False) is True
        assert provider.status == "READY"
        api.shutdown()
        provider.shutdown()
        provider.shutdown()
        assert provider.status == "NOT_READY"
        assert Client(provider).get_boolean_details("a.b", False).error_code == "PROVIDER_NOT_READY"
    until(lambda: threading.active_count() <= before + 1)


def test_until_it_is_ready_the_default_is_answered_as_the_specification_wants_it() -> None:
    provider = DavyProvider.from_text(document(a__b=flag()))
    details = Client(provider).get_boolean_details("a.b", False)
    assert (details.value, details.reason, details.error_code) == (False, "ERROR", "PROVIDER_NOT_READY")


@pytest.mark.parametrize("text", ["{", '{"flags": []}', None])
def test_a_file_that_cannot_be_used_at_the_start_is_an_error_that_says_why(
    tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "flags.json"
    if text is not None:
        path.write_text(text)
    provider = DavyProvider.from_file(path, interval_s=0.01)
    with pytest.raises(ProviderNotReadyError, match=r"flags\.json"):
        api.set_provider_and_wait(provider)
    assert api.get_client().get_provider_status() is ProviderStatus.ERROR
    ready = Seen(ProviderEvent.PROVIDER_READY)
    replace_file(path, document(a__b=flag()))
    until(lambda: bool(ready.all))
    assert api.get_client().get_boolean_value("a.b", False) is True


def test_a_change_is_told_with_the_keys_that_changed() -> None:
    provider = DavyProvider.from_text(document(a__b=flag(), a__c=flag(), a__d=flag()))
    client_of(provider)
    seen = Seen(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED)
    assert provider.put(document(a__b=flag("off"), a__c=flag(), a__e=flag()))
    until(lambda: bool(seen.all))
    assert seen.all[0].flags_changed == ["a.b", "a.d", "a.e"]
    assert seen.all[0].provider_name == "davy"


def test_a_broken_file_leaves_the_last_good_one_in_force_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    path.write_text(document(a__b=flag()))
    provider = DavyProvider.from_file(path, interval_s=0.01)
    client = client_of(provider)
    errors, ready = Seen(ProviderEvent.PROVIDER_ERROR), Seen(ProviderEvent.PROVIDER_READY)
    until(lambda: len(ready.all) == 1)
    replace_file(path, '{"flags": ')
    until(lambda: bool(errors.all))
    assert "flags.json" in str(errors.all[0].message)
    assert client.get_boolean_value("a.b", False) is True
    assert client.get_provider_status() is ProviderStatus.ERROR
    replace_file(path, document(a__b=flag("off")))
    until(lambda: len(ready.all) == 2)
    assert client.get_boolean_value("a.b", True) is False
    assert client.get_provider_status() is ProviderStatus.READY


def test_one_broken_flag_leaves_the_others_alone() -> None:
    client = client_of(DavyProvider.from_text(document(a__b={"state": "ENABLED"}, a__c=flag())))
    assert client.get_boolean_details("a.b", False).error_code is ErrorCode.PARSE_ERROR
    assert client.get_boolean_value("a.c", False) is True


def test_it_is_made_of_an_environment(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    path.write_text(document(a__b=LINKED))
    named = {
        "DAVY_FLAGS_FILE": str(path),
        "DAVY_ENVIRONMENT": "staging",
        "DAVY_SERVICE": "shop",
        "DAVY_ARTIFACT": "h",
    }
    provider = DavyProvider.from_environment(named)
    assert client_of(provider).get_boolean_value("a.b", False) is True
    assert (provider.instance.service, provider.instance.artifact) == ("shop", "h")
    served = {"DAVY_FLAGS_URL": "http://127.0.0.1:9", "DAVY_FLAGS_TOKEN": "t", "DAVY_FLAGS_HOLD_S": "60"}
    assert DavyProvider.from_environment(served).status == "NOT_READY"
    for time in ("1h", "-1", "nan"):
        with pytest.raises(UsageError, match="DAVY_FLAGS_HOLD_S"):
            DavyProvider.from_environment({**served, "DAVY_FLAGS_HOLD_S": time})
    for wrong in ({}, {"DAVY_FLAGS_FILE": "f", "DAVY_FLAGS_URL": "http://h"}, {"DAVY_FLAGS_URL": "nonsense"}):
        with pytest.raises(UsageError):
            DavyProvider.from_environment(wrong)


# -- fail modes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "value"), [("safe", False), ("last-known", False), ("code", True)])
def test_a_rule_that_cannot_be_evaluated_is_what_the_flag_declares_for_that(mode: str, value: bool) -> None:
    broken = flag("on", safe="off", onError=mode, targeting={"cat": ["no", "ne"]})
    client = client_of(DavyProvider.from_text(document(a__b=broken)))
    details = client.get_boolean_details("a.b", True)
    assert details.value is value
    assert details.reason == "ERROR"
    if mode != "code":
        assert details.variant == "off"
        assert details.flag_metadata["failMode"] == "safe"


class Hostile:
    """Something in a context that raises whatever is done with it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


@pytest.mark.parametrize(
    "rule", [{"in": [{"var": "x"}, ["a", "b"]]}, {"cat": [{"var": "x"}]}, {"==": [{"var": "x"}, {"var": "y"}]}]
)
def test_what_raises_in_a_context_is_an_error_that_fail_modes_mend(rule: Any) -> None:
    """OpenFeature's client would make an exception the caller's default."""
    text = document(
        a__b=flag("on", safe="off", targeting={"if": [rule, "on", "on"]}), a__c=flag(targeting=rule)
    )
    provider = DavyProvider.from_text(text)
    client_of(provider)
    context = {"x": Hostile(), "y": Hostile()}
    assert Client(provider).get_boolean_details("a.b", True, context).variant in ("off", "on")
    details = Client(provider).get_boolean_details("a.c", False, context)
    assert details.reason in ("ERROR", "TARGETING_MATCH")


def test_an_evaluation_that_raises_is_the_safe_value_and_never_an_exception() -> None:
    rule = {"if": [{"==": [{"cat": [{"var": "x"}]}, "a"]}, "on", "on"]}
    provider = DavyProvider.from_text(
        document(a__b=flag("on", safe="off", targeting=rule), a__c=flag(targeting=rule), a__d=LINKED)
    )
    client = client_of(provider)
    endless: dict[str, Any] = {}
    endless["x"] = endless
    contexts: list[dict[str, Any]] = [{"x": Hostile()}, endless]
    for attributes in contexts:
        context = EvaluationContext("u", attributes)
        for ask in (client.get_boolean_details, Client(provider, {"y": 1}).get_boolean_details):
            assert ask("a.b", True, context).variant == "off"
            assert ask("a.d", True, context).reason == "DISABLED"
            details = ask("a.c", True, context)
            assert (details.value, details.error_code) == (True, ErrorCode.INVALID_CONTEXT)


# -- flags that cannot be read ---------------------------------------------------------------------------------

BROKEN = {"state": "on", "variants": {"on": True, "off": False}}


def test_a_flag_that_cannot_be_read_is_what_it_declares_to_be_safe_and_not_what_its_caller_says() -> None:
    text = document(
        a__own={**BROKEN, "metadata": {"safe": "off", "owners": ["a", "b"]}},
        a__code={**BROKEN, "metadata": {"safe": "off", "onError": "code"}},
        a__none={**BROKEN, "metadata": 7},
        a__linked={**BROKEN, "metadata": {"rollout": "shop/checkout"}},
        a__plain=flag(),
    )
    provider = DavyProvider.from_text(text, killed=["a.none"])
    client = client_of(provider)
    assert client.get_boolean_value("a.plain", False) is True
    own = client.get_boolean_details("a.own", True)
    assert (own.value, own.variant, own.reason, own.error_code) == (False, "off", "ERROR", None)
    assert (own.flag_metadata["failMode"], own.flag_metadata["failure"]) == ("safe", "PARSE_ERROR")
    assert client.get_boolean_details("a.code", True).error_code is ErrorCode.PARSE_ERROR
    assert client.get_boolean_details("a.none", True).reason == "DISABLED"
    assert client.get_boolean_details("a.linked", True).reason == "DISABLED"


def test_a_flag_that_can_be_read_no_more_is_what_it_declared_to_be_safe_before() -> None:
    provider = DavyProvider.from_text(
        document(a__b=flag("on", safe="off"), a__c=flag("off", safe="off", killed=True), a__d=flag("on"))
    )
    client = client_of(provider)
    unreadable = document(a__b=5, a__c={**BROKEN, "metadata": {"safe": "gone"}}, a__d=5)
    for _ in range(2):
        assert provider.put(unreadable)
        assert client.get_boolean_details("a.b", True).variant == "off"
        assert client.get_boolean_details("a.c", True).reason == "DISABLED"
        assert client.get_boolean_details("a.d", True).error_code is ErrorCode.PARSE_ERROR
    provider.put(document(a__b=flag("on", safe="off"), a__c=flag("on", safe="off")))
    assert [client.get_boolean_value(key, False) for key in ("a.b", "a.c")] == [True, True]


# -- many at once ----------------------------------------------------------------------------------------------


def test_nobody_sees_half_of_a_swap() -> None:
    """Each document says the same thing in a hundred flags and in its metadata; so does every answer."""

    def made(number: int) -> str:
        return document(
            {"version": str(number)},
            **{f"a__f{index}": flag("one", variants={"one": number}) for index in range(100)},
        )

    provider = DavyProvider.from_text(made(1))
    client_of(provider)
    client = Client(provider)
    torn: list[Any] = []
    done = threading.Event()

    def read(index: int) -> None:
        last = 0
        while not done.is_set():
            details = client.get_integer_details(f"a.f{index}", 0)
            if details.metadata["version"] != str(details.value) or details.error_code or details.value < last:  # type: ignore[operator]
                torn.append(details)
            last = details.value  # type: ignore[assignment]

    readers = [threading.Thread(target=read, args=(index,)) for index in range(4)]
    for reader in readers:
        reader.start()
    for number in range(2, 30):
        provider.put(made(number))
    done.set()
    for reader in readers:
        reader.join()
    assert torn == []
    assert client.get_integer_value("a.f1", 0) == 29


def test_a_child_that_was_forked_is_an_instance_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "flags.json"
    path.write_text(document(a__b=flag()))
    provider = DavyProvider.from_file(path, interval_s=0.01)
    client = client_of(provider)
    parent = provider.instance.id
    child = os.fork()
    if child == 0:  # pragma: no cover - measured in the parent
        answered = client.get_boolean_value("a.b", False) and provider.instance.id != parent
        replace_file(path, document(a__b=flag("off")))
        followed = _waits(lambda: not client.get_boolean_value("a.b", True))
        os._exit(0 if answered and followed else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert provider.instance.id == parent


def _waits(true: Callable[[], bool]) -> bool:
    until(true)
    return True


def test_the_fast_client_answers_what_openfeature_does() -> None:
    text = document(
        a__b=flag(targeting=BY_MAIL),
        a__t=flag("b", variants={"a": "x", "b": "y"}),
        a__i=flag("m", variants={"m": 5}),
        a__f=flag("w", variants={"w": 1}),
        a__o=flag("one", variants={"one": {"x": 1}}),
    )
    provider = DavyProvider.from_text(text)
    slow, fast = client_of(provider), Client(provider, {"plan": "pro"})
    context = EvaluationContext("u", {"email": "u@example.com"})
    for kind, key, default in (
        ("boolean", "a.b", False),
        ("string", "a.t", ""),
        ("integer", "a.i", 0),
        ("float", "a.f", 0.0),
        ("object", "a.o", {}),
        ("boolean", "a.missing", True),
        ("string", "a.b", "mine"),
    ):
        for given in (context, {"targetingKey": "u", "email": "u@example.com"}):
            one = getattr(slow, f"get_{kind}_details")(key, default, context)
            other = getattr(fast, f"get_{kind}_details")(key, default, given)
            assert (one.value, one.variant, one.reason) == (other.value, other.variant, other.reason)
            assert type(one.value) is type(other.value)
            assert getattr(fast, f"get_{kind}_value")(key, default, given) == one.value
    assert Client(provider).get_boolean_value("a.b", True) is False
