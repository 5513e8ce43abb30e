"""What is too large for an entry: its detail is kept apart and named by its hash."""

from hashlib import sha256

import msgspec

from davy.ledger.canonical import canonical
from davy.ledger.entry import Draft, encode
from davy.ledger.log import LARGEST_ENTRY

PAYLOAD = "payload"
"""The bucket of the details that are kept apart, by the hexadecimal SHA-256 of their canonical bytes."""


def fit(draft: Draft) -> tuple[Draft, bytes, dict[tuple[str, str], bytes]]:
    """Return what goes into the tree of a draft, its bytes, and the records that have to be written with it."""
    body = encode(draft)
    if len(body) <= LARGEST_ENTRY:
        return draft, body, {}
    payload = canonical(draft.detail)
    name = sha256(payload).hexdigest()
    short = msgspec.structs.replace(draft, detail={"sha256": name, "bytes": len(payload)})
    return short, encode(short), {(PAYLOAD, name): payload}
