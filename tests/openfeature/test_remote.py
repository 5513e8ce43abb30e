"""The provider by a server: what is followed, acknowledged and kept, and what it does without the server."""

import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ProviderNotReadyError
from openfeature.provider import ProviderStatus
from tests.openfeature.documents import document, flag
from tests.openfeature.stand_in import TOKEN, StandIn, serving

from davy.openfeature import Client, DavyProvider, Pace, Status
from davy.testing.patience import until
from openfeature import api

QUICK = Pace(silence_s=0.3, poll_s=0.02, first_s=0.01, longest_s=0.05)
MODES = document(
    safe=flag("on", safe="off"),
    last=flag("on", safe="off", onError="last-known"),
    code=flag("on", safe="off", onError="code"),
    killed=flag("off", safe="off", onError="code", killed=True, gateReason="it was killed"),
    plain=flag("on"),
)


def remote(url: str, **more: Any) -> DavyProvider:
    options: dict[str, Any] = {"service": "shop", "artifact": "abc", "pace": QUICK, "deadline_s": 20.0, **more}
    return DavyProvider.remote(url, options.pop("token", TOKEN), **options)


def events(*kinds: ProviderEvent) -> list[EventDetails]:
    seen: list[EventDetails] = []
    for kind in kinds:
        api.add_handler(kind, seen.append)
    return seen


def test_a_document_is_followed_and_each_version_is_acknowledged() -> None:
    with serving(StandIn(document(a__b=flag()))) as it:
        provider = remote(it.url)
        changes = events(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED)
        api.set_provider_and_wait(provider)
        client = api.get_client()
        assert client.get_boolean_value("a.b", False) is True
        assert client.get_provider_status() is ProviderStatus.READY
        it.put(document(a__b=flag("off", killed=True)))
        until(lambda: client.get_boolean_value("a.b", True) is False)
        until(lambda: [each["version"] for each in it.acknowledged] == [1, 2])
        told = it.acknowledged[-1]
        assert told["digest"] == it.digest
        assert told["instance"] == {"id": provider.instance.id, "service": "shop", "artifact": "abc"}
        until(lambda: [each.flags_changed for each in changes] == [["a.b"]])
        assert provider.version == "2"


def test_who_asks_and_what_is_known_already_is_in_every_question() -> None:
    with serving(StandIn(document(a__b=flag()))) as it:
        provider = remote(it.url)
        api.set_provider_and_wait(provider)
        until(lambda: it.streams == 1)
        until(lambda: it.count("/flags/v1/document") == 2)
        who = {"instance": provider.instance.id, "service": "shop", "artifact": "abc"}
        assert all(each[2] == who for each in it.requests if each[0] == "GET")
        assert [each[3].get("If-None-Match") for each in it.requests if each[1] == "/flags/v1/document"] == [
            None,
            f'"{it.digest}"',
        ]
        stream = next(each[3] for each in it.requests if each[1] == "/flags/v1/stream")
        assert (stream["Last-Event-ID"], stream["Accept"]) == ("1", "text/event-stream")


def test_a_version_with_the_text_of_an_earlier_one_is_acknowledged_all_the_same() -> None:
    with serving(StandIn(document(a__b=flag()))) as it:
        api.set_provider_and_wait(remote(it.url))
        until(lambda: it.streams == 1)
        it.put(document(a__b=flag()))
        until(lambda: [each["version"] for each in it.acknowledged] == [1, 2])


def test_what_changed_while_a_stream_was_down_is_known_when_it_is_up_again() -> None:
    with serving(StandIn(document(a__b=flag()))) as it:
        api.set_provider_and_wait(remote(it.url))
        client = api.get_client()
        for variant in ("off", "on", "off"):
            until(lambda: it.streams == 1)
            it.told = False
            it.put(document(a__b=flag(variant)))
            it.cut_streams()
            until(lambda: client.get_boolean_details("a.b", True).variant == variant)  # noqa: B023
            it.told = True


def test_without_streams_it_polls() -> None:
    it = StandIn(document(a__b=flag()))
    it.refuse["/flags/v1/stream"] = 404
    with serving(it):
        api.set_provider_and_wait(remote(it.url))
        client = api.get_client()
        it.put(document(a__b=flag("off")))
        until(lambda: client.get_boolean_value("a.b", True) is False)
        until(lambda: it.acknowledged[-1]["version"] == 2)
        assert client.get_provider_status() is ProviderStatus.READY


def test_a_stream_without_a_sign_of_life_is_given_up() -> None:
    it = StandIn(document(a__b=flag()))
    it.silent = True
    with serving(it):
        api.set_provider_and_wait(remote(it.url, timeout_s=60.0))
        until(lambda: it.count("/flags/v1/stream") >= 2)


def test_acknowledgements_that_were_not_taken_are_told_again() -> None:
    it = StandIn(document(a__b=flag()))
    it.refuse["/flags/v1/acknowledgements"] = 503
    with serving(it):
        api.set_provider_and_wait(remote(it.url))
        until(lambda: it.count("/flags/v1/acknowledgements") >= 2)
        it.refuse.clear()
        until(lambda: [each["version"] for each in it.acknowledged] == [1])


def test_a_linked_flag_of_which_a_server_does_not_say_that_its_gate_is_open_is_closed() -> None:
    linked = flag("on", safe="off", rollout="shop/checkout")
    opened = flag("on", safe="off", rollout="shop/checkout", gate="open", gateEvidence="sha256:1")
    with serving(StandIn(document(a__b=linked, a__c=opened))) as it:
        api.set_provider_and_wait(remote(it.url))
        client = api.get_client()
        assert client.get_boolean_details("a.b", True).reason == "DISABLED"
        assert client.get_boolean_value("a.c", False) is True


def test_an_earlier_version_is_not_taken() -> None:
    with serving(StandIn(document(a__b=flag()))) as it:
        provider = remote(it.url)
        api.set_provider_and_wait(provider)
        client = api.get_client()
        it.put(document(a__b=flag("off")), version=9)
        until(lambda: client.get_boolean_value("a.b", True) is False)
        errors = it.count("/flags/v1/document")
        it.put(document(a__b=flag("on")), version=8)
        until(lambda: it.count("/flags/v1/document") >= errors + 1)
        until(lambda: "version 8" in provider.holder.why)
        assert client.get_boolean_value("a.b", True) is False


def test_a_document_that_cannot_be_used_leaves_the_last_good_one_and_is_an_error() -> None:
    with serving(StandIn(document(a__b=flag()))) as it:
        api.set_provider_and_wait(remote(it.url))
        client = api.get_client()
        until(lambda: it.streams == 1)
        seen = events(ProviderEvent.PROVIDER_ERROR)
        it.put("{")
        until(lambda: client.get_provider_status() is ProviderStatus.ERROR)
        until(lambda: bool(seen))
        assert client.get_boolean_value("a.b", False) is True
        assert "cannot be used" in str(seen[0].message)
        it.put(document(a__b=flag("off")))
        until(lambda: client.get_boolean_value("a.b", True) is False)
        until(lambda: client.get_provider_status() is ProviderStatus.READY)


# -- a server that is not there --------------------------------------------------------------------------------


def test_a_server_that_went_away_changes_nothing_for_anybody_and_it_is_stale() -> None:
    it = StandIn(MODES)
    with serving(it):
        api.set_provider_and_wait(remote(it.url, stale_after_s=0.2))
        client = api.get_client()
        changes = events(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED)
    until(lambda: client.get_provider_status() is ProviderStatus.STALE)
    answers = {key: client.get_boolean_details(key, False) for key in ("safe", "last", "code", "plain")}
    assert {(each.value, each.variant, each.reason) for each in answers.values()} == {(True, "on", "STALE")}
    assert client.get_boolean_details("killed", True).reason == "DISABLED"
    with serving(it, it.port):
        until(lambda: client.get_provider_status() is ProviderStatus.READY)
        assert client.get_boolean_details("safe", False).reason == "STATIC"
    assert changes == []


def test_what_a_kill_must_reach_is_held_for_less_long_than_the_rest() -> None:
    text = document(
        switch=flag("on", safe="off", kind="kill-switch"),
        high=flag("on", safe="off", criticality="high", onError="code"),
        kept=flag("on", safe="off", criticality="high", onError="last-known"),
        plain=flag("on", safe="off"),
    )
    it = StandIn(text)
    with serving(it):
        api.set_provider_and_wait(remote(it.url, stale_after_s=0.1, hold_critical_s=0.3))
        client = api.get_client()
        changes = events(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED)
        stale = events(ProviderEvent.PROVIDER_STALE)
    until(lambda: client.get_boolean_value("switch", True) is False)
    assert client.get_boolean_details("high", True).error_code == "PROVIDER_NOT_READY"
    assert client.get_boolean_details("high", True).flag_metadata["criticality"] == "high"
    assert [client.get_boolean_value(key, False) for key in ("kept", "plain")] == [True, True]
    until(lambda: [each.flags_changed for each in changes] == [["high", "switch"]])
    assert len(stale) == 1
    with serving(it, it.port):
        until(lambda: client.get_boolean_value("switch", False) is True)
        until(lambda: [each.flags_changed for each in changes] == [["high", "switch"]] * 2)


def test_a_server_that_is_away_for_longer_than_flags_are_held_leaves_each_to_what_it_declares() -> None:
    it = StandIn(MODES)
    with serving(it):
        api.set_provider_and_wait(remote(it.url, stale_after_s=0.2, hold_s=0.2))
        client = api.get_client()
        stale, ready = events(ProviderEvent.PROVIDER_STALE), events(ProviderEvent.PROVIDER_READY)
        assert client.get_boolean_value("safe", False) is True
    until(lambda: client.get_boolean_value("safe", True) is False)
    answers = {
        key: client.get_boolean_details(key, True) for key in ("safe", "last", "code", "killed", "plain")
    }
    assert {key: (each.value, each.variant, each.reason) for key, each in answers.items()} == {
        "safe": (False, "off", "STALE"),
        "last": (True, "on", "STALE"),
        "code": (True, None, "ERROR"),
        "killed": (False, "off", "DISABLED"),
        "plain": (True, "on", "STALE"),
    }
    assert client.get_boolean_details("code", False).value is False
    assert client.get_boolean_details("missing", True).error_code == "FLAG_NOT_FOUND"
    until(lambda: bool(stale))
    assert "nothing was heard" in str(stale[0].message)
    before = len(ready)
    with serving(it, it.port):
        until(lambda: client.get_provider_status() is ProviderStatus.READY)
        assert client.get_boolean_value("safe", False) is True
        until(lambda: len(ready) > before)


def test_without_a_server_and_without_anything_kept_it_says_so_and_goes_on_trying() -> None:
    it = StandIn(document(a__b=flag()))
    with serving(it):
        port = it.port
    provider = remote(it.url, deadline_s=0.05)
    with pytest.raises(ProviderNotReadyError, match="cannot be reached"):
        api.set_provider_and_wait(provider)
    client = api.get_client()
    assert client.get_provider_status() is ProviderStatus.ERROR
    assert client.get_boolean_details("a.b", True).error_code == "PROVIDER_NOT_READY"
    with serving(it, port):
        until(lambda: client.get_provider_status() is ProviderStatus.READY)
        assert client.get_boolean_value("a.b", False) is True


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_opens_nothing_is_told_at_once(status: int) -> None:
    it = StandIn(document(a__b=flag()))
    it.refuse["/flags/v1/document"] = status
    with serving(it), pytest.raises(ProviderNotReadyError, match=str(status)):
        api.set_provider_and_wait(remote(it.url))


def test_a_token_is_asked_for_anew_each_time() -> None:
    tokens = iter(["old", *[TOKEN] * 1000])
    with serving(StandIn(document(a__b=flag()))) as it:
        provider = remote(it.url, token=lambda: next(tokens))
        with pytest.raises(ProviderNotReadyError):
            api.set_provider_and_wait(provider)
        until(lambda: api.get_client().get_boolean_value("a.b", False) is True)


def test_a_document_that_was_kept_is_what_it_starts_by_and_it_is_stale(tmp_path: Path) -> None:
    keep = tmp_path / "kept"
    it = StandIn(MODES)
    with serving(it):
        api.set_provider_and_wait(remote(it.url, keep=keep))
        until(keep.exists)
        api.shutdown()
    assert stat.S_IMODE(keep.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]
    stale = events(ProviderEvent.PROVIDER_STALE)
    provider = remote(it.url, keep=keep)
    api.set_provider_and_wait(provider)
    client = api.get_client()
    until(lambda: client.get_provider_status() is ProviderStatus.STALE)
    until(lambda: bool(stale))
    assert "cannot be reached" in str(stale[0].message)
    assert [client.get_boolean_value(key, False) for key in ("safe", "last", "code")] == [True, True, True]
    api.set_provider_and_wait(remote(it.url, keep=keep, hold_s=0.0))
    assert client.get_boolean_value("safe", True) is False
    assert client.get_boolean_value("last", False) is True
    with serving(it, it.port):
        until(lambda: client.get_provider_status() is ProviderStatus.READY)
        assert client.get_boolean_value("safe", False) is True


def test_what_was_kept_is_not_taken_when_it_is_not_ours(tmp_path: Path) -> None:
    keep = tmp_path / "kept"
    it = StandIn(document(a__b=flag("on", onError="last-known", safe="off")))
    with serving(it):
        api.set_provider_and_wait(remote(it.url, keep=keep))
        until(keep.exists)
        api.shutdown()
    original = keep.read_bytes()
    tampered = json.loads(original)
    tampered["version"] = 99
    for content, options, why in (
        (json.dumps(tampered).encode(), {}, "was changed since"),
        (original[:100], {}, "damaged"),
        (original, {"token": "another"}, "was not written with this token"),
        (original, {"artifact": "other"}, "another server, environment, service or artifact"),
        (original, {"environment": "staging"}, "another server, environment, service or artifact"),
        (original, {"keep_age_s": 0.0}, "is the limit"),
    ):
        keep.write_bytes(content)
        provider = remote(it.url, keep=keep, deadline_s=0.5, **options)
        with pytest.raises(ProviderNotReadyError, match=why):
            provider.initialize(api.get_evaluation_context())
        assert Client(provider).get_boolean_details("a.b", False).error_code == "PROVIDER_NOT_READY"
        provider.shutdown()


def test_a_document_that_was_shipped_is_for_the_very_first_start_and_its_gates_are_closed() -> None:
    it = StandIn("")
    with serving(it):
        pass
    bundled = document(
        linked=flag("on", safe="off", rollout="shop/checkout", onError="last-known"),
        last=flag("on", safe="off", onError="last-known"),
        safe=flag("on", safe="off"),
    )
    provider = remote(it.url, bundled=bundled)
    api.set_provider_and_wait(provider)
    client = api.get_client()
    until(lambda: client.get_provider_status() is ProviderStatus.STALE)
    assert {key: client.get_boolean_value(key, True) for key in ("linked", "last", "safe")} == {
        "linked": False,
        "last": True,
        "safe": False,
    }


def test_it_ends_while_it_waits_for_a_stream() -> None:
    before = set(threading.enumerate())
    it = StandIn(document(a__b=flag()))
    it.silent = True
    with serving(it):
        provider = remote(it.url, pace=Pace(silence_s=600))
        provider.initialize(api.get_evaluation_context())
        until(lambda: it.streams == 1)
        provider.shutdown()
        until(lambda: not any(each.name.startswith("davy-") for each in {*threading.enumerate()} - before))
        assert provider.status is Status.NOT_READY


def test_a_child_that_was_forked_follows_and_acknowledges_by_itself() -> None:
    with serving(StandIn(document(a__b=flag()))) as it:
        provider = remote(it.url)
        api.set_provider_and_wait(provider)
        until(lambda: it.streams == 1)
        child = os.fork()
        if child == 0:  # pragma: no cover - what it does is seen by the server
            try:
                client = Client(provider)
                until(lambda: client.get_boolean_details("a.b", True).variant == "off")
                provider.shutdown()
                os._exit(0)
            finally:
                os._exit(1)
        until(lambda: len({each["instance"]["id"] for each in it.acknowledged}) == 2)
        until(lambda: it.streams == 2)
        it.put(document(a__b=flag("off")))
        until(lambda: os.waitpid(child, os.WNOHANG) == (child, 0), seconds=60)
        until(lambda: 2 in [each["version"] for each in it.acknowledged])
        until(lambda: it.streams == 1)
        others = (each for each in it.reports if each["instance"]["id"] != provider.instance.id)
        assert any(one["count"] for each in others for one in each["exposures"])


def test_waits_grow_and_differ() -> None:
    pace = Pace(first_s=1.0, longest_s=10.0, poll_s=5.0)
    assert [pace.after(failures, 1.0) for failures in range(7)] == [5.0, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert [pace.after(failures, 0.0) for failures in (1, 100)] == [0.5, 5.0]
