"""URLs as the API server reads them: with a scheme, or from a slash on."""

import re
from dataclasses import dataclass

from davy.policy.cel.errors import CelError
from davy.policy.cel.signature import Library
from davy.policy.cel.values import Opaque

URLS = Library()
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
ESCAPES = re.compile(r"%(?![0-9A-Fa-f]{2})")
PORT = re.compile(r"(?::[0-9]*)?")
HOST = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:[]<>\"%")
PATH = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/[]")
USER = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:~!$&'()*+,;=%@")


@dataclass(frozen=True, slots=True)
class Url(Opaque):
    """A URL in its parts, as they were written."""

    scheme: str
    host: str
    path: str
    query: str
    text: str

    type_name = "kubernetes.URL"


@URLS.define("url", "(string) -> url")
def url(text: str) -> Url:
    """Read a URL."""
    try:
        return _read(text)
    except ValueError as error:
        raise CelError(f'URL parse error during conversion from string: parse "{text}": {error}') from None


def _read(text: str) -> Url:
    if not text:
        raise ValueError("empty url")
    if any(character < " " or character == "\x7f" for character in text):
        raise ValueError("net/url: invalid control character in URL")
    if text == "*":
        return Url("", "", "*", "", text)
    scheme = SCHEME.match(text)
    if text.startswith(":"):
        raise ValueError("missing protocol scheme")
    rest = text[scheme.end() :] if scheme else text
    rest, _, query = rest.partition("?")
    if not scheme and not rest.startswith("/"):
        raise ValueError("invalid URI for request")
    host = ""
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        host, rest = _host(authority), slash + path
    elif scheme and not rest.startswith("/"):
        return Url(scheme[1].lower(), "", "", query, text)
    _check_escapes(rest)
    return Url(scheme[1].lower() if scheme else "", host, rest, query, text)


def _host(authority: str) -> str:
    user, _, host = authority.rpartition("@")
    if not set(user) <= USER:
        raise ValueError("net/url: invalid userinfo")
    _check_escapes(user)
    if host.startswith("["):
        _, bracket, rest = host.rpartition("]")
        if not bracket:
            raise ValueError("missing ']' in host")
    else:
        rest = host[host.rindex(":") :] if ":" in host else ""
    if not PORT.fullmatch(rest):
        raise ValueError(f'invalid port "{rest}" after host')
    for character in host:
        if character not in HOST and character.isascii():
            raise ValueError(f'invalid character "{character}" in host name')
    _check_escapes(host)
    if "%" in host:
        raise ValueError(f'invalid URL escape "{host[host.index("%") :][:3]}"')
    return host


def _check_escapes(text: str) -> None:
    wrong = ESCAPES.search(text)
    if wrong is not None:
        raise ValueError(f'invalid URL escape "{text[wrong.start() : wrong.start() + 3]}"')


@URLS.define("isURL", "(string) -> bool")
def is_url(text: str) -> bool:
    """Say whether a text is a URL."""
    try:
        url(text)
    except CelError:
        return False
    return True


@URLS.define("getScheme", "url.() -> string")
def get_scheme(found: Url) -> str:
    """Return what is before the colon, in small letters."""
    return found.scheme


@URLS.define("getHost", "url.() -> string")
def get_host(found: Url) -> str:
    """Return the host with its port."""
    return found.host


@URLS.define("getHostname", "url.() -> string")
def get_hostname(found: Url) -> str:
    """Return the host without its port, and without brackets."""
    if found.host.startswith("["):
        return found.host[1:].partition("]")[0]
    return found.host.rpartition(":")[0] if ":" in found.host else found.host


@URLS.define("getPort", "url.() -> string")
def get_port(found: Url) -> str:
    """Return the port, nothing if there is none."""
    return found.host.rpartition(":")[2] if ":" in found.host.rpartition("]")[2] else ""


@URLS.define("getEscapedPath", "url.() -> string")
def get_escaped_path(found: Url) -> str:
    """Return the path as it is sent; one that was not written that way is escaped."""
    path = found.path.partition("#")[0]
    if all(character in PATH or character == "%" for character in path):
        return path
    return _escaped(_unescaped(path.encode(errors="replace")))


def _escaped(path: bytes) -> str:
    kept = PATH - frozenset("!'()*[]")
    return "".join([chr(byte) if chr(byte) in kept else f"%{byte:02X}" for byte in path])


def _unescaped(text: bytes) -> bytes:
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes((int(match[1], 16),)), text)


@URLS.define("getQuery", "url.() -> map(string, list(string))")
def get_query(found: Url) -> dict[str, list[str]]:
    """Return the values of each key behind the question mark; what is not well formed is left out."""
    values: dict[str, list[str]] = {}
    for pair in found.query.partition("#")[0].split("&"):
        if pair and ";" not in pair and not ESCAPES.search(pair):
            key, _, value = (_plain(part) for part in pair.partition("="))
            values.setdefault(key, []).append(value)
    return values


def _plain(text: str) -> str:
    return _unescaped(text.replace("+", " ").encode(errors="replace")).decode(errors="replace")
