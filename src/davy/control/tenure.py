"""An engine's time in office: from when it took the lease on its store until another did."""

from collections.abc import Callable

from davy.ledger.lease import Lease, Leases
from davy.ledger.log import UNWRITABLE

RENEWALS = 4
"""How often a lease is renewed in the time that it lasts."""


class Tenure:
    """Keeps a lease, by being asked to; nothing renews it behind the back of a loop that hangs.

    Args:
        leases: who gives it.
        lease: as it was given.
        now: tells the time, in seconds of the clock that all who want the lease share; not the engine's clock,
            which has a speed.
        seconds: for how long it is renewed, from the first turn on. It may have been taken for longer, since an
            engine takes its time to come up.
    """

    def __init__(self, leases: Leases, lease: Lease, now: Callable[[], float], seconds: float) -> None:
        self.lease = lease
        self.trouble = ""
        """Why it could not be renewed, or nothing."""
        self.every_s = seconds / RENEWALS
        self._leases, self._now, self._seconds = leases, now, seconds
        self._renew_at = now()

    def keep(self) -> None:
        """Renew it if it is time to; costs nothing else.

        A store that cannot be written is no reason to stop: nobody else can take the lease there either.

        Raises:
            Fenced: another has taken it.
        """
        now = self._now()
        if now < self._renew_at:
            return
        self._renew_at = now + self.every_s
        try:
            self.lease = self._leases.renew(self.lease, now, self._seconds)
            self.trouble = ""
        except UNWRITABLE as error:
            self.trouble = f"the lease cannot be renewed: {error.message}"

    def end(self) -> None:
        """Let others have it at once."""
        try:
            self._leases.release(self.lease)
        except UNWRITABLE as error:
            self.trouble = f"the lease cannot be let go of, and runs out: {error.message}"
