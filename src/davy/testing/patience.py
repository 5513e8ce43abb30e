"""Waiting for something to become true, with an end to it: the one way tests wait for the world."""

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def until(
    ask: Callable[[], Answer], *, seconds: float = 20.0, why: Callable[[], object] = lambda: ""
) -> Answer:
    """Ask until the answer is true and return it.

    Asking often and for long makes a test quick where the machine is, and patient where it is not.

    Raises:
        AssertionError: it did not become true in time; the message has the last answer and what `why` says.
    """
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {answer!r} {why()}")
        time.sleep(0.002)
    return answer
