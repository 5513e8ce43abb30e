"""The page of results, docs/explanation/canary-bench.md: prose by hand, tables and plots by this module."""

from pathlib import Path

from bench.canary import plots, tables
from bench.canary.scenarios import grid
from bench.canary.score import Results

DOCS = Path(__file__).resolve().parents[2] / "docs" / "explanation"
PAGE = DOCS / "canary-bench.md"


def write(results: Results) -> None:
    """Put the tables of results between their marks, and draw the plots anew."""
    page = PAGE.read_text()
    scenarios = grid()
    for name, table in {
        "scoreboard": tables.scoreboard,
        "false aborts": tables.false_aborts,
        "harm": tables.harm,
        "stops": tables.stops,
        "latency": tables.latencies,
        "business": tables.kpis,
        "replicates": tables.replicates,
    }.items():
        page = filled(page, name, tables.markdown(table(scenarios, results)))
    PAGE.write_text(page)
    plots.frontier(scenarios, results, DOCS / "canary-bench-frontier.svg")
    plots.evidence(DOCS / "canary-bench-evidence.svg")


def filled(page: str, name: str, text: str) -> str:
    """Put a text between the marks of a name; a page without them is a mistake."""
    begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{PAGE.name} has no place for {name}: {begin.strip()} … {end.strip()}")
    return f"{before}{begin}{text}{end}{after}"
