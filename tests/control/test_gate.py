"""Who waits at the gate is next, even when a loop goes in and out of it all the time."""

import threading

from davy.control.gate import Gate
from davy.testing.patience import until


def test_a_loop_that_never_rests_keeps_nobody_out() -> None:
    gate, turns, waited = Gate(), [0], list[int]()
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            with gate:
                turns[0] += 1

    def ask() -> None:
        for _ in range(50):
            with gate:
                began = turns[0]
            with gate:
                waited.append(turns[0] - began)

    threads = [threading.Thread(target=loop), *(threading.Thread(target=ask) for _ in range(4))]
    for thread in threads:
        thread.start()
    for thread in threads[1:]:
        thread.join()
    stop.set()
    threads[0].join()
    assert len(waited) == 200
    assert sorted(waited)[100] <= 2, waited


def test_it_is_handed_on_in_the_order_of_asking() -> None:
    gate, order = Gate(), list[int]()

    def ask(number: int) -> None:
        with gate:
            order.append(number)

    threads = []
    with gate:
        for number in range(5):
            threads.append(threading.Thread(target=ask, args=(number,)))
            threads[-1].start()
            until(lambda wanted=number + 1: len(gate._waiting) == wanted)  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert order == list(range(5))


def test_a_fault_inside_leaves_the_gate_open() -> None:
    gate = Gate()
    try:
        with gate:
            raise ValueError
    except ValueError:
        pass
    with gate:
        pass
