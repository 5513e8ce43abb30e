"""The page that works one change through by hand: its events, those of the record, and its figures."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from davy.ledger.entry import Draft, encode
from davy.reports.cloudevents import read
from davy.reports.document import document
from davy.reports.event import ChangeEvent
from davy.reports.projection import project
from davy.reports.recompute import compute
from davy.reports.report import Query

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "tests" / "cases" / "dora" / "one-change.jsonl"
PAGE = ROOT / "docs" / "explanation" / "one-change-by-hand.md"
REPO, A, B = "github.com/acme/shop", "a1", "b2"


def at(time: str) -> float:
    hours, minutes = map(int, time.split(":"))
    return 1772409600.0 + 3600 * hours + 60 * minutes  # 2026-03-02T00:00:00Z


def entries() -> list[Draft]:
    """Return the entries of the table on the page."""
    found = []

    def tell(time: str, kind: str, detail: dict[str, Any], **more: str) -> None:
        found.append(Draft(at(time), kind, "Rollout default/shop", detail, **more))

    def git(time: str, kind: str, commit: str, **more: str) -> None:
        id_ = f"git:{commit}" + (":created" if kind == "change_created" else "")
        tell(time, kind, {"change": {"repo": REPO, "commit": commit}, **more}, source=REPO, id=id_)

    def engine(time: str, kind: str, commit: str, name: str, **more: Any) -> None:
        story = {"change": {"repo": REPO, "commit": commit}, "service": "shop", "environment": "production"}
        tell(time, kind, {**story, "rollout": f"default/shop#{name}", "attempt": 1, "kind": "code", **more})

    def contained(time: str, name: str, *commits: str, **more: Any) -> None:
        named = {"rollout": f"default/shop#{name}", "repo": REPO, "changes": list(commits), **more}
        tell(time, "change_contained", named, source=REPO, id=f"git:in:{name}")

    def incident(time: str, kind: str) -> None:
        said = {"incident": "I-7", "service": "shop", "environment": "production", "cause": "5xx"}
        tell(time, kind, said, source="pager", id=f"I-7:{kind}")

    git("08:00", "change_created", A, committedAt="2026-03-02T07:30:00Z")
    git("09:00", "change_merged", A, committedAt="2026-03-02T07:30:00Z")
    engine("10:25", "update_started", A, "2.1")
    contained("10:25", "2.1", A)
    engine("10:30", "change_exposed", A, "2.1", weight=5)
    incident("10:34", "incident_opened")
    back = {"weight": 5, "cause": "guard: 5xx ratio", "requests": 2400, "badRequests": 60}
    engine("10:36", "change_rolled_back", A, "2.1", **back)
    incident("10:42", "incident_restored")
    git("10:50", "change_created", B, committedAt="2026-03-02T10:50:00Z", remediates=A)
    git("11:00", "change_merged", B, committedAt="2026-03-02T10:50:00Z", remediates=A)
    engine("11:15", "update_started", B, "3.1")
    contained("11:15", "3.1", B, cancelled=[A])
    engine("11:20", "change_exposed", B, "3.1", weight=5)
    engine("11:50", "change_promoted", B, "3.1", requests=21600, badRequests=0)
    return found


def figures(events: list[ChangeEvent]) -> Any:
    return document(compute(events, Query()))["figures"]


def printed() -> dict[str, str]:
    """Return what the page says is printed of each figure."""
    rows = re.findall(r"^\| `(\w+)` \| .* \| `(.+)` \|$", PAGE.read_text(), re.MULTILINE)
    return dict(rows)


def test_the_command_prints_the_figures_on_the_page() -> None:
    command = [sys.executable, "-m", "davy", "dora", "--events", str(EVENTS)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    told = dict(re.findall(r"^  (\w+)  +(\S.*?)(?:  .*)?$", ran.stdout, re.MULTILINE))
    assert told == printed()


def test_the_events_of_the_page_are_those_of_the_record() -> None:
    with EVENTS.open("rb") as stream:
        of_file = read(stream, EVENTS.name)
    of_record = project([encode(draft) for draft in entries()])
    assert figures(of_record) == figures(of_file)
    assert [(e.type, e.commit, e.time) for e in of_record] == [(e.type, e.commit, e.time) for e in of_file]
