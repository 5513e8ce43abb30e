"""A small service to put behind Davy: `python upstream.py`, told by its environment what to be.

PORT       where it listens
VERSION    what it answers and the `x-app-version` header
ERROR_RATE share of requests that fail with 500, evenly spread (0.25: every fourth)
DELAY_MS   how long an answer takes
START_MS   how long it takes before it listens
EXIT_AFTER_MS, EXIT_CODE   when to crash, and with what

/healthz answers 200 until it drains or someone asks /break (until /mend); /metrics counts; /slow?ms=300 takes
its time; /crash ends the process at once; /environment shows what it was started with.
On SIGTERM it stops listening, finishes what it has begun and closes its connections.
"""

import asyncio
import json
import os
import signal
import sys

PORT = int(os.environ["PORT"])
VERSION = os.environ.get("VERSION", "1")
ERROR_RATE = float(os.environ.get("ERROR_RATE", "0"))
DELAY_S = float(os.environ.get("DELAY_MS", "0")) / 1000
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class App:
    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.durations: list[float] = []
        self.debt = 0.0
        self.in_flight = 0
        self.draining = False
        self.broken = False

    async def answer(self, path: str) -> tuple[int, str]:
        route, _, query = path.partition("?")
        match route:
            case "/healthz":
                return (503 if self.draining or self.broken else 200), "ok"
            case "/metrics":
                return 200, self.metrics()
            case "/environment":
                return 200, json.dumps({"environment": dict(os.environ), "argv": sys.argv})
            case "/break" | "/mend":
                self.broken = route == "/break"
                return 200, "ok"
            case "/pid":
                return 200, str(os.getpid())
            case "/nowhere":
                return 404, "no"
            case "/crash":
                os._exit(int(query or "1"))
        delay_s = float(query.removeprefix("ms=")) / 1000 if route == "/slow" else DELAY_S
        self.in_flight += 1
        await asyncio.sleep(delay_s)
        self.in_flight -= 1
        self.debt += ERROR_RATE
        status = 200 if self.debt < 1 else 500
        self.debt -= status == 500
        self.counts[status] = self.counts.get(status, 0) + 1
        self.durations.append(delay_s)
        return status, VERSION

    def metrics(self) -> str:
        lines = ["# TYPE http_requests_total counter"]
        lines += [f'http_requests_total{{status="{status}"}} {count}' for status, count in self.counts.items()]
        lines.append("# TYPE http_request_duration_seconds histogram")
        for limit in (*BUCKETS, float("inf")):
            le = "+Inf" if limit == float("inf") else str(limit)
            below = sum(duration <= limit for duration in self.durations)
            lines.append(f'http_request_duration_seconds_bucket{{le="{le}"}} {below}')
        lines.append(f"http_request_duration_seconds_sum {sum(self.durations)}")
        lines.append(f"http_request_duration_seconds_count {len(self.durations)}")
        return "\n".join(lines) + "\n"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                status, body = await self.answer(head.split(b" ", 2)[1].decode())
                close = "connection: close\r\n" if self.draining else ""
                writer.write(
                    f"HTTP/1.1 {status} Whatever\r\nx-app-version: {VERSION}\r\n"
                    f"content-length: {len(body.encode())}\r\n{close}\r\n{body}".encode()
                )
                await writer.drain()
                if self.draining:
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the user has gone, or we are going
        finally:
            writer.close()


async def main() -> None:
    app = App()
    await asyncio.sleep(float(os.environ.get("START_MS", "0")) / 1000)
    server = await asyncio.start_server(app.serve, "127.0.0.1", PORT, backlog=512)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if "EXIT_AFTER_MS" in os.environ:
        code = int(os.environ.get("EXIT_CODE", "1"))
        loop.call_later(float(os.environ["EXIT_AFTER_MS"]) / 1000, os._exit, code)
    sys.stderr.write(f"version {VERSION} on port {PORT}\n")
    await stop.wait()
    app.draining = True
    server.close()
    while app.in_flight:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(main())
