"""Prometheus' HTTP API as far as a measurement needs it: one question and its answer, or an error."""

import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import urlencode

import msgspec

from davy.adapters.addresses import Addresses
from davy.adapters.http import Response, Unreachable, redacted, request
from davy.analysis.numbers import Numbers
from davy.analysis.provider import ProviderError
from davy.model.providers import PrometheusMetric

MAX_BYTES = 16 << 20
"""The largest answer that is read. A measurement that needs more than this has forgotten its `sum`."""

ANYWHERE = Addresses(everything=True)
"""A Prometheus is often on this machine or behind its firewall; what is asked of it is a query and no more."""

_LONGEST_REASON = 300
_GO_FLOAT = re.compile(r"NaN|[+-]?(Inf|[0-9]+(\.[0-9]*)?(e[+-]?[0-9]+)?)")
_JSON_STATUSES = (200, 400, 422, 503)
_NO_POST = (405, 501)

_Value: TypeAlias = tuple[float, str]
_Held = TypeVar("_Held")


class _Element(msgspec.Struct):
    metric: dict[str, str] = {}
    value: _Value | None = None
    histogram: Any = None


class _Run(msgspec.Struct):
    metric: dict[str, str] = {}
    values: list[_Value] | None = None
    histograms: Any = None


class _Found(msgspec.Struct, rename="camel"):
    result_type: str
    result: msgspec.Raw


class _Envelope(msgspec.Struct, rename="camel"):
    status: str
    data: _Found | None = None
    error_type: str = ""
    error: str = ""
    warnings: list[str] | None = None


class Line(NamedTuple):
    """One series of an answer: its labels, and its samples as (seconds, value)."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]


class Reply(msgspec.Struct, frozen=True):
    """The numbers of an answer, and what the server warned of."""

    numbers: Numbers
    warnings: tuple[str, ...] = ()


def ask(
    metric: PrometheusMetric,
    path: str,
    form: Mapping[str, str],
    *,
    timeout_s: float,
    hide: Callable[[str], str] = str,
) -> Reply:
    """Send a query to `path` below `/api/v1` of the metric's address and read its numbers.

    By POST, so that a long query fits, and by GET where POST is refused, as Prometheus' own client does.

    Raises:
        ProviderError: whatever else happened. No message holds a header or credentials.
    """
    place = redacted(metric.address)
    return read(_sent(metric, path, form, timeout_s), place, hide)


def ask_lines(
    metric: PrometheusMetric, path: str, form: Mapping[str, str], *, timeout_s: float
) -> tuple[Line, ...]:
    """Send a query to `path` and read the series of its answer, with their labels.

    Raises:
        ProviderError: whatever else happened. No message holds a header or credentials.
    """
    place = redacted(metric.address)
    found, _ = _found(_sent(metric, path, form, timeout_s), place, str)
    with _misunderstood(place):
        match found.result_type:
            case "vector":
                elements = _decode(found.result, list[_Element])
                values = [(each.metric, [_number(each.value, each.histogram)]) for each in elements]
            case "matrix":
                runs = _decode(found.result, list[_Run])
                values = [(each.metric, _number(each.values, each.histograms)) for each in runs]
            case _:
                raise ProviderError("the query gives no series, and counters are series")
        return tuple(
            Line(labels, tuple((at, _float((at, text))) for at, text in samples)) for labels, samples in values
        )


def _sent(metric: PrometheusMetric, path: str, form: Mapping[str, str], timeout_s: float) -> Response:
    """Send a query and return what is answered.

    Raises:
        ProviderError: nothing is.
    """
    deadline = time.monotonic() + timeout_s
    url = f"{metric.address.rstrip('/')}/api/v1/{path}"
    place = redacted(metric.address)
    headers = {"Accept": "application/json", **authorization(metric)}
    body = urlencode(form)
    try:
        response = request(
            "POST",
            url,
            headers={**headers, "Content-Type": "application/x-www-form-urlencoded"},
            body=body.encode(),
            timeout_s=timeout_s,
            max_bytes=MAX_BYTES,
            verify=not metric.insecure,
            admit=ANYWHERE.admit,
        )
        if response.status in _NO_POST:
            left = max(deadline - time.monotonic(), 0.0)
            response = request(
                "GET",
                f"{url}?{body}",
                headers=headers,
                timeout_s=left,
                max_bytes=MAX_BYTES,
                verify=not metric.insecure,
                admit=ANYWHERE.admit,
            )
    except Unreachable as error:
        raise ProviderError(error.message, hint=f"is the address right? {place}") from error
    return response


def authorization(metric: PrometheusMetric) -> dict[str, str]:
    """Say who asks: the metric's headers, and its name and password where no header says so already.

    Raises:
        ProviderError: the metric wants a way of signing in that is not supported.
    """
    headers = {header.key: header.value for header in metric.headers}
    authentication = metric.authentication
    if authentication.oauth2.token_url or ("aps-workspaces" in metric.address and authentication.sigv4.region):
        raise ProviderError(
            "signing in to Prometheus with oauth2 or sigv4 is not supported",
            hint="use basicAuth or a header, or a proxy that signs in",
        )
    basic = authentication.basic_auth
    if (basic.username or basic.password) and not any(name.lower() == "authorization" for name in headers):
        token = b64encode(f"{basic.username}:{basic.password}".encode()).decode()
        headers["Authorization"] = f"Basic {token}"
    return headers


def read(response: Response, place: str, hide: Callable[[str], str] = str) -> Reply:
    """Read an answer of the API; `place` names the server, `hide` takes secrets out of what it says.

    Raises:
        ProviderError: it is an error, or nothing that Prometheus' documentation describes.
    """
    found, warnings = _found(response, place, hide)
    with _misunderstood(place):
        return Reply(_numbers(found), warnings)


def _found(response: Response, place: str, hide: Callable[[str], str]) -> tuple[_Found, tuple[str, ...]]:
    """Return what was found, as it was sent, and what the server warned of."""
    if response.status not in _JSON_STATUSES or response.media_type != "application/json":
        raise _refusal(response, place)
    with _misunderstood(place):
        envelope = msgspec.json.decode(response.body, type=_Envelope)
    if envelope.status == "error":
        kind, reason = _line(hide(envelope.error_type)), _line(hide(envelope.error))
        raise ProviderError(f"{place} could not answer the query: {kind}: {reason}")
    if envelope.status == "success" and envelope.data is not None and response.status == 200:
        return envelope.data, tuple(_line(hide(warning)) for warning in envelope.warnings or ())
    raise ProviderError(f"what {place} answered is neither a result nor an error")


@contextmanager
def _misunderstood(place: str) -> Iterator[None]:
    """Say of whatever cannot be read that Prometheus does not answer so."""
    try:
        yield
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ProviderError(f"what {place} answered is not what Prometheus answers") from error


def _refusal(response: Response, place: str) -> ProviderError:
    """Name a status or a content type that no query is answered with."""
    status = response.status
    if status in (401, 403):
        return ProviderError(
            f"{place} does not let us in (status {status})",
            hint="give the metric's headers or authentication.basicAuth",
        )
    if status == 429:
        return ProviderError(f"{place} is asked too often (status 429)", hint="lengthen the metric's interval")
    if 300 <= status < 400:
        return ProviderError(
            f"{place} sends us elsewhere (status {status})", hint="write the address that it redirects to"
        )
    if status == 200:
        kind = response.media_type[:80] or "nothing in particular"
        return ProviderError(f"{place} answers with {kind} and not with JSON", hint="is that Prometheus?")
    return ProviderError(f"{place} answers with status {status}")


def _numbers(found: _Found) -> Numbers:
    match found.result_type:
        case "scalar":
            return _float(_decode(found.result, _Value))
        case "vector":
            elements = _decode(found.result, list[_Element])
            return tuple(_float(_number(element.value, element.histogram)) for element in elements)
        case "matrix":
            runs = _decode(found.result, list[_Run])
            return tuple(_float(value) for run in runs for value in _number(run.values, run.histograms))
        case "string":
            raise ProviderError("the query gives a text, and a measurement needs numbers")
        case _:
            raise ValueError("no such type of result")


def _number(value: _Held | None, histogram: object) -> _Held:
    """Take the numbers of an element; none are taken where native histograms stand instead or beside them."""
    if histogram is not None:
        raise ProviderError(
            "the query gives native histograms, and a measurement needs numbers",
            hint="take a number out of them, with histogram_quantile(), histogram_avg() or histogram_count()",
        )
    if value is None:
        raise ValueError("an element without a value")
    return value


def _decode(raw: msgspec.Raw, kind: Any) -> Any:
    return msgspec.json.decode(raw, type=kind)


def _float(value: _Value) -> float:
    text = value[1]
    if not _GO_FLOAT.fullmatch(text):
        raise ValueError("not a number as Go writes it")
    return float(text)


def _line(text: str) -> str:
    """Keep what a server says to one line of bearable length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"
