"""Waivers in files are the waivers that they were."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy.test_waivers import NOW, broken_glass, granted, wish

from davy.policy import granting
from davy.policy.waiver_file import document_of, is_waiver, manifest_of, read, waiver_of
from davy.policy.waivers import Waiver, standing


@pytest.mark.parametrize("waiver", [granted(), granted(uses=3), broken_glass()])
def test_a_waiver_that_is_written_and_read_still_holds(waiver: Waiver) -> None:
    again = read(document_of(waiver))
    assert again == waiver
    assert standing(again, again.digest, NOW) == ""


@given(st.integers(0, 10**12))
def test_instants_are_kept_to_the_millisecond(milliseconds: int) -> None:
    waiver = msgspec.structs.replace(granted(), expires_at=milliseconds / 1000 + 1)
    assert waiver_of(manifest_of(waiver)).expires_at == pytest.approx(waiver.expires_at, abs=1e-3)


@given(st.floats(NOW, NOW + 1), st.floats(60, 30 * 86400))
def test_what_was_approved_at_any_moment_is_approved_in_the_file_too(now: float, lasts_s: float) -> None:
    waiver = granted(now=now, until=now + lasts_s)
    again = read(document_of(waiver))
    assert again == waiver
    assert standing(again, again.digest, now) == ""


@given(st.floats(NOW, NOW + 1))
def test_a_whole_hour_may_be_asked_for_at_any_moment(now: float) -> None:
    broken = granting.break_glass(wish(until=now + 3600.0), now, 1)
    assert isinstance(broken, Waiver)
    assert standing(read(document_of(broken)), broken.digest, now) == ""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"expiresAt": "2026-03-03"}, "a day has no instant"),
        ({"expiresAt": "2026-03-03T12:00:00"}, "it has no zone"),
        ({"uses": "many"}, "Expected `int`"),
        ({"forever": True}, "unknown field"),
    ],
)
def test_what_is_no_waiver_is_refused(changes: dict[str, Any], told: str) -> None:
    found = document_of(granted())
    with pytest.raises(ValueError, match=told):
        read({**found, "spec": {**found["spec"], **changes}})


def test_only_our_own_kind_is_a_waiver() -> None:
    assert is_waiver(document_of(granted()))
    assert not is_waiver({"apiVersion": "v1", "kind": "Waiver"})
    assert not is_waiver({"kind": "Rollout"})
