"""What it costs to take in one scrape, and to say what comes of it."""

import random
from collections.abc import Callable
from time import process_time

from bench.figure import Figure, median
from davy.analysis.judge import Judge, JudgeState, Scrape, Side, observe, start, verdict
from davy.analysis.judge.settings import ERRORS, LATENCIES

TICKS, ROUNDS = 360, 15
BUCKETS = 80


def measure() -> list[Figure]:
    """Judge half an hour of scrapes again and again, errors alone and with a latency."""
    race = _each(Judge(metrics=(ERRORS,)), lambda scrape, state: observe(state, scrape))
    latency = _each(Judge(metrics=(LATENCIES,)), lambda scrape, state: observe(state, scrape))
    said = _each(Judge(), _told)
    n = ROUNDS * TICKS
    return [
        Figure("one scrape of error counters, processor time", race, "ms", n, 0.2),
        Figure(f"one scrape of a latency, {BUCKETS} buckets", latency, "ms", n, 1.0),
        Figure("both, and the verdict", said, "ms", n),
    ]


def _told(scrape: Scrape, state: JudgeState) -> JudgeState:
    state = observe(state, scrape)
    verdict(state, scrape.at)
    return state


def _each(judge: Judge, take: Callable[[Scrape, JudgeState], JudgeState]) -> float:
    """Return the milliseconds of one scrape, as the median of rounds."""
    scrapes, times = _scrapes(), []
    for _ in range(ROUNDS):
        state = start(judge)
        began = process_time()
        for scrape in scrapes:
            state = take(scrape, state)
        times.append(1000 * (process_time() - began) / len(scrapes))
    return median(times)


def _scrapes() -> list[Scrape]:
    rng = random.Random(1)
    canary, stable, scrapes = Side(), Side(), []
    for number in range(-60, TICKS - 60):
        weight = 0.05 if number > 0 else 0.0
        canary += _side(rng, 500 if weight else 0)
        stable += _side(rng, 9500)
        scrapes.append(Scrape(5.0 * number, weight, canary, stable))
    return scrapes


def _side(rng: random.Random, requests: int) -> Side:
    counts = [0] * BUCKETS
    for _ in range(min(requests, 400)):
        counts[min(BUCKETS - 1, max(0, round(rng.gauss(35, 8))))] += max(1, requests // 400)
    return Side(sum(counts), rng.randint(0, 2 + requests // 1000), tuple(counts))
