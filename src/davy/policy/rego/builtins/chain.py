"""Whether certificates are a chain: RFC 5280 as Go's `x509.Verify` takes it, with the first for a root.

Constraints on names are not weighed: a certificate of an authority that has some does not hold here.
"""

import ipaddress
from dataclasses import dataclass
from typing import Any

from davy.policy.rego.builtin import BuiltinError, refuse, text, whole
from davy.policy.rego.builtins.certificate_fields import HANDLED, PURPOSES, extensions, names, purposes, uses
from davy.policy.rego.builtins.objects import mapping
from davy.policy.rego.values import RegoSet, Value, value_of

_ANY, _SERVER, _SIGNS = 0, 1, 1 << 5
_NAMED = {
    f"KeyUsage{name}": number
    for number, name in enumerate(
        (
            "Any",
            "ServerAuth",
            "ClientAuth",
            "CodeSigning",
            "EmailProtection",
            "IPSECEndSystem",
            "IPSECTunnel",
            "IPSECUser",
            "TimeStamping",
            "OCSPSigning",
            "MicrosoftServerGatedCrypto",
            "NetscapeServerGatedCrypto",
            "MicrosoftCommercialCodeSigning",
            "MicrosoftKernelCodeSigning",
        )
    )
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a chain has to hold for: a name, a time, one of some purposes."""

    now_ns: int
    name: str = ""
    purposes: tuple[int, ...] = (_SERVER,)


def wanted(options: Value, now_ns: int) -> Wanted:
    """Read the options of `crypto.x509.parse_and_verify_certificates_with_options`."""
    name = ""
    asked: tuple[int, ...] = (_SERVER,)
    for key, value in mapping(options, 2).items():
        match value_of(key):
            case "DNSName":
                name = text(value, 2)
            case "CurrentTime":
                now_ns = whole(value, 2)
            case "MaxConstraintComparisons":
                whole(value, 2)
            case "KeyUsages":
                if type(value) is not list and type(value) is not RegoSet:
                    refuse(2, value, "array", "set")
                if any(_NAMED.get(text(one, 2)) is None for one in value):
                    raise BuiltinError("invalid extKeyUsage")
                asked = tuple(_NAMED[one] for one in value) or asked
            case other:
                raise BuiltinError(f"invalid key option {other!r}")
    return Wanted(now_ns, name, asked)


def chain(found: list[Any], asked: Wanted) -> list[Any]:
    """Give the chain from the last certificate to the first, nothing where there is none."""
    if len(found) < 2:
        return []
    root, *between, leaf = found
    if not (_holds(leaf, asked) and _named(leaf, asked.name)):
        return []
    made = _upwards([leaf], between, root, asked)
    return made if made and _serves(made, asked.purposes) else []


def _upwards(made: list[Any], between: list[Any], root: Any, asked: Wanted) -> list[Any]:
    """Go up from a certificate to the root; each of those between is gone through once at most."""
    if _issued(root, made, asked):
        return [*made, root]
    for one in list(between):
        if one in between and _issued(one, made, asked):
            between.remove(one)
            if rest := _upwards([*made, one], between, root, asked):
                return rest
    return []


def _issued(authority: Any, made: list[Any], asked: Wanted) -> bool:
    """Whether a certificate may sign, and has signed the last one."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    own = extensions(authority)
    basic = own["2.5.29.19"].value if "2.5.29.19" in own else None
    if basic is None or not basic.ca or not _holds(authority, asked) or "2.5.29.30" in own:
        return False
    if "2.5.29.15" in own and not uses(own) & _SIGNS:
        return False
    if basic.path_length is not None and len(made) - 1 > basic.path_length:
        return False
    try:
        made[-1].verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _holds(one: Any, asked: Wanted) -> bool:
    """Whether a certificate is of this time, and asks for nothing that is unknown."""
    now = asked.now_ns // 10**9
    if not one.not_valid_before_utc.timestamp() <= now <= one.not_valid_after_utc.timestamp():
        return False
    return not any(found.critical and name not in HANDLED for name, found in extensions(one).items())


def _serves(made: list[Any], asked: tuple[int, ...]) -> bool:
    """Whether every certificate that says what it is for says one of the purposes."""
    if _ANY in asked:
        return True
    left = set(asked)
    for one in made:
        said = purposes(extensions(one))
        if said and not any(PURPOSES.get(name) == _ANY for name in said):
            left &= {PURPOSES.get(name, -1) for name in said}
    return bool(left)


def _named(leaf: Any, name: str) -> bool:
    """Whether a certificate is for a name or an address; `*` stands for one label."""
    if not name:
        return True
    found = extensions(leaf)
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")) in names(found, "IPAddress")
    except ValueError:
        pass
    labels = name.lower().removesuffix(".").split(".")
    return any(_matches(one.lower().removesuffix(".").split("."), labels) for one in names(found, "DNSName"))


def _matches(pattern: list[str], labels: list[str]) -> bool:
    if len(pattern) != len(labels) or not all(labels):
        return False
    return (pattern[0] == "*" or pattern[0] == labels[0]) and pattern[1:] == labels[1:]
