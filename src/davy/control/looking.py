"""What people look at: answers that change nothing."""

from typing import TypeAlias, assert_never

from davy.control import picture, requests, views
from davy.control.held import Held
from davy.control.holdings import Holdings
from davy.control.ports import Clock
from davy.control.turn import World
from davy.control.verdicts import heard
from davy.errors import NotFound
from davy.model.key import Key

Look: TypeAlias = (
    requests.List
    | requests.Get
    | requests.Manifest
    | requests.Why
    | requests.Verdict
    | requests.Record
    | requests.Query
)

MOST_ENTRIES = 100_000
"""How many entries of the record are read at a time at most."""


class Looking:
    """Draws what is held as people want to see it."""

    def __init__(self, world: World, holdings: Holdings, clock: Clock) -> None:
        self._world, self._holdings, self._clock = world, holdings, clock

    def answer(self, request: Look) -> views.AnyView:
        """Answer.

        Raises:
            DavyError: there is no such rollout, or the store cannot be read.
        """
        match request:
            case requests.List(namespace=namespace):
                return views.RolloutList(items=self._pictures(namespace))
            case requests.Get(namespace=namespace, name=name):
                with self._holdings.gate:
                    return self._picture(self._holdings.find(namespace, name))
            case requests.Manifest(namespace=namespace, name=name):
                with self._holdings.gate:
                    return self._manifest(self._holdings.find(namespace, name))
            case requests.Why(namespace=namespace, name=name):
                return self._why(namespace, name)
            case requests.Verdict(namespace=namespace, name=name):
                with self._holdings.gate:
                    return self._verdict(self._holdings.find(namespace, name))
            case requests.Record():
                return self._record(request)
            case requests.Query(query=query):
                return picture.query(self._world.queries.instant(query, self._clock.now()))
            case _:
                assert_never(request)

    def _pictures(self, namespace: str) -> tuple[views.RolloutView, ...]:
        """Draw the rollouts of a namespace one by one, so that nobody waits for all of them."""
        found = []
        for key, held in sorted(self._holdings.rollouts.items()):
            if namespace in ("", key.namespace):
                with self._holdings.gate:
                    found.append(self._picture(held))
        return tuple(found)

    def _picture(self, held: Held) -> views.RolloutView:
        """Draw a rollout as it is now."""
        seen = self._world.platform.look(held.key)
        _, counters = self._world.traffic.counters(held.key)
        runs = self._world.runs.of(held.key)
        bound = self._world.judges.of(held.manifest)
        now = self._clock.now()
        return picture.rollout(held, seen, counters, runs, now, "" if bound is None else bound.name)

    def _verdict(self, held: Held) -> views.VerdictView:
        bound = self._world.judges.of(held.manifest)
        if bound is None:
            raise NotFound(
                f'no judge judges rollout "{held.key.name}"',
                hint="apply a Judge with its service, or name one in its annotation davy.dev/judge",
            )
        return picture.verdict(held, bound.settings, self._clock.now())

    def _manifest(self, held: Held) -> views.ManifestView:
        written = self._holdings.catalog.written(held.manifest)[0]
        seen, runs = self._world.platform.look(held.key), self._world.runs.of(held.key)
        return picture.manifest(held, seen, written, runs, heard(held, self._clock.now()))

    def _why(self, namespace: str, name: str) -> views.WhyView:
        subject = self._holdings.find(namespace, name).subject
        entries = self._world.store.entries(subject=subject, limit=MOST_ENTRIES)
        with self._holdings.gate:
            held = self._holdings.find(namespace, name)
            return picture.why(held, self._picture(held), entries)

    def _record(self, request: requests.Record) -> views.RecordView:
        subject = f"Rollout {Key(request.namespace, request.name)}" if request.name else ""
        limit = max(1, min(request.limit, MOST_ENTRIES))
        entries = self._world.store.entries(after=request.after, subject=subject, limit=limit)
        return views.RecordView(entries=entries)
