"""What is too large for an entry is kept beside it, under its hash."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from davy.ledger.canonical import canonical
from davy.ledger.entry import Draft, encode
from davy.ledger.log import LARGEST_ENTRY
from davy.ledger.payload import PAYLOAD, fit


@given(st.integers(LARGEST_ENTRY - 400, LARGEST_ENTRY + 400))
def test_no_entry_is_larger_than_a_bundle_can_say(length: int) -> None:
    draft = Draft(
        1.5, "policy_denied", "Rollout prod/payments", {"sentences": "x" * length}, source="s", id="1"
    )
    fitted, body, payloads = fit(draft)
    assert len(body) <= LARGEST_ENTRY
    assert body == encode(fitted)
    if len(encode(draft)) <= LARGEST_ENTRY:
        assert (fitted, payloads) == (draft, {})
    else:
        [(record, payload)] = payloads.items()
        assert payload == canonical(draft.detail)
        assert record == (PAYLOAD, sha256(payload).hexdigest())
        assert fitted.detail == {"sha256": record[1], "bytes": len(payload)}
        assert fitted.uid == draft.uid
