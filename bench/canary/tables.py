"""Results as tables: for a terminal and, in the same words, for a page."""

from collections.abc import Iterable, Sequence

from bench.canary.limits import power, slowest_requests, wald
from bench.canary.scenarios import GOOD, LATENCIES, SCORED, Family, Scenario
from bench.canary.score import ENOUGH, Cell, Results, Row, row

Table = list[list[str]]
"""Rows of words, the first of them a heading."""


def names(results: Results) -> list[str]:
    """Return who took part, in the order of the results."""
    return list(dict.fromkeys(name for cells in results.values() for name in cells))


def scoreboard(scenarios: list[Scenario], results: Results) -> Table:
    """One line for each judge: harm / limit, the worst of every family of good releases, the time to 100 %."""
    cells = {each.key: results[each.key] for each in scenarios if each.key in results and _about_errors(each)}
    rows = [row(name, scenarios, cells) for name in names(cells)]
    head = ["judge", "harm ÷ limit", *(f"{family}" for family in GOOD), "at 100 %", "n", "valid"]
    return [head, *(_scored(each) for each in rows)]


def _about_errors(scenario: Scenario) -> bool:
    return scenario.family not in LATENCIES and scenario.family is not Family.KPI


def _scored(row: Row) -> list[str]:
    ratio = "–" if row.ratio is None else f"{row.ratio:.1f} ({row.cells})"
    worst = [_share(row.worst.get(family)) for family in GOOD]
    missing = any(family not in row.worst for family in SCORED)
    valid = "?" if missing else "too few" if row.fewest < ENOUGH else "yes" if row.valid else "no"
    return [row.name, ratio, *worst, _seconds(row.promoted_s), str(row.fewest), valid]


def false_aborts(scenarios: list[Scenario], results: Results) -> Table:
    """Good releases that were stopped: one line for each scenario."""
    return _by_scenario([each for each in scenarios if each.family in GOOD], results, _share, interval=True)


def harm(scenarios: list[Scenario], results: Results) -> Table:
    """Bad requests caused in half an hour, beside Wald's limit: one line for each regression."""
    chosen = [
        each for each in scenarios if _about_errors(each) and each.family not in GOOD and each.key in results
    ]
    people = names({each.key: results[each.key] for each in chosen})
    table = [["scenario", "limit", "power", *people]]
    for each in chosen:
        limit, chance = ("–", "–")
        if each.family is Family.REGRESSION:
            limit, chance = f"{wald(each.truth):.1f}", f"{power(each):.2f}"
        cells = results[each.key]
        table.append([each.key, limit, chance, *(_harm(cells.get(name)) for name in people)])
    return table


def stops(scenarios: list[Scenario], results: Results) -> Table:
    """How regressions were stopped: share, p50 and p95 of the time, canary's errors p50, caused until then."""
    chosen = [each for each in scenarios if _about_errors(each) and each.family not in GOOD]
    return _by_scenario(chosen, results, _stop)


def replicates(scenarios: list[Scenario], results: Results) -> Table:
    """How many rollouts each family's scenarios were run with, by judge: the fewest."""
    people = names(results)
    fewest: dict[Family, dict[str, int]] = {}
    for each in scenarios:
        for name, cell in results.get(each.key, {}).items():
            family = fewest.setdefault(each.family, {})
            family[name] = min(family.get(name, cell.n), cell.n)
    rows = ([f"{family}", *(str(found.get(name, "–")) for name in people)] for family, found in fewest.items())
    return [["rollouts of a scenario", *people], *rows]


def kpis(scenarios: list[Scenario], results: Results) -> Table:
    """The same about what a business counts."""
    return _by_scenario([each for each in scenarios if each.family is Family.KPI], results, _stop)


def latencies(scenarios: list[Scenario], results: Results) -> Table:
    """Share that was stopped, when, after how many canary requests, beside the limit in requests."""
    chosen = [each for each in scenarios if each.family in LATENCIES and each.key in results]
    people = names({each.key: results[each.key] for each in chosen})
    table = [["scenario", "limit", *people]]
    for each in chosen:
        limit = None if each.family is Family.LATENCY_AA else slowest_requests(each)
        cells = results[each.key]
        words = [_slow(cells.get(name)) for name in people]
        table.append([each.key, "–" if limit is None else f"{limit:.0f}", *words])
    return table


def _by_scenario(
    scenarios: Sequence[Scenario], results: Results, word: object, interval: bool = False
) -> Table:
    assert callable(word)
    chosen = [each for each in scenarios if each.key in results]
    people = names({each.key: results[each.key] for each in chosen})
    return [
        ["scenario", *people],
        *([each.key, *(word(results[each.key].get(name)) for name in people)] for each in chosen),
    ]


def _share(cell: Cell | None) -> str:
    return "–" if cell is None else f"{100 * cell.stopped:.3g} %"


def _harm(cell: Cell | None) -> str:
    return "–" if cell is None else f"{cell.harm:.3g}" if abs(cell.harm) < 1000 else f"{cell.harm:.0f}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:g} s"


def _stop(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    if cell.stop_p50_s is None or cell.stop_p95_s is None or cell.bad_p50 is None or cell.caused is None:
        return "0 %"
    return (
        f"{100 * cell.stopped:.3g} % / {cell.stop_p50_s:.0f} / {cell.stop_p95_s:.0f} s"
        f" / {cell.bad_p50:g} [{cell.caused:.3g}]"
    )


def _slow(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    if cell.stop_p50_s is None or cell.served_p50 is None:
        return "0 %"
    return f"{100 * cell.stopped:.3g} % / {cell.stop_p50_s:.0f} s / {cell.served_p50:.0f}"


def markdown(table: Table) -> str:
    """Write a table for a page."""
    head, *rest = table
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join(f"| {' | '.join(words)} |" for words in lines)


def aligned(table: Table) -> str:
    """Write a table for a terminal."""
    widths = [max(len(words[column]) for words in table) for column in range(len(table[0]))]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(words, widths, strict=True)).rstrip()
        for words in table
    )


def text(scenarios: list[Scenario], results: Results) -> str:
    """Return everything for a terminal; judges are lines, so that it fits."""
    parts: Iterable[tuple[str, Table]] = (
        (
            "Scoreboard: bad requests ÷ Wald's limit (cells), and the worst false aborts",
            scoreboard(scenarios, results),
        ),
        ("Good releases that were stopped", _turned(false_aborts(scenarios, results))),
        ("Bad requests caused in half an hour, mean", _turned(harm(scenarios, results))),
        ("Latency: stopped / after, p50 / canary requests, p50", _turned(latencies(scenarios, results))),
        ("Business: stopped / after p50 / p95 / bad p50 [caused]", _turned(kpis(scenarios, results))),
    )
    return "\n\n".join(f"{title}\n\n{aligned(table)}" for title, table in parts if len(table[0]) > 1)


def _turned(table: Table) -> Table:
    return [list(words) for words in zip(*table, strict=True)] if len(table) > 1 else [["nothing"]]
