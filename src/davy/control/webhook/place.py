"""What is governed, and where Davy answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from davy.policy.passage import CONTROLLER


@dataclass(frozen=True, slots=True)
class Governed:
    """What is governed: namespaces with a label, and who carries rollouts out in them."""

    label: str = "davy.dev/governed=true"
    controllers: tuple[str, ...] = (CONTROLLER,)
    itself: str = "system:serviceaccount:davy-system:davy"

    @property
    def accounts(self) -> tuple[str, ...]:
        """The service accounts that are not asked about."""
        return (*self.controllers, self.itself)


@dataclass(frozen=True, slots=True)
class Place:
    """Where Davy answers: a Service of the cluster, or a URL.

    Args:
        bundle: the authorities that an API server is to believe, as PEM.
        certificate, key: what Davy shows, where it is to be handed to it in a Secret.
        image: what runs in the cluster, empty where nothing does.
    """

    bundle: bytes
    namespace: str = "davy-system"
    name: str = "davy"
    url: str = ""
    image: str = ""
    certificate: str = ""
    key: str = field(default="", repr=False)
    profile: str = "standard"

    @property
    def labels(self) -> Mapping[str, str]:
        """What all documents are labelled with."""
        return {"app.kubernetes.io/name": "davy", "app.kubernetes.io/component": "admission"}
