"""Take the figures that are named, or all of them: `python -m bench [NAME…] [-o json]`.

Exits 1 when one is over its budget. What cannot be taken here is said, and is no failure.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module

from bench.figure import Figure, Skipped

BENCHES = {
    "startup": "how long it takes until the command says something",
    "decision": "one decision about a rollout",
    "judge": "one scrape, taken in by the judge",
    "scale": "what many rollouts cost in one process",
    "policy_library": "a library of policies, beside regorus: what both decide, then how fast",
    "policy_pack": "the pack's own rules: reading them, and asking all of them about one object",
    "policy_check": "`davy check`: the example, and a thousand manifests, gates and pack",
    "policy_admission": "the admission webhook over TLS, asked 200 times a second",
    "promql": "the seed's queries in process and by a Prometheus over HTTP",
    "abort": "from the verdict to no more traffic on the canary, acknowledged by Envoy",
    "switch": "from the decision to switch sides until all users are on the other one",
    "traffic": "requests that fail while weights move, replicas come and go",
    "worlds": "simulated worlds: how many a second, and how many break an invariant",
    "ledger": "the ledger in SQLite: durable appends beside fsyncs of the disk, kills and faults",
    "ledger_postgres": "the ledger on PostgreSQL, beside SQLite: durable events a second",
    "dora": "delivery metrics of a million and of ten million events, and of a stream as it comes",
    "flags": "evaluations, new documents, and seven peers on the same flags",
    "flag_lint": "code that is read for flags: a million lines, with a cache, and what a change is about",
    "flag_kill": "from a kill of a flag to fifty clients that listen, and their documents",
    "org": "a hundred rollouts for six weeks of virtual time",
}

CANARY = "canary"
"""Judges of canaries, judged: no figure with a budget but a grid of scenarios, with options of its own."""

TOGETHER = {"policy": [name for name in BENCHES if name.startswith("policy_")]}
"""Names for several figures in one go."""


def main() -> int:
    """Measure, and say what came of it."""
    if sys.argv[1:2] == [CANARY]:
        judged: Callable[[list[str]], int] = import_module("bench.canary.command").main
        return judged(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join((*BENCHES, *TOGETHER, CANARY)))
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    options = parser.parse_args()
    names = [name for given in options.names or BENCHES for name in TOGETHER.get(given, [given])]
    if unknown := [name for name in names if name not in BENCHES]:
        parser.error(f"there is no figure called {unknown[0]}; there are {', '.join((*BENCHES, *TOGETHER))}")
    taken: dict[str, list[Figure]] = {}
    skipped: dict[str, str] = {}
    say = print if options.output == "text" else _quiet
    say(machine())
    for name in names:
        say(f"\n{name}: {BENCHES[name]}")
        measure: Callable[[], list[Figure]] = import_module(f"bench.{name}").measure
        try:
            taken[name] = measure()
        except Skipped as reason:
            skipped[name] = str(reason)
            say(f"  - skipped: {reason}")
        for figure in taken.get(name, []):
            say(line(figure))
    if options.output == "json":
        figures = {name: [asdict(figure) for figure in found] for name, found in taken.items()}
        print(json.dumps({"machine": machine(), "figures": figures, "skipped": skipped}, indent=2))
    return 0 if all(figure.kept for found in taken.values() for figure in found) else 1


def machine() -> str:
    """Say what it was measured on."""
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {platform.machine()}, Python {platform.python_version()}, {platform.system()}"


def line(figure: Figure) -> str:
    """Write a figure as a line: measured, budget, how many."""
    mark = " " if figure.budget is None else "✔" if figure.kept else "✖"
    budget = "" if figure.budget is None else f"budget {figure.budget:g} {figure.unit}"
    return f"  {mark} {figure.name:<52} {figure.measured:>9.4g} {figure.unit:<9} {budget:<22} n={figure.n}"


def _quiet(_: str) -> None:
    """Say nothing."""


if __name__ == "__main__":
    sys.exit(main())
