"""What is safe comes before a caller's default, and nothing comes before what is a caller's own mistake."""

from typing import Any

import pytest

from davy.flags.definition import Definition, Definitions
from davy.flags.details import Details, ErrorCode, Reason
from davy.flags.failing import declared, mended, on_error
from davy.flags.governance import OnError

FAILED = Details(True, None, Reason.ERROR, ErrorCode.PARSE_ERROR, "it is wrong", {"flagSetId": "x"})


def flag(**metadata: Any) -> Definition:
    return Definition("a.b", {"on": True, "off": False}, True, "on", None, metadata)


@pytest.mark.parametrize(
    ("definition", "mode"),
    [
        (None, None),
        (flag(), None),
        (flag(safe="gone"), None),
        (flag(safe="off", killed=True), None),
        (flag(safe="off", gate="closed"), None),
        (flag(safe="off"), OnError.SAFE),
        (flag(safe="off", onError="last-known"), OnError.LAST_KNOWN),
        (flag(safe="off", onError="code"), OnError.CODE),
        (flag(safe="off", onError="unheard-of"), OnError.SAFE),
    ],
)
def test_a_flag_declares_what_it_is_when_nothing_can_be_known(
    definition: Definition | None, mode: OnError | None
) -> None:
    assert on_error(definition) is mode
    assert (mended(definition, FAILED) is FAILED) == (mode in (None, OnError.CODE))


def test_what_is_safe_takes_the_place_of_an_error_and_says_so() -> None:
    found = mended(flag(safe="off", owner="team"), FAILED)
    assert (found.value, found.variant, found.reason, found.error_code) == (False, "off", "ERROR", None)
    assert dict(found.metadata) == {
        "flagSetId": "x",
        "safe": "off",
        "owner": "team",
        "failMode": "safe",
        "failure": "PARSE_ERROR",
    }


@pytest.mark.parametrize("code", [None, ErrorCode.FLAG_NOT_FOUND, ErrorCode.TYPE_MISMATCH])
def test_what_is_no_fault_of_a_flag_stays_what_it_is(code: ErrorCode | None) -> None:
    answer = Details(True, None, Reason.ERROR, code)
    assert mended(flag(safe="off"), answer) is answer


def test_what_remains_of_a_flag_declares_what_is_safe() -> None:
    whole, rest = flag(safe="off"), flag(safe="on")
    found = Definitions({"a.b": whole}, broken={"a.c": "why"}, remains={"a.c": rest})
    assert [declared(found, key) for key in ("a.b", "a.c", "a.d")] == [whole, rest, None]
