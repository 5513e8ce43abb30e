"""What is to be routed, in no dialect: a rollout, the port its users call, the share of each revision."""

import msgspec

from davy.model.key import Key


class Endpoint(msgspec.Struct, frozen=True, order=True):
    """A place on the loopback interface where one replica answers."""

    port: int


class Route(msgspec.Struct, frozen=True):
    """How the traffic of one rollout is split.

    `weights` maps the hash of a revision to its weight; the weights are relative. Nothing above zero means
    that nobody answers: users are told so with a 503 rather than left to wait.
    """

    key: Key
    weights: dict[str, int]
