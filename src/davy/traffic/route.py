"""What is to be routed, in no dialect: a rollout, the port its users call, the share of each revision."""

import msgspec

from davy.model.key import Key
from davy.model.side_route import SideRoute


class Endpoint(msgspec.Struct, frozen=True, order=True):
    """A place on the loopback interface where one replica answers."""

    port: int


class Route(msgspec.Struct, frozen=True):
    """How the traffic of one rollout is split.

    `weights` maps the hash of a revision to its weight; the weights are relative. Nothing above zero means
    that nobody answers: users are told so with a 503 rather than left to wait. `side_routes` are tried before
    the split, in their order.
    """

    key: Key
    weights: dict[str, int]
    side_routes: tuple[SideRoute, ...] = ()


class ServiceRoute(msgspec.Struct, frozen=True):
    """A service of a rollout that leads to one of its revisions alone, whoever that one's users are."""

    key: Key
    service: str
    hash: str
