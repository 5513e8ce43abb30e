"""How long a person waits for the command itself; `python -c pass` beside it is the floor."""

import subprocess
import sys
from pathlib import Path
from time import perf_counter

from bench.figure import Figure, median

ROUNDS = 21


def measure() -> list[Figure]:
    """Run the commands in turns, so that whatever disturbs the machine disturbs all of them."""
    davy = str(Path(sys.executable).with_name("davy"))
    commands = {
        "davy --version": ([davy, "--version"], 80.0),
        "davy --help": ([davy, "--help"], 150.0),
        "python -c pass, to compare with": ([sys.executable, "-c", "pass"], None),
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(ROUNDS + 1):
        for name, (command, _) in commands.items():
            began = perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            if turn:  # the first one reads everything from the disk
                times[name].append(1000 * (perf_counter() - began))
    return [
        Figure(f"{name}, median", median(times[name]), "ms", ROUNDS, budget)
        for name, (_, budget) in commands.items()
    ]
