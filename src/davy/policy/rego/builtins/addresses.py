"""Builtins over addresses of the web and their queries, as Go's `net/url` reads them."""

import re
from typing import NamedTuple

from davy.policy.rego.builtin import Builtin, BuiltinError, refuse, text
from davy.policy.rego.builtins.encoding import octets, readable
from davy.policy.rego.builtins.objects import mapping
from davy.policy.rego.values import Key, RegoSet, Value, json_text, value_of

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_ESCAPED = re.compile(rb"%(?:([0-9a-fA-F]{2})|)")
_SCHEME = re.compile("([a-zA-Z][a-zA-Z0-9+.-]*):")
_USER = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_HOST = re.compile(r"[^\x00-\x20\x7f\\^`{|}%#?/]*")


def query_escape(value: bytes) -> str:
    """Write what may stand in a query."""
    return "".join(chr(one) if one in _UNRESERVED else "+" if one == 32 else f"%{one:02X}" for one in value)


def unescape(value: str) -> str:
    """Take `%41` for `A`.

    Raises:
        BuiltinError: a percent sign stands before something else.
    """

    def replaced(found: re.Match[bytes]) -> bytes:
        if not found[1]:
            raise BuiltinError(f"invalid URL escape in {value!r}")
        return bytes.fromhex(found[1].decode())

    return readable(_ESCAPED.sub(replaced, value.encode("utf-8", "surrogatepass")))


def decode(value: Value) -> str:
    """Read a part of a query."""
    return unescape(text(value, 1).replace("+", " "))


def encode_object(pairs: Value) -> str:
    """Write a query; a key may have several values."""
    found = mapping(pairs, 1)
    parts = []
    for key in sorted(found, key=_name):
        name, value = query_escape(_name(key)), found[key]
        if type(value) is str:
            value = [value]
        elif type(value) not in (list, RegoSet):
            refuse(1, value, "string", "array", "set")
        parts += [f"{name}={query_escape(octets(one, 1))}" for one in value]
    return "&".join(parts)


def _name(key: Key) -> bytes:
    return octets(key if type(key) is str else json_text(value_of(key)), 1)


def decode_object(value: Value) -> dict[str, list[str]]:
    """Read a query; every key has a list of values."""
    made: dict[str, list[str]] = {}
    for part in text(value, 1).split("&"):
        if ";" in part:
            raise BuiltinError("invalid semicolon separator in query")
        if part:
            name, _, found = part.partition("=")
            made.setdefault(decode(name), []).append(decode(found))
    return made


class _Authority(NamedTuple):
    host: str
    port: str


def parse(value: Value) -> dict[str, str]:
    """Take an address apart; what is empty is left out."""
    found = text(value, 1)
    if any(letter < " " or letter == "\x7f" for letter in found):
        raise BuiltinError("net/url: invalid control character in URL")
    rest, _, fragment = found.partition("#")
    scheme, rest = _scheme(rest)
    rest, _, query = rest.partition("?")
    authority, path = _Authority("", ""), rest
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        name, slash, path = rest[2:].partition("/")
        authority, path = _authority(name), slash + path
    elif scheme and not rest.startswith("/"):
        path = ""
    elif not scheme and ":" in rest.partition("/")[0]:
        raise BuiltinError("first path segment in URL cannot contain colon")
    parts = {
        "scheme": scheme.lower(),
        "hostname": authority.host,
        "port": authority.port,
        "path": unescape(path),
        "raw_path": _raw(path),
        "raw_query": query,
        "fragment": unescape(fragment),
    }
    return {name: part for name, part in parts.items() if part}


_PATH = re.compile(rb"[^A-Za-z0-9\-_.~$&+,/:;=@]")


def _raw(path: str) -> str:
    """The path as it is written, unless that is how Go would write it: then as it is meant."""
    plain = unescape(path)
    usual = _PATH.sub(lambda found: b"%%%02X" % found[0][0], plain.encode("utf-8", "surrogatepass"))
    return plain if usual.decode() == path else path


def _scheme(value: str) -> tuple[str, str]:
    found = _SCHEME.match(value)
    if found is not None:
        return found[1], value[found.end() :]
    if value.startswith(":"):
        raise BuiltinError("missing protocol scheme")
    return "", value


def _authority(value: str) -> _Authority:
    user, at, address = value.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise BuiltinError("net/url: invalid userinfo")
    unescape(user)
    if address.startswith("["):
        name, closed, port = address[1:].rpartition("]")
        if not closed:
            raise BuiltinError("missing ']' in host")
        address, zone, rest = name.partition("%25")
        host = f"{address}%{unescape(rest)}" if zone else address
    else:
        host, colon, port = address.partition(":")
        port = colon + port
        if not _HOST.fullmatch(host):
            raise BuiltinError(f"invalid character in host name {host!r}")
    if not re.fullmatch("(?::[0-9]*)?", port):
        raise BuiltinError(f"invalid port {port!r} after host")
    return _Authority(host, port[1:])


def is_valid(value: Value) -> bool:
    """Whether something is an address; an empty text is none."""
    try:
        return bool(text(value, 1)) and parse(value) is not None
    except BuiltinError:
        return False


FAMILY = (
    Builtin("urlquery.encode", 1, lambda value: query_escape(octets(value, 1))),
    Builtin("urlquery.decode", 1, decode),
    Builtin("urlquery.encode_object", 1, encode_object),
    Builtin("urlquery.decode_object", 1, decode_object),
    Builtin("uri.parse", 1, parse),
    Builtin("uri.is_valid", 1, is_valid),
)
