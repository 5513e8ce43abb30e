"""A network between a store and its server that fails at the worst moment: when a COMMIT is under way."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

SYNC = b"S\0\0\0\4"
"""Asks the server for its answers."""

Cut = Literal["before", "after"]
"""Whether the server is to hear of the COMMIT that the client never gets an answer to."""


class Network:
    """Forwards connections; of those that are made while `cut` is set, the first that commits is cut."""

    def __init__(self, port: int) -> None:
        self.cut: Cut | None = None
        self.cuts = 0
        self._target = port
        self._ends = list[socket.socket]()
        self._threads = list[threading.Thread]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._run(self._serve)

    def close(self) -> None:
        """End every connection, and accept no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in [self._listener, *self._ends]:
            end.close()

    def _run(self, work: Callable[..., None], *given: object) -> None:
        self._threads.append(threading.Thread(target=work, args=given))
        self._threads[-1].start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._ends += [client, server]
                gone, answered = threading.Event(), threading.Event()
                self._run(self._forward, client, server, gone, answered)
                self._run(self._answer, server, client, gone, answered)

    def _forward(
        self, client: socket.socket, server: socket.socket, gone: threading.Event, answered: threading.Event
    ) -> None:
        with suppress(OSError):
            while said := client.recv(1 << 16):
                if self.cut is not None and b"COMMIT" in said:
                    how, self.cut = self.cut, None
                    self.cuts += 1
                    gone.set()
                    if how == "after":
                        server.sendall(said + SYNC)
                        answered.wait(10)
                    break
                server.sendall(said)
        for each in (client, server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _answer(
        self, server: socket.socket, client: socket.socket, gone: threading.Event, answered: threading.Event
    ) -> None:
        with suppress(OSError):
            while said := server.recv(1 << 16):
                if gone.is_set():
                    answered.set()
                    break
                client.sendall(said)


@contextmanager
def network(port: int) -> Iterator[Network]:
    """Put one before a server."""
    made = Network(port)
    try:
        yield made
    finally:
        made.close()
