"""IP addresses and networks, as the API server reads them: no zones, no IPv4 written as IPv6."""

import ipaddress
from dataclasses import dataclass

from davy.policy.cel.errors import CelError
from davy.policy.cel.signature import Library
from davy.policy.cel.values import Opaque

NETWORKS = Library()
LOCAL_GROUPS = ipaddress.ip_network("224.0.0.0/24")


@dataclass(frozen=True, slots=True)
class Address(Opaque):
    """An IP address."""

    value: ipaddress.IPv4Address | ipaddress.IPv6Address

    type_name = "net.IP"


@dataclass(frozen=True, slots=True)
class Network(Opaque):
    """An address and how many of its bits are those of a network."""

    value: ipaddress.IPv4Interface | ipaddress.IPv6Interface

    type_name = "net.CIDR"


@NETWORKS.define("ip", "(string) -> ip")
def ip(text: str) -> Address:
    """Read an address."""
    said = f'IP Address "{text}" parse error during conversion from string: '
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise CelError(f'{said}ParseAddr("{text}"): unable to parse IP') from None
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id is not None:
            raise CelError(f"{said}IP address with zone value is not allowed")
        if found.ipv4_mapped is not None:
            raise CelError(f"{said}IPv4-mapped IPv6 address is not allowed")
    return Address(found)


@NETWORKS.define("isIP", "(string) -> bool")
def is_ip(text: str) -> bool:
    """Say whether a text is an address."""
    try:
        ip(text)
    except CelError:
        return False
    return True


@NETWORKS.define("cidr", "(string) -> cidr")
def cidr(text: str) -> Network:
    """Read a network; bits behind the prefix stay as they are."""
    address, slash, length = text.partition("/")
    said = "network address parse error during conversion from string: "
    if not slash:
        raise CelError(f"{said}{said}netip.ParsePrefix(\"{text}\"): no '/'")
    try:
        found = ip(address).value
    except CelError:
        raise CelError(f'{said}{said}netip.ParsePrefix("{text}"): unable to parse IP') from None
    bits = int(length) if length.isascii() and length.isdigit() and len(length) < 4 else -1
    if str(bits) != length or bits > found.max_prefixlen:
        raise CelError(f'{said}{said}netip.ParsePrefix("{text}"): bad bits after slash: "{length}"')
    return Network(ipaddress.ip_interface((found, bits)))


@NETWORKS.define("isCIDR", "(string) -> bool")
def is_cidr(text: str) -> bool:
    """Say whether a text is a network."""
    try:
        cidr(text)
    except CelError:
        return False
    return True


@NETWORKS.define("ip.isCanonical", "(string) -> bool")
def is_canonical(text: str) -> bool:
    """Say whether an address is written in the shortest way."""
    return str(ip(text).value) == text


@NETWORKS.define("family", "ip.() -> int")
def family(address: Address) -> int:
    """Return 4 or 6."""
    return address.value.version


@NETWORKS.define("isUnspecified", "ip.() -> bool")
def is_unspecified(address: Address) -> bool:
    """Say whether it is the address of nobody."""
    return address.value.is_unspecified


@NETWORKS.define("isLoopback", "ip.() -> bool")
def is_loopback(address: Address) -> bool:
    """Say whether it never leaves the machine."""
    return address.value.is_loopback


@NETWORKS.define("isLinkLocalMulticast", "ip.() -> bool")
def is_link_local_multicast(address: Address) -> bool:
    """Say whether it is a group of one link."""
    if isinstance(address.value, ipaddress.IPv6Address):
        packed = address.value.packed
        return packed[0] == 0xFF and packed[1] & 0x0F == 0x02
    return address.value in LOCAL_GROUPS


@NETWORKS.define("isLinkLocalUnicast", "ip.() -> bool")
def is_link_local_unicast(address: Address) -> bool:
    """Say whether it is an address of one link."""
    return address.value.is_link_local


@NETWORKS.define("isGlobalUnicast", "ip.() -> bool")
def is_global_unicast(address: Address) -> bool:
    """Say whether it is neither a group nor special; private networks are global here."""
    value = address.value
    special = value.is_unspecified or value.is_loopback or value.is_multicast or value.is_link_local
    return not special and str(value) != "255.255.255.255"


@NETWORKS.define("string", "(ip) -> string", "(cidr) -> string")
def string(found: Address | Network) -> str:
    """Write an address or a network."""
    return str(found.value)


@NETWORKS.define("containsIP", "cidr.(ip) -> bool")
def contains_ip(network: Network, address: Address) -> bool:
    """Say whether an address is in a network."""
    return address.value in network.value.network


@NETWORKS.define("containsIP", "cidr.(string) -> bool")
def contains_ip_text(network: Network, text: str) -> bool:
    """Say whether an address is in a network."""
    return contains_ip(network, ip(text))


@NETWORKS.define("containsCIDR", "cidr.(cidr) -> bool")
def contains_cidr(network: Network, other: Network) -> bool:
    """Say whether all addresses of a network are in another."""
    outer, inner = network.value.network, other.value.network
    return inner.prefixlen >= outer.prefixlen and inner.network_address in outer


@NETWORKS.define("containsCIDR", "cidr.(string) -> bool")
def contains_cidr_text(network: Network, text: str) -> bool:
    """Say whether all addresses of a network are in another."""
    return contains_cidr(network, cidr(text))


@NETWORKS.define("ip", "cidr.() -> ip")
def ip_of(network: Network) -> Address:
    """Return the address before the slash."""
    return Address(network.value.ip)


@NETWORKS.define("masked", "cidr.() -> cidr")
def masked(network: Network) -> Network:
    """Return the network without the bits behind its prefix."""
    return Network(ipaddress.ip_interface(str(network.value.network)))


@NETWORKS.define("prefixLength", "cidr.() -> int")
def prefix_length(network: Network) -> int:
    """Return how many bits are those of the network."""
    return network.value.network.prefixlen
