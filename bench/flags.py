"""Flags: an evaluation, governed and through OpenFeature; a new document; and the peers on the same flags.

The peers are installed into an environment of their own, once, by `bench/flags-peers.txt`; where that cannot be
had, it is said why, and only Davy's own figures are taken. Each of them has to give the same answers first.
"""

import json
import os
import subprocess
import sys
import threading
import venv
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import fmean, median
from time import perf_counter, process_time, thread_time
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from bench.figure import Figure, Skipped, percentile
from bench.flags_corpus import ATTRIBUTES, EACH, KINDS, NAMES, USERS, Ask, flagd, microseconds, wrong
from davy.flags import FlagType, load
from davy.flags.targeting.compiler import shape
from davy.openfeature import Client, DavyProvider
from openfeature import api

HERE = Path(__file__).parent
PEERS = HERE / "flags-peers.txt"
MANY = 10_000
ROUNDS = 5
SHARE = 0.2
"""The most of a peer's time that Davy may take for five clauses: five times as fast."""

WORDS = {"s": "the same for all", "e": "one clause", "f": "half of the users drawn", "g": "five clauses"}


def measure() -> list[Figure]:
    """Evaluate, compile and swap; then ask the peers about the same flags."""
    text = json.dumps(flagd()).encode()
    contexts = [{"targetingKey": name, **about} for name, about in zip(NAMES, ATTRIBUTES, strict=True)]
    flags = load(text)
    raw = _times(lambda key, user: bool(flags.evaluate(key, FlagType.BOOLEAN, False, contexts[user]).value))
    own = [_figure(f"evaluate: {WORDS[kind]}", raw[kind], 1.5) for kind in KINDS]
    return [*own, *_governed(text, contexts), *_compiled(text), *_swapped(), *_beside(raw["g"])]


def _figure(name: str, measured: float, budget: float | None = None) -> Figure:
    return Figure(f"{name}, processor", measured, "µs", EACH * USERS, budget)


def _times(ask: Ask) -> dict[str, float]:
    if mistakes := wrong(ask):
        raise AssertionError(f"answered otherwise: {'; '.join(mistakes)}")
    return microseconds(ask)


def _governed(text: bytes, contexts: list[dict[str, Any]]) -> list[Figure]:
    """Ask by the provider, with gate and counts: directly, and through the client of OpenFeature."""
    provider = DavyProvider.from_text(text)
    api.set_provider_and_wait(provider, "bench")
    try:
        client = Client(provider)
        fast = _times(lambda key, user: client.get_boolean_value(key, False, contexts[user]))
        users = [EvaluationContext(name, about) for name, about in zip(NAMES, ATTRIBUTES, strict=True)]
        standard = api.get_client("bench")
        slow = _times(lambda key, user: standard.get_boolean_value(key, False, users[user]))
        api.set_provider_and_wait(
            InMemoryProvider({f"s_{at}": InMemoryFlag("on", {"on": True}) for at in range(EACH)}), "memory"
        )
        bare = api.get_client("memory")
        memory = microseconds(lambda key, user: bare.get_boolean_value(key, False, users[user]), "s")
    finally:
        api.shutdown()
    return [
        *(_figure(f"governed and counted: {WORDS[kind]}", fast[kind], 1.5) for kind in KINDS),
        *(_figure(f"through OpenFeature's client: {WORDS[kind]}", slow[kind]) for kind in "sg"),
        _figure("the same client with OpenFeature's own provider", memory["s"]),
        _figure("what five clauses take beyond that", slow["g"] - memory["s"], 2.0),
    ]


def _compiled(text: bytes) -> list[Figure]:
    """Compile flags when they are first asked for: of shapes that were met before, and of new ones."""
    known, new = _first_asked(text, forgetting=False), _first_asked(text, forgetting=True)
    return [
        Figure("compile a flag and ask it, mean, processor", _mean(known), "µs", ROUNDS, 100.0),
        Figure("the same, five clauses, median, processor", median(known["g"]), "µs", len(known["g"]), 100.0),
        Figure("the same, mean, each of a new shape, processor", _mean(new), "µs", ROUNDS),
        Figure("the same, five clauses, each of a new shape, processor", median(new["g"]), "µs", len(new["g"])),
    ]


def _first_asked(text: bytes, *, forgetting: bool) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(ROUNDS):
        flags = load(text)
        for key in flags.keys():  # noqa: SIM118 - it is a set of flags, and no mapping
            if forgetting:
                shape.cache_clear()
            found[key[0]].append(_timed(partial(flags.evaluate, key, FlagType.BOOLEAN, False, {})) * 1e6)
    return found


def _mean(times: Mapping[str, list[float]]) -> float:
    return fmean([each for kind in times.values() for each in kind])


def _swapped() -> list[Figure]:
    """Read a large document, compile it, and put one after another in its place while somebody asks."""
    texts = [_many(at) for at in range(2)]
    read = [_timed(lambda: load(texts[0])) * 1e3 for _ in range(ROUNDS)]
    compiled = _timed(load(texts[0]).prepare) * 1e3
    provider = DavyProvider.from_text(texts[0])
    provider.initialize()
    swaps: list[float] = []
    done = threading.Event()

    def swap() -> None:
        for at in range(ROUNDS * 2):
            began = thread_time()
            provider.put(texts[(at + 1) % 2])
            swaps.append((thread_time() - began) * 1e3)
        done.set()

    waited: list[float] = []
    thread = threading.Thread(target=swap)
    thread.start()
    while not done.is_set():
        began = perf_counter()
        found = provider.evaluate("g_0_0", FlagType.BOOLEAN, None, {})
        waited.append((perf_counter() - began) * 1e3)
        assert found.value is False
    thread.join()
    provider.shutdown()
    size = f"{MANY:,} flags"
    return [
        Figure(f"read a document of {size}, processor, median", median(read), "ms", ROUNDS),
        Figure(f"compile its {size}, 4 rules, processor", compiled, "ms", 1, MANY * 0.1),
        Figure(f"take up that one of {size} was toggled, processor, median", median(swaps), "ms", len(swaps)),
        Figure(f"evaluate while {size} are swapped, wall, p99", percentile(waited, 99), "ms", len(waited)),
        Figure(f"evaluate while {size} are swapped, wall, longest", max(waited), "ms", len(waited)),
    ]


def _many(version: int) -> bytes:
    """Write a large document, of which one flag is another one in each version."""
    few = flagd()
    flags = {
        f"{key}_{at}": flag for at in range(MANY // len(few["flags"])) for key, flag in few["flags"].items()
    }
    flags["s_0_0"] = {**flags["s_0_0"], "metadata": {"toggled": version}}
    return json.dumps({**few, "flags": flags, "metadata": {"version": str(version)}}).encode()


def _beside(five: float) -> list[Figure]:
    """Ask the peers, and say how much of their time Davy takes."""
    try:
        told = _peers()
    except Skipped as reason:
        print(f"  - the peers are not asked: {reason}", file=sys.stderr)
        return []
    figures = []
    for name, times in told.items():
        if isinstance(times, str):
            print(f"  - {name} is not compared: {times}", file=sys.stderr)
            continue
        figures += [_figure(f"{name}: {WORDS[kind]}", times[kind]) for kind in KINDS]
        share = five / times["g"]
        figures.append(Figure(f"five clauses, Davy's share of {name}", share, "of 1", EACH * USERS, SHARE))
    return figures


def _peers() -> dict[str, Any]:
    """Return the times of the peers by name, or a sentence why there are none.

    Raises:
        Skipped: their environment cannot be had.
    """
    python = _environment()
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    ran = subprocess.run(
        [python, "-m", "bench.flags_peers"], capture_output=True, text=True, env=environment, check=False
    )
    if ran.returncode:
        raise Skipped(ran.stderr.strip().splitlines()[-1])
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told


def _environment() -> Path:
    """Return the Python that has the peers; it is made once for each state of their list.

    Raises:
        Skipped: it cannot be made.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "davy-bench"
    place = cache / f"flags-peers-{sha256(PEERS.read_bytes()).hexdigest()[:12]}"
    python = place / "bin" / "python"
    if (place / "complete").exists():
        return python
    try:
        venv.create(place, with_pip=True, clear=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Skipped(f"no environment can be made for them: {error}") from error
    install = [str(python), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(PEERS)]
    ran = subprocess.run(install, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise Skipped(f"they cannot be installed: {(ran.stderr.strip().splitlines() or ['no reason'])[-1]}")
    (place / "complete").touch()
    return python


def _timed(work: Callable[[], object]) -> float:
    began = process_time()
    work()
    return process_time() - began
