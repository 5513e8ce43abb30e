"""Figures of a ledger that grows: after a restart, of another ledger, and of weeks that were final."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from davy.ledger.log import Head
from davy.ledger.tree import EMPTY, Frontier, leaf_hash
from davy.reports.cells import WEEK
from davy.reports.event import ChangeEvent
from davy.reports.live import Live, NotAContinuation, restated

MONDAY = 1_704_067_200_000_000
HOUR = 3600 * 1_000_000
DAY = 24 * HOUR

EXPOSED = ChangeEvent("cd", "1", "exposed", MONDAY + HOUR, "shop", "a", "pay", rollout="r", weight=50_000)
PROMOTED = msgspec.structs.replace(EXPOSED, id="2", type="promoted", time=MONDAY + 2 * HOUR, weight=None)
BACK = msgspec.structs.replace(EXPOSED, id="3", type="rolled_back", time=MONDAY + 3 * HOUR)
OPENED = ChangeEvent("alerts", "4", "opened", MONDAY + 20 * DAY, service="pay", incident="i")


class Ledger:
    """Entries whose bytes are events."""

    def __init__(self, events: Sequence[ChangeEvent]) -> None:
        self.entries = [msgspec.msgpack.encode(event) for event in events]

    def head(self) -> Head:
        return Head(len(self.entries), self._root(self.entries))

    def bodies(self, start: int, end: int) -> list[bytes]:
        return self.entries[start:end]

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        each = 1 << level
        return [self._root(self.entries[place * each : (place + 1) * each]) for place in range(start, end)]

    def append(self, *events: ChangeEvent) -> None:
        self.entries += [msgspec.msgpack.encode(event) for event in events]

    @staticmethod
    def _root(entries: Sequence[bytes]) -> bytes:
        tree = Frontier()
        for entry in entries:
            tree.append(leaf_hash(entry))
        return tree.root if entries else EMPTY


def read(body: bytes, _: int) -> list[ChangeEvent]:
    return [msgspec.msgpack.decode(body, type=ChangeEvent)]


def test_headline_figures_of_a_service_and_of_all_together() -> None:
    live = Live(Ledger([EXPOSED, PROMOTED, BACK]), read)
    live.follow()
    values = live.headline("pay").values
    assert values["cfr_seed"] == values["cfr_escaped"] == values["impact"] == 1
    assert values["deploy_freq"] == 1 / 7
    assert "mttr" not in values
    assert [one.service for one in live.headlines()] == ["", "", "", "pay", "pay", "pay"]
    assert live.headline().cell == live.headline("pay").cell._replace(service="")


def test_an_open_incident_is_told() -> None:
    live = Live(Ledger([EXPOSED, OPENED]), read)
    live.follow()
    assert [one.name for one in live.headline("pay").opened] == ["i"]
    assert live.headline().values["open_incidents"] == 1


def test_a_service_that_nothing_is_known_of_has_no_figures() -> None:
    live = Live(Ledger([EXPOSED]), read)
    live.follow()
    assert live.headline("nobody").values == {"deploy_freq": 0, "open_incidents": 0}
    assert live.facts.services == ["pay"]


def test_what_was_read_is_there_after_a_restart(tmp_path: Path) -> None:
    ledger, cache = Ledger([EXPOSED, PROMOTED]), tmp_path / "cache.db"
    first = Live(ledger, read, cache)
    first.follow()
    first.close()
    ledger.append(BACK)
    second = Live(ledger, read, cache)
    assert second.size == 2
    second.follow()
    assert second.size == 3
    fresh = Live(ledger, read)
    fresh.follow()
    assert second.headlines() == fresh.headlines()


@pytest.mark.parametrize("entries", [[EXPOSED], [PROMOTED, EXPOSED], [PROMOTED, EXPOSED, BACK], []])
def test_another_ledger_is_refused(tmp_path: Path, entries: list[ChangeEvent]) -> None:
    cache = tmp_path / "cache.db"
    live = Live(Ledger([EXPOSED, PROMOTED]), read, cache)
    live.follow()
    live.close()
    with pytest.raises(NotAContinuation, match=f"has {len(entries)} entries"):
        Live(Ledger(entries), read, cache)


def test_a_ledger_that_is_exchanged_under_way_is_refused() -> None:
    ledger = Ledger([EXPOSED, PROMOTED])
    live = Live(ledger, read)
    live.follow()
    ledger.entries.reverse()
    with pytest.raises(NotAContinuation):
        live.follow()


def test_a_week_that_was_final_is_restated() -> None:
    ledger = Ledger([EXPOSED, PROMOTED, OPENED])
    live = Live(ledger, read)
    assert live.follow() == []
    ledger.append(BACK)
    (week,) = live.follow()
    assert (week.service, week.week) == ("pay", MONDAY)
    assert week.changed["failed"] == (0, 1)
    assert week.changed["impact"] == (0, 1_000_000)
    assert live.follow() == []


@pytest.mark.parametrize(("newest", "final"), [(WEEK + 72 * HOUR - 1, False), (WEEK + 72 * HOUR, True)])
def test_a_week_is_final_72_hours_after_its_end(newest: int, final: bool) -> None:
    ledger = Ledger([EXPOSED, msgspec.structs.replace(OPENED, time=MONDAY + newest)])
    live = Live(ledger, read)
    live.follow()
    ledger.append(BACK)
    assert bool(live.follow()) == final


def test_cells_that_did_not_change_are_not_restated() -> None:
    live = Live(Ledger([EXPOSED]), read)
    live.follow()
    cell = live.facts.count("pay", MONDAY, MONDAY + WEEK)
    assert restated([(cell, cell)]) == []
