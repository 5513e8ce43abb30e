"""The command `./dev bench canary`: run the small grid or all of it, score it, and write its page."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from functools import partial
from pathlib import Path
from time import monotonic

from bench.canary import tables
from bench.canary.contestants import taking_part
from bench.canary.harness import run
from bench.canary.judge import Contestant
from bench.canary.outside import LADDER, OutsideError, contestant
from bench.canary.scenarios import Scenario, grid, small_grid
from bench.canary.score import Cell, Results, cell

SMALL_REPLICATES = 300
OUTSIDE_REPLICATES = 20


def main(arguments: list[str]) -> int:
    """Do what the arguments say, and return the exit code."""
    options = _parser().parse_args(arguments)
    if options.page:
        from bench.canary.page import write

        write(read(options.page))
        return 0
    scenarios = grid() if options.full else small_grid()
    if options.match:
        scenarios = [each for each in scenarios if options.match in each.key]
    began = monotonic()
    results: Results = {}
    try:
        for scenario, cells in _outside(scenarios, options) if options.judge else _run(scenarios, options):
            results[scenario.key] = cells
            print(f"{monotonic() - began:6.0f} s  {scenario.family}: {scenario.key}", file=sys.stderr)
            if options.save:
                merge(options.save, {scenario.key: cells})
    except OutsideError as error:
        print(f"bench canary: {error}", file=sys.stderr)
        return 2
    if options.output == "json":
        print(
            json.dumps(
                {key: {name: each.json() for name, each in cells.items()} for key, cells in results.items()}
            )
        )
    else:
        print(tables.text(scenarios, results))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev bench canary", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="all scenarios and replicates instead of the small grid"
    )
    parser.add_argument("--judge", metavar="COMMAND", help="a judge from outside, by JSON lines")
    parser.add_argument("--ladder", metavar="PERCENT,…", help="the weights it is run on, below 100 (1,5,25,50)")
    parser.add_argument("--watches", action="store_true", help="ask it at 100 %% as well")
    parser.add_argument("--rollouts", type=int, help="how many of each scenario")
    parser.add_argument("--match", metavar="TEXT", help="only scenarios with this in their name")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this contestant; more than once")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes")
    parser.add_argument("--save", type=Path, metavar="FILE", help="merge the results into a file, as they come")
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="write the page and its plots from such a file"
    )
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    return parser


def _outside(
    scenarios: Iterable[Scenario], options: argparse.Namespace
) -> Iterator[tuple[Scenario, dict[str, Cell]]]:
    """Run a judge from outside on what it can be told: it hears of errors and latencies, not of purchases."""
    ladder = tuple(float(part) / 100 for part in options.ladder.split(",")) if options.ladder else LADDER
    rollouts = options.rollouts or OUTSIDE_REPLICATES
    for scenario in scenarios:
        if not scenario.fewer_is_worse:
            with contestant(options.judge, ladder, rollouts, options.watches) as judge:
                yield scenario, _cells(scenario, (judge,), rollouts)


def _run(
    scenarios: Iterable[Scenario], options: argparse.Namespace
) -> Iterator[tuple[Scenario, dict[str, Cell]]]:
    """Run scenarios one after another, or several at once; results come in their order."""
    job = partial(_job, only=options.only, rollouts=_rollouts(options), full=options.full)
    scenarios = [each for each in scenarios if _chosen(each, options.only)]
    if options.jobs == 1:
        yield from zip(scenarios, map(job, scenarios), strict=True)
        return
    with ProcessPoolExecutor(options.jobs) as pool:
        yield from zip(scenarios, pool.map(job, scenarios), strict=True)


def _rollouts(options: argparse.Namespace) -> int | None:
    return options.rollouts or (None if options.full else SMALL_REPLICATES)


def _chosen(scenario: Scenario, only: list[str] | None) -> tuple[Contestant, ...]:
    return tuple(each for each in taking_part(scenario) if not only or each.name in only)


def _job(scenario: Scenario, only: list[str] | None, rollouts: int | None, full: bool) -> dict[str, Cell]:
    return _cells(scenario, _chosen(scenario, only), rollouts or scenario.replicates)


def _cells(scenario: Scenario, contestants: tuple[Contestant, ...], rollouts: int) -> dict[str, Cell]:
    return {name: cell(outcome) for name, outcome in run(scenario, contestants, rollouts).items()}


FIELDS = tuple(each.name for each in fields(Cell))


def read(path: Path) -> Results:
    """Read results from a file: the names of a cell's fields, and its values by scenario and judge."""
    told = json.loads(path.read_text())
    return {
        key: {name: Cell(**dict(zip(told["fields"], values, strict=True))) for name, values in cells.items()}
        for key, cells in told["cells"].items()
    }


def merge(path: Path, results: Results) -> None:
    """Write results into a file beside what it has of other contestants and scenarios, a line for each cell."""
    known = read(path) if path.exists() else {}
    for key, cells in results.items():
        known.setdefault(key, {}).update(cells)
    blocks = (
        f"{_text(key)}: {{\n"
        + ",\n".join(f"{_text(name)}: {_text(list(each.json().values()))}" for name, each in cells.items())
        + "\n}"
        for key, cells in known.items()
    )
    path.write_text(f'{{"fields": {_text(FIELDS)},\n"cells": {{\n' + ",\n".join(blocks) + "\n}}\n")


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
