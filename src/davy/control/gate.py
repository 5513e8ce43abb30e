"""A lock that is handed on in the order of asking."""

import threading
from collections import deque
from types import TracebackType


class Gate:
    """Lets one in at a time, first come, first served.

    A loop that takes a plain lock again right after it let go of it keeps everyone else out for as long as it
    likes; here it stands at the end of the line. Nobody may enter who is inside already.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._waiting = deque[threading.Lock]()

    def __enter__(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()  # until it is handed on

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
