"""How senders prove who they are: each scheme's own way, on the bytes as they came.

All comparisons take the same time whatever is wrong, and what is wrong is not told.
"""

import binascii
import hmac
import re
from base64 import b64decode
from hashlib import sha256

from davy.analysis.secret import Secret
from davy.control.hooks.delivery import Delivery

TOLERANCE_S = 300.0
"""How far the time of a delivery may be from ours, where its scheme has one (Standard Webhooks)."""

TOKEN_HEADER = "x-davy-token"  # noqa: S105 - the name of a header
"""Where a sender that cannot write `Authorization` puts its secret."""

SIGNING = "whsec_"
"""By what a secret of Standard Webhooks begins; what follows is Base64."""

_MOST = 16
"""How many signatures of one delivery are looked at."""

_NUMBER = re.compile(r"[0-9]{1,12}", re.ASCII)


def equal(one: str, other: str) -> bool:
    """Compare two texts in a time that tells nothing."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def hexadecimal(secret: Secret, body: bytes) -> str:
    """Return the HMAC-SHA-256 of a body, as most schemes write it."""
    return hmac.new(secret.reveal().encode(), body, sha256).hexdigest()


def versioned(header: str, secret: Secret, body: bytes) -> bool:
    """Say whether one of the signatures in `v1=…,v1=…` is right (PagerDuty, CircleCI)."""
    right = f"v1={hexadecimal(secret, body)}"
    return any(equal(claimed.strip(), right) for claimed in header.split(",")[:_MOST])


def fresh(stamp: str, now: float) -> bool:
    """Say whether a time in whole seconds is near enough to ours."""
    return bool(_NUMBER.fullmatch(stamp)) and abs(now - int(stamp)) <= TOLERANCE_S


def standard(delivery: Delivery, secret: Secret) -> bool:
    """Say whether a delivery is signed as Standard Webhooks has it: `v1,BASE64` over `id.timestamp.body`."""
    name, stamp = delivery.header("webhook-id"), delivery.header("webhook-timestamp")
    try:
        key = b64decode(secret.reveal().removeprefix(SIGNING), validate=True)
    except (binascii.Error, ValueError):
        return False
    signed = f"{name}.{stamp}.".encode() + delivery.body
    right = "v1," + binascii.b2a_base64(hmac.new(key, signed, sha256).digest(), newline=False).decode()
    claimed = delivery.header("webhook-signature").split(" ")[:_MOST]
    matches = any(equal(each, right) for each in claimed)
    return matches and bool(name) and bool(key) and fresh(stamp, delivery.now)


def carried(delivery: Delivery, secret: Secret) -> str:
    """Say how a delivery carries a secret: as a bearer token, for basic authentication, or in our header."""
    text = secret.reveal()
    word, _, rest = delivery.header("authorization").partition(" ")
    try:
        pair = b64decode(rest.strip(), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        pair = ""
    ways = {
        "bearer": word.lower() == "bearer" and equal(rest.strip(), text),
        "basic": word.lower() == "basic" and ":" in text and equal(pair, text),
        "header": equal(delivery.header(TOKEN_HEADER), text),
    }
    return next((way for way, right in ways.items() if right), "")
