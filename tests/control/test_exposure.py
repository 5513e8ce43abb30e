"""Who met a version is looked for as long as nobody knows, whatever has become of it."""

from typing import Any

from davy.analysis.tally import Tally
from davy.control import requests


def test_a_version_that_was_taken_away_is_counted_until_somebody_knows_who_met_it(lab: Any) -> None:
    assert lab.apply("payments").accepted
    lab.turns()
    lab.ask(requests.SetImage("default", "payments", {"app": "app:2"}, reason="a release"))
    for _ in range(4):
        lab.engine.turn()
    assert lab.get().actual_weight == 20
    canary = lab.get().revisions[0].hash
    lab.ask(requests.SetImage("default", "payments", {"app": "app:1"}, reason="back"))
    lab.engine.turn()
    lab.engine.turn()
    before = lab.kinds().count("change_exposed")
    lab.clock.time += 1
    lab.traffic.counts[canary] = Tally(3, 0)
    lab.engine.looked()
    lab.engine.turn()
    assert lab.kinds().count("change_exposed") == before + 1
