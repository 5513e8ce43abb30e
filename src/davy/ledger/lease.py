"""The lease on a store: of all the engines that want to write to it, the one that may.

A lease is given for some seconds under a number that only grows, its epoch. Whoever holds it renews it. When it
has run out, another may take it, under the next epoch, and from then on everything that the one before still
tries to write is refused: the epoch is compared inside the transaction that writes. So a holder that was
stopped for a while and goes on as if nothing had happened does no harm, however late it wakes up.

Time is an argument: seconds of any clock that all who want the lease share and that never goes back.
"""

from typing import Protocol

import msgspec

from davy.errors import Conflict
from davy.ledger.store import Store


class Lease(msgspec.Struct, frozen=True):
    """Who may write until when. `mark` identifies the holder for other programs, `holder` for people."""

    holder: str
    epoch: int
    expires_at: float
    mark: str = ""


class Held(Conflict):
    """The lease is another's; `lease` says whose, and until when."""

    code = "held"

    def __init__(self, lease: Lease) -> None:
        super().__init__(
            f"another engine holds this state directory ({lease.holder})",
            hint="use that one, wait for it with davy up --standby, or start another with --home DIR",
        )
        self.lease = lease


class Fenced(Conflict):
    """Another has taken the lease meanwhile; nothing was written, and nothing will be any more."""

    code = "fenced"

    def __init__(self, by: str) -> None:
        super().__init__(
            f"another engine has taken over ({by}); this one has written nothing since",
            hint="it was stopped or hung for longer than its lease; davy up --standby waits in its turn",
        )


class Leases(Protocol):
    """A store of which one holder at a time may write."""

    def lease(self) -> Lease | None:
        """Return the lease that was given last, be it that it has run out; None before the first."""
        ...

    def take(self, holder: str, now: float, seconds: float, *, mark: str = "", over: int = 0) -> Lease:
        """Take the lease for so many seconds from now, under an epoch of its own.

        Args:
            holder: whom to name to those who want it too.
            now: the time on the clock that all of them share.
            seconds: for how long.
            mark: identifies the holder for other programs.
            over: the epoch of a lease whose holder is known to be gone; it need not have run out.

        Raises:
            Held: it is another's.
            StoreUnavailable: it could not be written down.
        """
        ...

    def renew(self, lease: Lease, now: float, seconds: float) -> Lease:
        """Hold it for longer. It may have run out, as long as nobody has taken it.

        Raises:
            Fenced: somebody has.
            StoreUnavailable: it could not be written down; it runs out when it did before.
        """
        ...

    def release(self, lease: Lease) -> None:
        """Let others have it at once. One that is another's by now stays with that one."""
        ...

    def under(self, lease: Lease) -> Store:
        """Return the store for the holder of a lease: its commits raise Fenced once another has taken it."""
        ...


def grant(
    last: Lease | None, holder: str, now: float, seconds: float, *, mark: str = "", over: int = 0
) -> Lease:
    """Give the lease that follows the last one.

    Raises:
        Held: the last one is in force.
    """
    if last is not None and last.expires_at > now and last.epoch != over:
        raise Held(last)
    return Lease(holder, 1 if last is None else last.epoch + 1, now + seconds, mark)


def hold(last: Lease | None, epoch: int) -> Lease:
    """Make sure that the last lease is the one of an epoch, and return it.

    Raises:
        Fenced: it is not.
    """
    if last is None or last.epoch != epoch:
        raise Fenced("nobody" if last is None else last.holder)
    return last


def extend(last: Lease | None, lease: Lease, now: float, seconds: float) -> Lease:
    """Make a lease last longer.

    Raises:
        Fenced: another has been given meanwhile.
    """
    return msgspec.structs.replace(hold(last, lease.epoch), expires_at=now + seconds)


def end(last: Lease | None, lease: Lease) -> Lease | None:
    """Return what a lease becomes when its holder lets go; None when there is nothing to let go of."""
    if last is None or last.epoch != lease.epoch:
        return None
    return msgspec.structs.replace(last, expires_at=0.0)
