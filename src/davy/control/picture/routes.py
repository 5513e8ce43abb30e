"""Header and mirror routes in words: which requests they take, and where these go."""

from davy.model.side_route import HeaderRoute, SideRoute
from davy.model.steps import HeaderRoutingMatch, RouteMatch, StringMatch


def described(route: SideRoute) -> str:
    """Say what a route does in one line."""
    if isinstance(route, HeaderRoute):
        return f"{' and '.join(map(_header, route.match))} goes to the canary"
    taken = " or ".join(map(_request, route.match))
    return f"{route.percentage} % of {taken} is copied to the canary"


def _header(match: HeaderRoutingMatch) -> str:
    return f"{match.header_name}{_value(match.header_value)}"


def _request(match: RouteMatch) -> str:
    """Name the requests that a match of a mirror route takes."""
    method = "" if match.method is None else _value(match.method).removeprefix(": ")
    path = "" if match.path is None else _value(match.path).removeprefix(": ")
    headers = " and ".join(f"{name}{_value(value)}" for name, value in match.headers.items())
    request = " ".join(text for text in (method, path) if text) or "requests"
    return f"{request} with {headers}" if headers else request


def _value(match: StringMatch | None) -> str:
    """Write what a text has to be: `: yes`, `: y*` for a prefix, `: ~y.*` for a regular expression."""
    if match is None:
        return ""
    if match.regex:
        return f": ~{match.regex}"
    return f": {match.exact}" if match.exact else f": {match.prefix}*"
