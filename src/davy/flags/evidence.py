"""What opens a gate: that a canary passed, of which artifact, at which weight, by which analyses."""

from hashlib import sha256

import msgspec

from davy.model.key import Key


class Evidence(msgspec.Struct, frozen=True):
    """A canary that passed.

    Args:
        rollout: whose canary it was.
        artifact: the hash of the pod template that passed; only instances of it are let through.
        revision: its number.
        weight: the largest share of users, in percent, at which it passed.
        runs: the analysis runs that it rests on, by name.
        at: when it passed, in seconds since the epoch.
    """

    rollout: Key
    artifact: str
    revision: int
    weight: int
    runs: tuple[str, ...]
    at: float

    @property
    def digest(self) -> str:
        """What is stored with the version of a flag: `sha256:…` over all of it."""
        return f"sha256:{sha256(msgspec.json.encode(self)).hexdigest()}"
