"""Which requests a rule is about, in the words of Envoy's `RouteMatch`.

A text is matched as Istio matches it: exactly, by its beginning, or by an expression of RE2 that has to fit all
of it. A header whose value is not said has to be there. A path is matched without its query.
"""

from collections.abc import Iterable

from davy.model.steps import HeaderRoutingMatch, RouteMatch, StringMatch
from davy.traffic.document import Document


def header_rule(match: Iterable[HeaderRoutingMatch]) -> Document:
    """Fit requests that have all of these headers."""
    return {"prefix": "/", "headers": [_header(each.header_name, each.header_value) for each in match]}


def request_rule(match: RouteMatch) -> Document:
    """Fit requests by all that is said of their method, path and headers."""
    headers = [_header(name, match.headers[name]) for name in sorted(match.headers)]
    if match.method is not None and match.method != StringMatch():
        headers.insert(0, _header(":method", match.method))
    return {**_path(match.path), "headers": headers}


def _header(name: str, value: StringMatch | None) -> Document:
    if value is None or value == StringMatch():
        return {"name": name, "present_match": True}
    return {"name": name, "string_match": _text(value)}


def _path(path: StringMatch | None) -> Document:
    if path is None or path == StringMatch():
        return {"prefix": "/"}
    if path.regex:
        return {"safe_regex": {"regex": path.regex}}
    return {"path": path.exact} if path.exact else {"prefix": path.prefix}


def _text(value: StringMatch) -> Document:
    if value.regex:
        return {"safe_regex": {"regex": value.regex}}
    return {"exact": value.exact} if value.exact else {"prefix": value.prefix}
