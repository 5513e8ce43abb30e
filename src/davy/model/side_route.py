"""Routes beside the split: requests that are sent, or copied, to one revision whatever its weight is.

Steps of a canary make them (`setHeaderRoute`, `setMirrorRoute`); where two match a request, the first counts.
"""

import msgspec

from davy.model.steps import HeaderRoutingMatch, RouteMatch


class HeaderRoute(msgspec.Struct, frozen=True, tag=True):
    """Requests with all of these headers go to the revision `hash`; their senders are users like any other."""

    name: str
    match: tuple[HeaderRoutingMatch, ...]
    hash: str


class MirrorRoute(msgspec.Struct, frozen=True, tag=True):
    """A share of the requests that fit any of `match` is copied to the revision `hash`.

    The sender gets the answer that the split gives; the answer to the copy is thrown away, so that nobody is
    exposed to that revision by it. `percentage` is of those that fit.
    """

    name: str
    match: tuple[RouteMatch, ...]
    percentage: int
    hash: str


SideRoute = HeaderRoute | MirrorRoute
