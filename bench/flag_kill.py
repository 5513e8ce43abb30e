"""From a kill of a flag to the clients that listen to a server's stream: told of it, and with its document."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.figure import Figure, percentile
from davy.adapters.memory_flags import MemoryFlags
from davy.flags.token import Edge, Token, Tokens, hashed
from davy.serve.flags_app import flags_group
from davy.serve.http import Http
from davy.serve.server import Server

KILLS = 200
CLIENTS = 50
FLAGS = 100
BUDGET_MS = 1000.0
PAUSE_S = 0.02
"""Between two kills, so that what is measured is a kill and not a queue of them."""

_SECRET = "secret-of-the-bench"


@dataclass
class Known:
    """The one token there is."""

    tokens: Tokens = field(
        default_factory=lambda: Tokens([Token("bench", hashed(_SECRET), Edge.SERVER, 0.0, keys=("*",))])
    )
    doubt: str = ""


def measure() -> list[Figure]:
    """Kill and restore one flag among many, and see when each client has heard of it, and has the document."""
    flags = MemoryFlags(document(0))
    group = flags_group(flags, Known(), wall=time.time, report=lambda number, trace: print(trace))
    with Server(Http([group]), None, "127.0.0.1", 0) as server, clients(server.port) as told:
        cpu = time.process_time()
        for number in range(1, KILLS + 1):
            told.expect()
            began = time.perf_counter()
            flags.publish(document(number))
            told.wait(number + 1, began)
            time.sleep(PAUSE_S)
        cpu = time.process_time() - cpu
    name = f"kill → {CLIENTS} clients"
    count = KILLS * CLIENTS
    return [
        Figure(f"{name}: told, p50", percentile(told.heard_ms, 50), "ms", count),
        Figure(f"{name}: told, p99", percentile(told.heard_ms, 99), "ms", count, BUDGET_MS),
        Figure(f"{name}: document there, p50", percentile(told.held_ms, 50), "ms", count),
        Figure(f"{name}: document there, p99", percentile(told.held_ms, 99), "ms", count, BUDGET_MS),
        Figure(f"{name}: processor time of both sides, a kill", cpu * 1000 / KILLS, "ms", KILLS),
    ]


def document(number: int) -> bytes:
    """Write the flags; the first is off after every other kill."""
    variants = {"on": True, "off": False}
    rule = {"if": [{"ends_with": [{"var": "email"}, "@davy.dev"]}, "on", "off"]}
    flags = {
        f"checkout.flag-{each}": {
            "state": "ENABLED",
            "variants": variants,
            "defaultVariant": "on" if each or number % 2 == 0 else "off",
            **({"targeting": rule} if each else {}),
        }
        for each in range(FLAGS)
    }
    return json.dumps({"flags": flags}).encode()


class Told:
    """What the clients heard, and when."""

    def __init__(self) -> None:
        self.heard_ms: list[float] = []
        self.held_ms: list[float] = []
        self._lock = threading.Condition()
        self._events: list[tuple[int, float, float]] = []

    def expect(self) -> None:
        """Begin a kill."""
        with self._lock:
            self._events.clear()

    def hear(self, version: int, heard: float, held: float) -> None:
        """Take in that a client has a version."""
        with self._lock:
            self._events.append((version, heard, held))
            self._lock.notify()

    def wait(self, version: int, began: float) -> None:
        """Wait until all clients have it."""
        with self._lock:
            done = self._lock.wait_for(lambda: len(self._of(version)) >= CLIENTS, timeout=10)
            assert done, f"{len(self._of(version))} of {CLIENTS} have heard of version {version}"
            self.heard_ms += [(heard - began) * 1000 for _, heard, _ in self._of(version)]
            self.held_ms += [(held - began) * 1000 for _, _, held in self._of(version)]

    def _of(self, version: int) -> list[tuple[int, float, float]]:
        return [event for event in self._events if event[0] == version]


@contextmanager
def clients(port: int) -> Iterator[Told]:
    """Let clients listen while the block lasts, in a thread of their own."""
    told = Told()
    runner = asyncio.Runner()
    listening = runner.get_loop().create_task(_listen_all(port, told))
    thread = threading.Thread(target=lambda: runner.run(_ended(listening)))
    thread.start()
    told.wait(1, time.perf_counter())
    told.heard_ms.clear()
    told.held_ms.clear()
    try:
        yield told
    finally:
        runner.get_loop().call_soon_threadsafe(listening.cancel)
        thread.join()
        runner.close()


async def _listen_all(port: int, told: Told) -> None:
    await asyncio.gather(*(_listen(port, told) for _ in range(CLIENTS)))


async def _ended(task: "asyncio.Task[None]") -> None:
    await asyncio.wait([task])


async def _listen(port: int, told: Told) -> None:
    """Listen to a stream, and fetch the document whenever it says that there is another."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_request("/flags/v1/stream"))
    fetching = await asyncio.open_connection("127.0.0.1", port)
    while line := await reader.readline():
        if line.startswith(b"data: "):
            heard = time.perf_counter()
            version = await _fetch(*fetching)
            told.hear(version, heard, time.perf_counter())


async def _fetch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    writer.write(_request("/flags/v1/document"))
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    await reader.readexactly(int(headers["content-length"]))
    return int(headers["davy-flags-version"])


def _request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {_SECRET}\r\n\r\n".encode()
