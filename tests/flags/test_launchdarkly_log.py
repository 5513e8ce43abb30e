"""Entries of LaunchDarkly's log are read as they are listed and as they are sent."""

from typing import Any

import msgspec
import pytest

from davy.flags.launchdarkly_log import LaunchDarklyEntry

ENTRY: dict[str, Any] = {
    "_id": "5ca3a7f1e3e1b70826ae1a57",
    "date": 1_772_445_000_123,
    "kind": "flag",
    "accesses": [
        {"action": "updateOn", "resource": "proj/shop;tag:env/production;red,blue:flag/checkout.discount;t"}
    ],
    "titleVerb": "turned on the flag",
    "comment": "PAY-123",
    "member": {"email": "ann@example.com", "firstName": "Ann"},
}


def entry(**changes: Any) -> LaunchDarklyEntry:
    return msgspec.convert({**ENTRY, **changes}, LaunchDarklyEntry)


def test_an_entry_says_which_flag_who_when_and_why() -> None:
    toggle = entry().toggle("shop", "production")
    assert (toggle.id, toggle.key, toggle.at) == (ENTRY["_id"], "checkout.discount", 1_772_445_000.123)
    assert (toggle.actor, toggle.what, toggle.on) == ("ann@example.com", "updateOn", True)
    assert toggle.comment == "PAY-123"
    assert entry().places() == ("shop", "production")


@pytest.mark.parametrize(
    ("verb", "on"),
    [("turned on the flag", True), (" turned off the flag", False), ("updated the rules of", None)],
)
def test_only_on_and_off_are_that(verb: str, on: bool | None) -> None:
    assert entry(titleVerb=verb).toggle().on is on


@pytest.mark.parametrize(
    ("changes", "actor"),
    [
        ({}, "ann@example.com"),
        ({"member": None, "token": {"name": "davy"}}, "token davy"),
        ({"member": {}, "token": {}}, "launchdarkly"),
        ({"member": None}, "launchdarkly"),
    ],
)
def test_who_did_it_is_a_person_a_token_or_nobody_known(changes: dict[str, Any], actor: str) -> None:
    assert entry(**changes).toggle().actor == actor


@pytest.mark.parametrize(
    "resource",
    ["proj/shop:env/production:flag/*", "proj/shop:env/production", "proj/shop", "", "proj/a:env/b:segment/c",
     "proj/shop:env/production:flag/"],
)  # fmt: skip
def test_what_is_about_no_flag_of_an_environment_has_no_key(resource: str) -> None:
    read = entry(accesses=[{"resource": resource}])
    assert read.toggle().key == ""
    assert read.places() == ("", "")


def test_another_project_or_environment_is_not_meant() -> None:
    assert entry().toggle("shoe", "production").key == ""
    assert entry().toggle("shop", "test").key == ""
    both = [{"resource": f"proj/shop:env/{name}:flag/a.b"} for name in ("test", "production")]
    assert entry(accesses=both).toggle("shop", "production").key == "a.b"


def test_what_was_done_is_its_action_or_the_words_for_it() -> None:
    assert entry(accesses=[]).toggle().what == "turned on the flag"
    assert entry(accesses=[], titleVerb="").toggle().what == "flag"
