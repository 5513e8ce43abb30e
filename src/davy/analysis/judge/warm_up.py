"""A cold start is no regression: what happens while a canary warms up counts, but not for much.

For the first seconds after its first traffic a good canary may fail up to `MARGIN` times as often as stable:
its caches are empty and its pools unfilled. Nobody can tell that from a regression before it ends. So two
stakes are bet:

* The *gross* stake is bet at once, on ratios above `MARGIN` against the null that the ratio is `MARGIN`. It
  stops what no cold start explains within seconds.
* The *main* stake is bet against the null "no worse" from the beginning, but while the canary warms up it
  counts no more than `CEILING` times its value at the start, and what exceeds that at the end is taken away,
  from all alternatives the same share. So nothing is won by a cold start, but what was learnt stays: if the
  canary is five times worse, nearly all that is left is on five by now, and a few more errors decide.

Guarantee: α for a canary that is never worse than stable, as the smaller of a martingale and a constant is a
supermartingale; at most CEILING·α (2 % for α = 1 %) for one that is up to `MARGIN` times worse while it warms
up and no worse after (Ville from a wealth of CEILING). Later warm-ups, after each growth of traffic where that
is asked for, have a ceiling of 1 times what there was, so that they do not add up.

Breaks when: the start takes longer than it is given, or costs more than `MARGIN`.
"""

import math
from typing import Self

import msgspec

from davy.analysis.judge.bets import Bets, Stakes, log_sum
from davy.analysis.judge.race import Race, Rivals, Window

MARGIN = 8.0
CEILING = 2.0
GROSS_SHARE = 0.1
GROSS = Rivals((20.0, 50.0, 200.0), Stakes((0.4, 0.35, 0.25), 1.0, 0.0))


class Ceiling(msgspec.Struct, frozen=True):
    """The most that the main stake may be worth until the canary is warm, in nats."""

    nats: float


class WarmRace(msgspec.Struct, frozen=True):
    """A race with a warm-up; `gross` is None where none is given."""

    race: Race = Race()
    gross: Race | None = None
    ceiling: Ceiling | None = None

    def warm(self, rivals: Rivals, *, first: bool) -> Self:
        """Begin to warm up, for the first time or once more."""
        now = self.race.bets.log_wealth(rivals.stakes)
        if self.ceiling is not None:
            now = min(now, self.ceiling.nats)
        ceiling = Ceiling(max(now, math.log(CEILING))) if first else Ceiling(now)
        gross = self.gross
        if gross is None and rivals.ratios[0] > 1.0:
            gross = Race(Bets.on(len(GROSS.ratios)))
        return msgspec.structs.replace(self, gross=gross, ceiling=ceiling)

    def warmed(self, rivals: Rivals) -> Self:
        """End the warm-up: keep what was learnt, give back what was won too easily."""
        if self.ceiling is None:
            return self
        bets = self.race.bets.capped(self.ceiling.nats, rivals.stakes)
        return msgspec.structs.replace(self, race=msgspec.structs.replace(self.race, bets=bets), ceiling=None)

    def bet(self, window: Window, elapsed_s: float, rivals: Rivals, *, dispersion: float) -> Self:
        """Settle a window that began at `elapsed_s`."""
        race = self.race.open_at(elapsed_s, rivals).bet(window, dispersion=dispersion, rivals=rivals)
        gross = self.gross
        if gross is not None and self.ceiling is not None:
            gross = gross.bet(window, dispersion=dispersion, margin=MARGIN, rivals=GROSS)
        return msgspec.structs.replace(self, race=race, gross=gross)

    def settle(self) -> Self:
        """Forget what is held, since the split changed."""
        gross = self.gross.settle() if self.gross else None
        return msgspec.structs.replace(self, race=self.race.settle(), gross=gross)

    def log_evidence(self, rivals: Rivals) -> float:
        """Return the log evidence of both stakes together."""
        main = self.race.bets.log_wealth(rivals.stakes)
        if self.ceiling is not None:
            main = min(main, self.ceiling.nats)
        if self.gross is None:
            return main
        return log_sum(
            (
                math.log(1.0 - GROSS_SHARE) + main,
                math.log(GROSS_SHARE) + self.gross.bets.log_wealth(GROSS.stakes),
            )
        )
