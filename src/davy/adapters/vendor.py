"""Asking a server of somebody else: where questions may go, what may be said of the answer, and nothing else.

Everything that an error quotes goes through `Asking.hide` before it is shortened, since a server may echo the
key that it was sent.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from davy.adapters.addresses import Addresses
from davy.adapters.http import Response, Unreachable, redacted, request
from davy.analysis.numbers import print_float
from davy.analysis.provider import Asking, ProviderError
from davy.model.duration import BadDuration, parse_duration
from davy.model.providers import MetricProvider

MAX_BYTES = 4 << 20
"""The largest answer that is read."""

_LONGEST_REASON = 300
_Config = TypeVar("_Config")


@dataclass(frozen=True, slots=True)
class Server:
    """A server, and how it is asked.

    Args:
        addresses: decides whether it may be asked.
        asking: the measurement that it is asked for.
        credentials: names for a person what is sent to sign in, never what it is.
        verify: whether its certificate has to be good.
    """

    addresses: Addresses
    asking: Asking
    credentials: str = "the metric's headers"
    verify: bool = True

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout_s: float,
    ) -> Response:
        """Ask once; whatever status comes is returned.

        Raises:
            ProviderError: it may not be asked, or gave no answer.
        """
        refuse_tricks(url)
        try:
            return request(
                method,
                url,
                headers=headers,
                body=body,
                timeout_s=timeout_s,
                max_bytes=MAX_BYTES,
                verify=self.verify,
                admit=self.addresses.admit,
            )
        except Unreachable as error:
            raise ProviderError(self.asking.hide(error.message), hint=error.hint) from None

    def ask_json(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: object = None,
        timeout_s: float,
    ) -> Any:
        """Ask once for JSON; numbers are floats, as Go reads them.

        Raises:
            ProviderError: it may not be asked, refuses, or answers with something else.
        """
        sent = {"Accept": "application/json", **headers}
        encoded = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            encoded = json.dumps(body).encode()
        response = self.ask(method, url, headers=sent, body=encoded, timeout_s=timeout_s)
        if not 200 <= response.status < 300:
            raise self.refusal(response, url)
        try:
            return read_json(response.body)
        except ValueError:
            raise ProviderError(f"what {self.place(url)} answered is not JSON") from None

    def refusal(self, response: Response, url: str) -> ProviderError:
        """Name a status that no question is answered with."""
        status, place = response.status, self.place(url)
        words = f"received non 2xx response code: {status}"
        if status in (401, 403):
            return ProviderError(f"{place} does not let us in ({words}): look at {self.credentials}")
        if status == 429:
            wait = self.quote(response.headers.get("retry-after", ""), 40)
            later = f", and wants to be asked again after {wait}" if wait else ""
            return ProviderError(
                f"{place} is asked too often ({words}){later}", hint="lengthen the metric's interval"
            )
        if 300 <= status < 400:
            return ProviderError(f"{place} sends us elsewhere ({words}), and redirects are not followed")
        reason = self.quote(response.body[:65536].decode("utf-8", "replace"))
        return ProviderError(f"{place}: {words}{f': {reason}' if reason else ''}")

    def place(self, url: str) -> str:
        """Name a URL for a person."""
        return self.asking.hide(redacted(url))

    def quote(self, text: str, longest: int = _LONGEST_REASON) -> str:
        """Keep what a server says to one line of bearable length, without secrets."""
        hidden = self.asking.hide(text)
        line = " ".join("".join(c if c.isprintable() else " " for c in hidden).split())
        return line if len(line) <= longest else f"{line[:longest]}…"


def refuse_tricks(url: str) -> None:
    """Refuse what readers of URLs disagree on, and what looks like another host than it is.

    Raises:
        ProviderError: there is a user in it, a backslash, a blank or an unprintable character.
    """
    authority = url.partition("://")[2].partition("/")[0].partition("?")[0].partition("#")[0]
    if "@" in authority:
        raise ProviderError(f"{redacted(url)!r} has a user in it: sign in with a header")
    if "\\" in url or any(c.isspace() or not c.isprintable() for c in url):
        raise ProviderError("the URL holds a backslash, a blank or a character that cannot be printed")


def seconds(text: str, default_s: float, what: str) -> float:
    """Read a duration of a metric.

    Raises:
        ProviderError: it cannot be read, or there is no time in it.
    """
    try:
        found = parse_duration(text) if text else default_s
    except BadDuration as error:
        raise ProviderError(f"the {what} of the metric cannot be read: {error}") from error
    if found <= 0:
        raise ProviderError(f"the {what} of the metric has to be longer than nothing")
    return found


def read_json(body: bytes) -> Any:
    """Read JSON as Go does: every number is a float; NaN, infinities and numbers too large are none.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return json.loads(body.decode(), parse_int=_float, parse_float=_float, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("too deep") from None


def print_json(value: Any) -> str:
    """Write JSON as Go's `json.Marshal`: keys in order, no blanks, `<`, `>` and `&` escaped."""
    match value:
        case dict():
            return "{" + ",".join(f"{print_json(key)}:{print_json(value[key])}" for key in sorted(value)) + "}"
        case list():
            return "[" + ",".join(map(print_json, value)) + "]"
        case str():
            text = json.dumps(value, ensure_ascii=False)
            for character in "<>&\u2028\u2029":
                text = text.replace(character, f"\\u{ord(character):04x}")
            return text
        case float():
            return _print_number(value)
        case _:
            return json.dumps(value)


def _print_number(number: float) -> str:
    """Write a number as `encoding/json`: with an exponent from 1e21 on and below 1e-6."""
    if number and not 1e-6 <= abs(number) < 1e21:
        return repr(number).replace("e-0", "e-")
    return print_float(number)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("too large for a number")
    return number


def _refuse(_: str) -> float:
    raise ValueError("no number of JSON")


def refuse_other_speeds(speed: float, who: str) -> None:
    """Refuse to look for minutes of our clock where minutes are longer.

    Raises:
        ProviderError: the clock of the engine does not run as everybody's does.
    """
    if speed != 1.0:
        raise ProviderError(f"the engine's clock runs at speed {speed:g}, and {who} lives at 1")


def address_of(asking: Asking, name: str, namespace: str, default: str) -> str:
    """Read the address of a vendor from the Secret that signs in there, or take the vendor's own.

    Whoever writes the Secret may say where its keys go. Whoever writes the manifest may not.
    """
    return (asking.plain(name, "address", namespace=namespace).strip() or default).rstrip("/")


def config_of(provider: MetricProvider, name: str, kind: type[_Config]) -> _Config:
    """Read what stands below a plug-in's name.

    Raises:
        ProviderError: it is for somebody else, or makes no sense.
    """
    if name not in provider.plugin:
        raise ProviderError(f"this metric does not ask {name}")
    try:
        return msgspec.convert(provider.plugin[name], kind)
    except msgspec.ValidationError as error:
        raise ProviderError(f"the metric's {name} cannot be read: {error}") from None
