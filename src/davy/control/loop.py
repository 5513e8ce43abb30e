"""The loop: whose turn it is, and what has come in since the last one.

A turn is taken of those rollouts to which something happened (a replica came or went, users got something, an
answer came, somebody acted) or whose time has come, and of no other. The turn of one rollout holds the gate for
a millisecond, and who waits for it is next. One rollout that cannot take its turn keeps its trouble to itself,
and the others go on.
"""

from collections.abc import Callable, Iterable

from davy.control import removal
from davy.control.agenda import Agenda
from davy.control.answers import Answers
from davy.control.held import Held
from davy.control.holdings import Holdings
from davy.control.ports import Clock
from davy.control.runs import RunRecord
from davy.control.turn import World, owed, paid, take_turn
from davy.control.watching import learn
from davy.errors import DavyError
from davy.ledger.entry import Draft
from davy.ledger.lease import Fenced
from davy.ledger.log import UNWRITABLE
from davy.model.key import Key

RETRY_S = 0.25
"""Real seconds after which a turn that could not be finished is taken again."""

MOST = 50
"""How many rollouts take their turns before the loop looks for news again."""


class Loop:
    """Turns what is held.

    Args:
        world: the parts that a turn looks at and acts on.
        holdings: the rollouts.
        clock: tells the time.
        look_s: seconds of the clock after which a rollout is looked at even when nothing happened to it.
    """

    def __init__(self, world: World, holdings: Holdings, clock: Clock, look_s: float) -> None:
        self._world, self._holdings, self._clock = world, holdings, clock
        self._agenda, self._answers = Agenda(look_s), Answers(world.runs, world.store)
        self._retry_s = RETRY_S / clock.real_seconds(1.0)
        self._counting: set[Key] = set()
        self._counts_came = False
        self._leaving = removal.leaving(world)
        self._agenda.kick(*holdings.rollouts)

    def kick(self, *keys: Key) -> None:
        """Say that something happened to these rollouts, or to all where none is named; they are next."""
        self._agenda.kick(*keys)

    def looked(self) -> None:
        """Say that the data plane was read; those that learn from it are next."""
        self._counts_came = True

    def turn(self, still_ours: Callable[[], None]) -> float | None:
        """Take the turns that are due and return the clock's time at which time alone asks for another.

        Args:
            still_ours: called between two turns; it raises when another engine has taken over.
        """
        now = self._clock.now()
        with self._holdings.gate:
            self._take_in_answers()
            self._take_in_counts()
            if self._leaving:
                self._take_away()
        for key in self._agenda.take(now, MOST):
            with self._holdings.gate:
                if key in self._holdings.rollouts:  # somebody may have deleted it a moment ago
                    self.turn_one(self._holdings.rollouts[key])
            still_ours()
        with self._holdings.gate:
            wakes = [self._agenda.next_at(now), self._world.runs.ask_due(now)]
        if self._answers.owners or self._leaving:
            wakes.append(now + self._retry_s)
        return min((wake for wake in wakes if wake is not None), default=None)

    def turn_one(self, held: Held) -> None:
        """Take the turn of one rollout, and say when the next is; its failure stays its own.

        Whoever calls holds the gate.
        """
        now, wake_at, trouble = self._clock.now(), None, ""
        try:
            wake_at = take_turn(held, self._world, now)
        except Fenced:
            raise
        except DavyError as error:
            trouble = error.message
        except Exception as error:  # noqa: BLE001  a fault met by one rollout must not keep others from an abort
            trouble = f"a fault of Davy itself: {type(error).__name__}: {error}"
        late = len(held.unsaved)
        held.trouble = trouble or (f"{late} entries of an abort are not written down yet" if late else "")
        if held.unfinished:
            wake_at = now + self._retry_s if wake_at is None else min(wake_at, now + self._retry_s)
        self._agenda.put(held.key, wake_at, now)
        (self._counting.add if held.counting else self._counting.discard)(held.key)

    def drop_answers(self, runs: Iterable[RunRecord]) -> list[Draft]:
        """Hand over what is not written down yet of some runs; the gate is held."""
        return self._answers.drop(runs)

    def part_with(self, key: Key) -> str:
        """Let a rollout that was deleted go, and say what of it could not be stopped yet; the gate is held."""
        self._counting.discard(key)
        self._agenda.drop(key)
        self._leaving.add(key)
        return self._take_away()

    def _take_in_answers(self) -> None:
        """Take in what providers answered since the last turn, and write it down.

        What an abort could not write down of the same rollouts comes before it.
        """
        for run in self._answers.take_in():
            self._agenda.kick(run.owner)
        rollouts = self._holdings.rollouts
        concerned = [rollouts[owner] for owner in self._answers.owners & rollouts.keys()]
        late = [held for held in concerned if held.is_late]
        try:
            self._answers.write_down(after=[owed(held) for held in late])
        except UNWRITABLE as error:
            for held in concerned:
                held.trouble = error.message
            return
        for held in late:
            paid(held, self._world)

    def _take_in_counts(self) -> None:
        """Find out whom it concerns what users got since the last turn."""
        if self._counts_came:
            self._counts_came = False
            for key in self._counting:
                held = self._holdings.rollouts[key]
                at, counters = self._world.traffic.counters(key)
                if held.learns_from(counters):
                    self._agenda.kick(key)
                elif bound := self._world.judges.of(held.manifest):
                    learn(held, bound, at, counters, self._world.queries)

    def _take_away(self) -> str:
        """Stop what still runs of deleted rollouts, unless there is a new one of the name; say what remains."""
        self._leaving -= self._holdings.rollouts.keys()
        troubles = {key: removal.take_away(self._world, key) for key in self._leaving}
        self._leaving = {key for key, trouble in troubles.items() if trouble}
        return "".join(f"; {key} is still being stopped: {why}" for key, why in troubles.items() if why)
