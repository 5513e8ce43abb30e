"""How `fractional` draws: a hash of who asks, stretched over the sum of the weights.

`bucket = murmur3_32(bytes) * total >> 32`. Two ways to bytes are in use, and do not draw the same users:
flagd's daemon and JavaScript hash UTF-8 (v2), Python hashes CBOR of RFC 8949 (v3).
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from mmh3 import hash as murmur3

from davy.flags.governance import Bucketing

MOST = 2**31 - 1
"""The largest sum of weights."""

_DEPTH = 32


def prefix(bucketing: Bucketing, key: str) -> bytes:
    """Return what is hashed before the targeting key, where a flag draws by that."""
    data = key.encode("utf-8", "surrogatepass")
    return data if bucketing is Bucketing.V2 else b"\x82" + _cbor_text(data)


def drawn(
    start: bytes, cbor: bool, user: Any, bounds: Sequence[int], variants: Sequence[Any], total: int
) -> Any:
    """Draw for a targeting key; null where it is no text or empty.

    Args:
        start: what `prefix` returns.
        cbor: whether it is the third bucketing.
        user: the targeting key.
        bounds: sums of the weights up to each variant.
        variants: what is drawn from.
        total: the last of the bounds.
    """
    if type(user) is not str or not user:
        return None
    try:
        data = start + (_cbor_text(user.encode()) if cbor else user.encode())
    except UnicodeEncodeError:
        return None
    return variants[bisect_right(bounds, (murmur3(data, 0, False) * total) >> 32)]


def fractional(bucketing: Bucketing, key: str, context: Any, arguments: Sequence[Any]) -> Any:
    """Draw where who is drawn by, a weight or a variant is computed; null where that makes no sense.

    The first argument is what is drawn by, unless it is a list: then all are `[variant, weight]`, and the
    targeting key is drawn by, salted with the key of the flag. Where it is null, the second bucketing does
    that, too.
    """
    if not arguments:
        return None
    first, shares = arguments[0], arguments
    if not (listed := isinstance(first, list | tuple)):
        shares = arguments[1:]
    if listed or (first is None and bucketing is Bucketing.V2):
        user = context.get("targetingKey") if isinstance(context, Mapping) else None
        data = _encoded_user(bucketing, key, user)
    else:
        data = encoded(bucketing, first)
    weights = [found for share in shares if (found := weight(share)) is not None]
    bounds = list(accumulate(weights))
    if data is None or len(weights) < len(shares) or not bounds or not 0 < bounds[-1] <= MOST:
        return None
    return shares[bisect_right(bounds, (murmur3(data, 0, False) * bounds[-1]) >> 32)][0]


def weight(share: Any) -> int | None:
    """Return the weight of `[variant]` or `[variant, weight]`, at least 0; None where it is neither."""
    if not isinstance(share, list | tuple) or not 1 <= len(share) <= 2:
        return None
    if len(share) == 1:
        return 1
    given = share[1]
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    return max(0, given) if type(given) is int else None


def encoded(bucketing: Bucketing, value: Any) -> bytes | None:
    """Return the bytes that are hashed of a value, None where it cannot be drawn by."""
    try:
        if isinstance(value, str):
            data = value.encode()
            return data if bucketing is Bucketing.V2 else _cbor_text(data)
    except UnicodeEncodeError:
        return None
    return None if value is None or bucketing is Bucketing.V2 else _cbor(value)


def _encoded_user(bucketing: Bucketing, key: str, user: Any) -> bytes | None:
    if not isinstance(user, str) or not user:
        return None
    end = encoded(bucketing, user)
    return None if end is None else prefix(bucketing, key) + end


def _cbor_text(data: bytes) -> bytes:
    """Write UTF-8 as CBOR does a text (RFC 8949, 3.1, major type 3), in the shortest form."""
    size = len(data)
    if size < 24:
        return bytes((0x60 + size,)) + data
    if size < 2**8:
        return bytes((0x78, size)) + data
    if size < 2**16:
        return b"\x79" + size.to_bytes(2, "big") + data
    return b"\x7a" + size.to_bytes(4, "big") + data


def _cbor(value: Any) -> bytes | None:
    """Write a value by RFC 8949, 4.2.1; numbers without a fraction are integers where 64 bits hold them."""
    import cbor2  # text is nearly all that is drawn by

    try:
        return cbor2.dumps(_plain(value, _DEPTH), canonical=True)
    except (cbor2.CBORError, UnicodeEncodeError, ValueError):
        return None


def _plain(value: Any, depth: int) -> Any:
    """Return a value with its numbers made integers.

    Raises:
        ValueError: it is nested too deeply.
    """
    if not depth:
        raise ValueError("nested too deeply")
    if isinstance(value, Mapping):
        return {key: _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    whole = isinstance(value, float) and value.is_integer() and -(2**63) <= value <= 2**64 - 1
    return int(value) if whole else value
