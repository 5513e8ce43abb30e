"""Which rollouts are judged, by which Judge of the catalog, and how."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from davy.analysis.judge.declared import judge_for, settings_of, step_weights
from davy.analysis.judge.settings import Judge
from davy.control.catalog import Catalog
from davy.control.held import Held
from davy.control.pinning import is_held_to_templates
from davy.errors import Refused
from davy.model import judge as written
from davy.model.key import Key
from davy.model.rollout import Rollout

LOOK_S = 1.0
"""Seconds of the clock between two looks at the data plane, where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The Judge of a rollout as it is written, and as it judges this rollout."""

    manifest: written.Judge
    settings: Judge

    @property
    def name(self) -> str:
        """What the Judge is called."""
        return self.manifest.key.name


class Judges:
    """Finds the judge of a rollout. Asking again costs nothing until the catalog changes.

    Args:
        catalog: where Judges, rollouts and templates are.
        every_s: seconds between two looks at the data plane. No Judge is taken to look more often, or it would
            take what it has for stale.
    """

    def __init__(self, catalog: Catalog, every_s: float = LOOK_S) -> None:
        self._catalog, self._every_s = catalog, every_s
        self._known: dict[Key, tuple[Rollout, int, Bound | None]] = {}

    @property
    def any(self) -> bool:
        """Whether there is a Judge at all."""
        return self._catalog.has_judges

    def among(self, rollouts: Mapping[Key, Rollout]) -> frozenset[Key]:
        """Return those of some rollouts that have a judge."""
        if not self.any:
            return frozenset()
        return frozenset(key for key, rollout in rollouts.items() if self.of(rollout) is not None)

    def over(self, catalog: Catalog) -> "Judges":
        """Return who would judge if the catalog were this one."""
        return Judges(catalog, self._every_s)

    def of(self, rollout: Rollout) -> Bound | None:
        """Return what judges a rollout, None where only the guard does."""
        there = self._catalog.judges(rollout.key.namespace)
        if not there:
            return None
        known = self._known.get(rollout.key)
        if known is None or known[0] is not rollout or known[1] != self._catalog.changes:
            known = rollout, self._catalog.changes, self._found(rollout, there)
            self._known[rollout.key] = known
        return known[2]

    def _found(self, rollout: Rollout, there: Iterable[written.Judge]) -> Bound | None:
        manifest = judge_for(rollout, there, self._catalog.templates(rollout.key.namespace))
        if manifest is None:
            return None
        settings = settings_of(manifest, step_weights(rollout), scrape_s=self._every_s)
        slowest = max(settings.scrape_s, self._every_s)
        return Bound(manifest, msgspec.structs.replace(settings, scrape_s=slowest))


NOBODY = Judges(Catalog())
"""Judges nothing."""


def swapped(
    rollouts: Mapping[Key, Held], revised: Mapping[Key, Rollout], now: Judges, then: Judges
) -> list[tuple[Held, str]]:
    """Find the updates under way that would be judged otherwise, each with the name of a Judge.

    Args:
        rollouts: what is held.
        revised: the rollouts that change with it, as they will be.
        now: who judges so far.
        then: who is to judge.
    """
    found = []
    for key, held in rollouts.items():
        if not is_held_to_templates(held.state):
            continue
        before, after = now.of(held.manifest), then.of(revised.get(key, held.manifest))
        if not _alike(before, after):
            one = before or after
            assert one is not None
            found.append((held, f"Judge/{one.name}"))
    return found


def check_needless(judge: written.Judge, rollouts: Iterable[Held], judges: Judges) -> None:
    """Make sure that no update is held to a Judge that is to go.

    Raises:
        Refused: one is.
    """
    for held in rollouts:
        bound = judges.of(held.manifest)
        if bound is not None and bound.manifest.key == judge.key and is_held_to_templates(held.state):
            name = held.key.name
            raise Refused(
                f"Judge/{judge.key.name} is what revision {held.state.newest.number} of rollout '{name}' is "
                "being held to: a judge is not taken away while a release is on its way past it",
                hint=f"wait for {name}, or davy abort {name}",
            )


def _alike(before: Bound | None, after: Bound | None) -> bool:
    """Say whether two judge alike: by the same settings, on counters of the same place."""
    if before is None or after is None:
        return before is after
    asked = [(each.manifest.spec.metrics, each.manifest.spec.prometheus) for each in (before, after)]
    return before.settings == after.settings and asked[0] == asked[1]
