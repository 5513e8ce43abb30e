"""All of it, in the order in which a cluster can take it: the webhook comes last, once somebody answers."""

from typing import Any

from davy.control.webhook.backstop import backstop
from davy.control.webhook.configuration import configuration
from davy.control.webhook.deployment import deployment
from davy.control.webhook.place import Governed, Place
from davy.control.webhook.roles import roles
from davy.control.webhook.waivers import definition

__all__ = ["Governed", "Place", "documents"]


def documents(governed: Governed, place: Place, *, with_backstop: bool = True) -> list[dict[str, Any]]:
    """Write what a cluster needs in order to ask Davy before anything is changed.

    Args:
        governed: what is governed, and by whom it is carried out.
        place: where Davy answers; without an image in it Davy runs elsewhere.
        with_backstop: whether the API server itself denies promotions, too, which no waiver excuses.
    """
    return [
        definition(place),
        *(deployment(governed, place) if place.image else ()),
        *roles(governed, place),
        *(backstop(governed, place) if with_backstop else ()),
        configuration(governed, place),
    ]
