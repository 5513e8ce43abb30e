"""Hashes and message codes over texts, and UUIDs."""

import re
from collections.abc import Callable
from hashlib import md5, sha1, sha256
from hmac import compare_digest, digest
from typing import Any

from davy.policy.rego.builtin import Builtin, BuiltinError, Context, text
from davy.policy.rego.builtins.encoding import octets
from davy.policy.rego.values import Value

_UUID = re.compile(r"(?:[uU][rR][nN]:[uU][uU][iI][dD]:)?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")
_BARE = re.compile(r".([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}).|([0-9a-fA-F]{32})")
_DOMAINS = {0: "Person", 1: "Group", 2: "Org"}
_BEFORE_1970 = 0x01B21DD213814000


def _hash(algorithm: Callable[..., Any]) -> Callable[[Value], str]:
    return lambda value: str(algorithm(octets(value, 1), usedforsecurity=False).hexdigest())


def _code(algorithm: str) -> Callable[[Value, Value], str]:
    return lambda message, key: digest(octets(key, 2), octets(message, 1), algorithm).hex()


def same(left: Value, right: Value) -> bool:
    """Compare two codes without telling by the time where they differ."""
    return compare_digest(octets(left, 1), octets(right, 2))


def rfc4122(context: Context, name: Value) -> str:
    """A UUID (version 4) that looks random: the same for the same name all through an evaluation."""
    found = int.from_bytes(
        sha256(f"{context.seed}/{text(name, 1)}".encode("utf-8", "surrogatepass")).digest()[:16], "big"
    )
    found = found & ~(0xF << 76) & ~(0x3 << 62) | 0x4 << 76 | 0x2 << 62
    digits = f"{found:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def parse(value: Value) -> dict[str, Value]:
    """Take a UUID apart: its version and variant, and of versions 1 and 2 time and place."""
    written = text(value, 1)
    found = _UUID.fullmatch(written) or _BARE.fullmatch(written)
    if found is None:
        raise BuiltinError("invalid UUID")
    bits = int(next(filter(None, found.groups())).replace("-", ""), 16)
    version, made = bits >> 76 & 0xF, {"variant": _variant(bits >> 56 & 0xFF)}
    parts: dict[str, Value] = {**made, "version": version}
    if version in (1, 2):
        parts |= _timed(bits)
    if version == 2:
        parts |= {"domain": _DOMAINS.get(bits >> 48 & 0xFF, f"Domain{bits >> 48 & 0xFF}"), "id": bits >> 96}
    return parts


def _variant(octet: int) -> str:
    if octet & 0xC0 == 0x80:
        return "RFC4122"
    if octet & 0xE0 == 0xC0:
        return "Microsoft"
    return "Future" if octet & 0xE0 == 0xE0 else "Reserved"


def _timed(bits: int) -> dict[str, Value]:
    count = (bits >> 64 & 0xFFF) << 48 | (bits >> 80 & 0xFFFF) << 32 | bits >> 96
    node = f"{bits & 2**48 - 1:012x}"
    first = int(node[:2], 16)
    scope, cast = "local" if first & 2 else "global", "multicast" if first & 1 else "unicast"
    return {
        "time": (count - _BEFORE_1970) * 100,
        "nodeid": "-".join(node[place : place + 2] for place in range(0, 12, 2)),
        "macvariables": f"{scope}:{cast}",
        "clocksequence": bits >> 48 & 0x3FFF,
    }


FAMILY = (
    Builtin("crypto.md5", 1, _hash(md5)),
    Builtin("crypto.sha1", 1, _hash(sha1)),
    Builtin("crypto.sha256", 1, _hash(sha256)),
    Builtin("crypto.hmac.md5", 2, _code("md5")),
    Builtin("crypto.hmac.sha1", 2, _code("sha1")),
    Builtin("crypto.hmac.sha256", 2, _code("sha256")),
    Builtin("crypto.hmac.sha512", 2, _code("sha512")),
    Builtin("crypto.hmac.equal", 2, same),
    Builtin("uuid.parse", 1, parse),
    Builtin("uuid.rfc4122", 1, rfc4122, contextual=True),
)
