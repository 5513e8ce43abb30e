"""Builtins over networks: `net.cidr_*`."""

import ipaddress
import re
from collections.abc import Iterable
from typing import TypeAlias

from davy.policy.rego.budget import LARGEST_COLLECTION, BudgetExceeded, check_comparisons
from davy.policy.rego.builtin import Builtin, BuiltinError, refuse, text
from davy.policy.rego.values import RegoSet, Value, value_of

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_LENGTH = re.compile("[0-9]{1,3}")


def _network(value: str) -> Network:
    """Read a network as Go's `net.ParseCIDR` does: bits beyond the mask may be set.

    Raises:
        BuiltinError: it is none.
    """
    address, slash, length = value.partition("/")
    if not slash or not _LENGTH.fullmatch(length):
        raise BuiltinError(f"invalid CIDR address: {value}")
    try:
        return _plain(ipaddress.ip_network((_host(address), int(length)), strict=False))
    except ValueError as error:
        raise BuiltinError(f"invalid CIDR address: {value}") from error


def _host(value: str) -> Address:
    if "%" in value:
        raise BuiltinError(f"invalid IP address: {value}")
    try:
        return ipaddress.ip_address(value)
    except ValueError as error:
        raise BuiltinError(f"invalid IP address: {value}") from error


def _plain(network: Network) -> Network:
    """Write `::ffff:10.0.0.0/104` as `10.0.0.0/8`: to Go they are the same."""
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96 and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        assert mapped is not None
        return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
    return network


def _within(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _either(value: str) -> Network:
    return _network(value) if "/" in value else _plain(ipaddress.ip_network(_host(value)))


def contains(network: Value, other: Value) -> bool:
    """Whether a network has another, or an address, in it."""
    outer = _network(text(network, 1))
    return _within(_either(text(other, 2)), outer)


def intersects(left: Value, right: Value) -> bool:
    """Whether two networks share an address."""
    ours, theirs = _network(text(left, 1)), _network(text(right, 2))
    return _within(ours, theirs) or _within(theirs, ours)


def is_valid(value: Value) -> bool:
    """Whether something is a network."""
    try:
        _network(text(value, 1))
    except BuiltinError:
        return False
    return True


def expand(value: Value) -> RegoSet:
    """All the addresses of a network."""
    network = _network(text(value, 1))
    if network.num_addresses > LARGEST_COLLECTION:
        raise BudgetExceeded(f"{network} has more than {LARGEST_COLLECTION} addresses")
    return RegoSet(map(str, network))


def merge(values: Value) -> RegoSet:
    """The fewest networks that hold the same addresses."""
    if type(values) not in (list, RegoSet):
        refuse(1, values, "array", "set")
    given = [text(value, 1) for value in values]
    found = list(map(_classful, given))
    fours = [network for network in found if isinstance(network, ipaddress.IPv4Network)]
    sixes = [network for network in found if isinstance(network, ipaddress.IPv6Network)]
    if any(network.supernet_of(_MAPPED) for network in sixes):
        fours = []
    merged = [*ipaddress.collapse_addresses(fours), *ipaddress.collapse_addresses(sixes)]
    alone = _alone(given, found)
    return RegoSet(map(str, (alone.get(network, network) for network in merged)))


def _alone(given: list[str], found: list[Network]) -> dict[object, str]:
    """Name networks that one bare address stands for: OPA repeats the address where nothing touches them."""
    check_comparisons(len(found) * sum("/" not in written for written in given))
    bare = {
        network: f"{_host(written)}/{network.prefixlen}"
        for written, network in zip(given, found, strict=True)
        if "/" not in written
    }
    return {
        network: written
        for network, written in bare.items()
        if sum(_touch(other, network) for other in found) == 1
    }


def _touch(one: Network, other: Network) -> bool:
    first, last = int(other.network_address), int(other.broadcast_address)
    return (
        one.version == other.version
        and int(one.network_address) <= last + 1
        and first <= int(one.broadcast_address) + 1
    )


def _classful(value: str) -> Network:
    """Read a network; an address without a mask stands for the network of its class, as it does to OPA."""
    if "/" in value:
        return _network(value)
    address = _host(value)
    if not isinstance(address, ipaddress.IPv4Address):
        raise BuiltinError("IPv6 invalid: needs prefix length")
    first = int(address) >> 24
    return ipaddress.IPv4Network((address, 8 if first < 128 else 16 if first < 192 else 24), strict=False)


def contains_matches(networks: Value, others: Value) -> RegoSet:
    """The pairs of keys, places or elements of two collections where the one has the other in it."""
    if any(type(found) in (list, dict, RegoSet) and not len(found) for found in (networks, others)):
        return RegoSet()
    here, there = list(_entries(networks, 1)), list(_entries(others, 2))
    ours = [(key, _network(found)) for key, found in here]
    theirs = [(key, _either(found)) for key, found in there]
    if len(ours) * len(theirs) > LARGEST_COLLECTION:
        raise BudgetExceeded("too many networks to compare them all")
    return RegoSet([one, two] for one, outer in ours for two, inner in theirs if _within(inner, outer))


def _entries(values: Value, position: int) -> Iterable[tuple[Value, str]]:
    match values:
        case str():
            return [(values, values)]
        case list():
            return [(at, _first(found, position)) for at, found in enumerate(values)]
        case RegoSet():
            return [(found, _first(found, position)) for found in values]
        case dict():
            return [(value_of(key), _first(found, position)) for key, found in values.items()]
        case _:
            return refuse(position, values, "string", "array", "set", "object")


def _first(value: Value, position: int) -> str:
    if type(value) is list:
        if not value:
            raise BuiltinError(f"operand {position}: array must have a value")
        return text(value[0], position)
    return text(value, position)


FAMILY = (
    Builtin("net.cidr_contains", 2, contains),
    Builtin("net.cidr_overlap", 2, contains),
    Builtin("net.cidr_intersects", 2, intersects),
    Builtin("net.cidr_is_valid", 1, is_valid),
    Builtin("net.cidr_expand", 1, expand),
    Builtin("net.cidr_merge", 1, merge),
    Builtin("net.cidr_contains_matches", 2, contains_matches),
)
