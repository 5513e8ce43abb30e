"""Which addresses a manifest may have this machine ask.

Whoever writes a template chooses a URL, and this machine reaches more than they do: the metadata service of its
cloud, administration pages on its loopback interface, the network behind its firewall. So a host is asked where
the person who runs Davy allowed it, and the addresses that were checked are those that are connected to.
"""

import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from davy.analysis.provider import ProviderError

FILE = "allowed-addresses"
"""The file of the state directory that allows addresses, one a line."""

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192")
) | {ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("fd20:ce::254")}
"""Where clouds tell a machine its own credentials."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", re.ASCII)


class BadEntry(Exception):
    """A line of the allow-list that cannot be read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an allow-list: a host or a network, and the port if only one is meant."""

    host: str = ""
    network: _Network | None = None
    port: int | None = None

    @classmethod
    def read(cls, text: str) -> "Entry":
        """Read `HOST`, `HOST:PORT`, `10.0.0.0/8`, `127.0.0.1:8080` or `[::1]:8080`.

        Raises:
            BadEntry: it is none of them.
        """
        host, port = _split(text.strip())
        try:
            return cls(network=ipaddress.ip_network(host), port=port)
        except ValueError:
            name = host.lower().rstrip(".")
            if "/" in host or not _NAME.fullmatch(name) or name.rpartition(".")[2].isdigit():
                raise BadEntry(f"{text!r} is neither a host nor a network") from None
        return cls(host=name, port=port)

    def covers(self, host: str, port: int, address: _Address) -> bool:
        """Say whether it allows an address of a host: a name its public ones, a network whatever is in it."""
        if self.port not in (None, port):
            return False
        if self.network is not None:
            return address.version == self.network.version and address in self.network
        return host == self.host and address.is_global


class Addresses:
    """Decides what may be asked.

    Args:
        file: the allow-list, read anew each time, so that a line helps at once; None for none.
        vendors: entries that always hold.
        everything: whether all addresses are allowed but those that never are.
    """

    def __init__(
        self, file: Path | None = None, *, vendors: Iterable[str] = (), everything: bool = False
    ) -> None:
        self._file = file
        self._vendors = tuple(Entry.read(text) for text in vendors)
        self._everything = everything

    def with_vendors(self, vendors: Iterable[str]) -> "Addresses":
        """Return the same list with the hosts of a vendor on it."""
        return Addresses(self._file, vendors=vendors, everything=self._everything)

    def admit(self, host: str, port: int, found: Sequence[str]) -> None:
        """Let a host be asked whose addresses are these, or raise.

        Raises:
            ProviderError: one of them is never asked, or is not on the list; the message has the line to add.
        """
        name = host.lower().rstrip(".")
        addresses = [embedded(ipaddress.ip_address(text.partition("%")[0])) for text in found]
        for address in addresses:
            if reason := never(address):
                raise ProviderError(f"{host} is not asked: {address} is {reason}")
        if self._everything:
            return
        entries = (*self._vendors, *self._entries())
        for address in addresses:
            if not any(entry.covers(name, port, address) for entry in entries):
                raise _refusal(name, port, address)

    def _entries(self) -> Collection[Entry]:
        if self._file is None:
            return ()
        try:
            return read_entries(self._file.read_text())
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise ProviderError(f"the list {FILE} in the state directory cannot be read: {error}") from error
        except BadEntry as error:
            raise ProviderError(f"the list {FILE} in the state directory: {error}") from error


def read_entries(text: str) -> tuple[Entry, ...]:
    """Read an allow-list; what follows a `#` is a comment.

    Raises:
        BadEntry: a line cannot be read, and what it was to allow is not known.
    """
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(Entry.read(line) for line in lines if line)


def embedded(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 address leads to, where it is one of those."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address.teredo is not None:
            return address.teredo[1]
        if address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1):
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def never(address: _Address) -> str:
    """Say why an address is not asked whoever allows it; nothing where it may be."""
    kinds: dict[str, Callable[[], bool]] = {
        "where a cloud tells its machines their credentials": lambda: address in _METADATA,
        "a link-local address": lambda: address.is_link_local,
        "a multicast address": lambda: address.is_multicast,
        "no address of anybody": lambda: address.is_unspecified or address in _THIS_NETWORK,
        "a reserved address": lambda: address.is_reserved and not address.is_loopback,
    }
    return next((words for words, holds in kinds.items() if holds()), "")


_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")


def _refusal(host: str, port: int, address: _Address) -> ProviderError:
    """Say which line allows it."""
    if address.is_global:
        line, what = f"{host}:{port}", f"{host}:{port}"
    else:
        shown = f"[{address}]" if address.version == 6 else str(address)
        line, what = f"{shown}:{port}", f"{host}:{port} ({address}, which is no public address)"
    hint = f"whoever runs Davy can add the line {line} to {FILE} in the state directory"
    return ProviderError(f"{what} is not on the list of addresses that may be asked: {hint}", hint=hint)


def _split(text: str) -> tuple[str, int | None]:
    """Split a port off, if there is one.

    Raises:
        BadEntry: what is there is no port.
    """
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise BadEntry(f"{text!r} is neither a host nor a network")
        port = rest[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        return text, None
    if not port:
        return host, None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise BadEntry(f"{text!r} has no port between 1 and 65535")
    return host, int(port)
