"""Flags in memory keep what everything promises that serves flags."""

from collections.abc import Callable

import msgspec

from davy.adapters.memory_flags import MemoryFlags
from davy.flags.remote import Acknowledgement, Changed, Instance
from davy.flags.serving import Flags
from davy.testing.flags import KEY, FlagsContract


def document(on: bool, **more: object) -> bytes:
    flag = {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "on" if on else "off",
    }
    return msgspec.json.encode({"flags": {KEY: flag, "untouched": flag | {"defaultVariant": "on"}}, **more})


class TestMemoryFlags(FlagsContract):
    def made(self) -> tuple[Flags, Callable[[bool], None]]:
        flags = MemoryFlags(document(False))
        return flags, lambda on: flags.publish(document(on))


def test_it_tells_which_flags_are_not_what_they_were() -> None:
    flags, told = MemoryFlags(document(False)), list[Changed]()
    flags.subscribe(told.append)
    flags.publish(document(True))
    assert told[-1].flags == (KEY,)


def test_a_shared_rule_may_change_the_flags_that_use_it() -> None:
    flag = {"state": "ENABLED", "variants": {"true": True, "false": False}, "targeting": {"$ref": "staff"}}

    def shared(least: int) -> bytes:
        rule = {">": [{"var": "level"}, least]}
        return msgspec.json.encode(
            {
                "flags": {KEY: flag, "untouched": flag | {"targeting": None, "defaultVariant": "true"}},
                "$evaluators": {"staff": rule},
            }
        )

    flags, told = MemoryFlags(shared(1)), list[Changed]()
    flags.subscribe(told.append)
    flags.publish(shared(2))
    assert told[-1].flags == (KEY,)


def test_versions_that_are_given_are_used_as_long_as_they_grow() -> None:
    given = iter([5, 9, 2])
    flags = MemoryFlags(document(False), lambda: next(given))
    seen = [flags.document().version]
    for on in (True, False):
        flags.publish(document(on))
        seen.append(flags.document().version)
    assert seen == [5, 9, 10]


def test_who_leaves_and_who_came_long_ago_is_forgotten() -> None:
    flags = MemoryFlags()
    for number in range(10_002):
        flags.acknowledge(Acknowledgement(Instance(f"i{number}", "checkout"), 1, "sha256:"))
    assert next(iter(flags.acknowledged)) == "i2"
    flags.left("i2")
    assert "i2" not in flags.acknowledged


def test_what_a_version_is_called_changes_no_flag() -> None:
    flags, told = MemoryFlags(document(False, metadata={"version": "a"})), list[Changed]()
    flags.subscribe(told.append)
    flags.publish(document(True, metadata={"version": "b"}))
    assert told[-1].flags == (KEY,)
