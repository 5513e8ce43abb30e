"""A service as small as it can be: it answers, it measures itself, it drains before it goes.

The release is the directory it is started in: `release.toml` there says how that version behaves. One with
`discount_default` asks for a flag, where the environment names a server of flags. All else is standard library
only, so that a replica is up in the blink of an eye.
"""

import asyncio
import bisect
import os
import signal
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

RELEASE = tomllib.loads(Path("release.toml").read_text())
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.4, 0.5, 1.0, 2.5, 5.0)
ANSWER = "HTTP/1.1 {} {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{}{}\r\n{}"

Discount = Callable[[str], tuple[bool, str]]
"""Says whether an account has the discount, and why."""


def no_discount(account: str) -> tuple[bool, str]:
    return False, "NOT_ASKED"


def discount_by_flag() -> Discount:
    """Follow the flags of the server that the environment names; when this returns, they are known."""
    from openfeature.evaluation_context import EvaluationContext

    from davy.openfeature import DavyProvider
    from openfeature import api

    api.set_provider_and_wait(DavyProvider.from_environment(os.environ))
    client, default = api.get_client(), RELEASE["discount_default"]

    def discount(account: str) -> tuple[bool, str]:
        who = EvaluationContext(account)
        details = client.get_boolean_details("checkout.discount-enabled", default, who)
        return details.value, str(details.reason)

    return discount


class Service:
    """Counts what it answers; of `fails_one_in` requests the one at `fails_at` fails, none when that is 0."""

    def __init__(self, discount: Discount) -> None:
        self.discount = discount
        self.answered = {200: 0, 500: 0}
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0
        self.draining = False

    async def work(self) -> tuple[int, str]:
        began = time.perf_counter()
        await asyncio.sleep(RELEASE["latency_s"])
        every = RELEASE["fails_one_in"]
        number = sum(self.answered.values()) + 1
        status = 500 if every and number % every == RELEASE["fails_at"] else 200
        self.answered[status] += 1
        took = time.perf_counter() - began
        self.seconds += took
        self.buckets[bisect.bisect_left(BUCKETS, took)] += 1
        return status, f"{RELEASE['service']} {RELEASE['version']}\n"

    def metrics(self) -> str:
        lines = [f'http_requests_total{{status="{status}"}} {count}' for status, count in self.answered.items()]
        total = 0
        for bound, count in zip((*BUCKETS, "+Inf"), self.buckets, strict=True):
            total += count
            lines.append(f'http_request_duration_seconds_bucket{{le="{bound}"}} {total}')
        lines += [
            f"http_request_duration_seconds_sum {self.seconds}",
            f"http_request_duration_seconds_count {total}",
        ]
        lines.append(f"{RELEASE['service']}_attempted_total {total}")
        lines.append(f"{RELEASE['service']}_authorised_total {self.answered[200]}")
        return "\n".join(lines) + "\n"

    async def answer(self, path: str) -> tuple[int, str, str]:
        match path:
            case "/healthz":
                return (503, "draining\n", "") if self.draining else (200, "ok\n", "")
            case "/metrics":
                return 200, self.metrics(), ""
            case _:
                status, body = await self.work()
                has, why = self.discount(f"acct-{sum(self.answered.values())}")
                return status, body, f"Discount: {'on' if has else 'off'} {why}\r\n"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                status, body, told = await self.answer(head.split(b" ", 2)[1].decode())
                last = self.draining or b"connection: close" in head.lower()
                reason, header = ("OK" if status == 200 else "Error"), ("Connection: close\r\n" if last else "")
                writer.write(ANSWER.format(status, reason, len(body), told, header, body).encode())
                await writer.drain()
                if last:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def main() -> None:
    asks = os.environ.get("DAVY_FLAGS_URL") and "discount_default" in RELEASE
    service, stop = Service(discount_by_flag() if asks else no_discount), asyncio.Event()
    server = await asyncio.start_server(service.serve, "127.0.0.1", int(os.environ["PORT"]))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    service.draining = True
    server.close()
    await asyncio.sleep(0.2)


asyncio.run(main())
