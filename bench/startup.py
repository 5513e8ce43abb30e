"""How long a person waits for the command itself; `python -c pass` beside it is the floor.

The budgets are held against the processor time of the process, which is what one waits for on an idle
machine. The time on the wall is told beside it: on a busy machine it says more about the others.
"""

import os
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
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(ROUNDS + 1):
        for name, (command, _) in commands.items():
            times = run(command)
            if turn:  # the first one reads everything from the disk
                taken[name].append(times)
    figures = []
    for name, (_, budget) in commands.items():
        processor, wall = (median(list(times)) for times in zip(*taken[name], strict=True))
        figures.append(Figure(f"{name}: processor, median", processor, "ms", ROUNDS, budget))
        figures.append(Figure(f"{name}: wall, median", wall, "ms", ROUNDS))
    return figures


def run(command: list[str]) -> tuple[float, float]:
    """Run a command as one that is installed runs, and return milliseconds of the processor and on the wall."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    quiet = subprocess.DEVNULL
    began = perf_counter()
    with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, command
    return 1000 * (used.ru_utime + used.ru_stime), 1000 * (perf_counter() - began)
