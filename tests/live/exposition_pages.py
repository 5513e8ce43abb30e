"""One exposition that changes: the pages of a workload that is scraped, and the server that shows them.

Whatever a page may hold is in here: counters that are reset, gauges, classic histograms, summaries, NaN and
infinities, series that go and come back, labels with odd characters and with names that clash, timestamps,
comments, lines that repeat a series, a page that is none and a page that cannot be had.

Values are multiples of 1/8 and small, so that sums of them are exact in whatever order they are added.
"""

import math
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from davy.adapters.ports import free_port

PAGES = 60
UNREADABLE, MISSING = 33, 41
"""The page on which one line is none, and the page in whose place there is an error."""

RESTART = 25
"""The page with which every counter starts from zero."""

CODES = ("200", "404", "500")
BOUNDS = ("0.125", "0.25", "0.5", "1", "2.5", "+Inf")
SPECIALS = ("NaN", "+Inf", "1", "-Inf", "0", "-1", "3.5", "2e1", "Inf", "nan", "-0", "+.5E+1")


def page(number: int) -> str:
    """Give a page; its own number is on it, as `page_number`.

    The line that cannot be read comes first: Prometheus keeps the series alive that stand before such a line,
    though it takes none of their values. Davy ends all of them.
    """
    broken = ['half_a_line{label="val'] if number == UNREADABLE else []
    return "\n".join([*broken, "# a comment of no kind", f"page_number {number}", *_texts()[number], ""])


@cache
def _texts() -> tuple[list[str], ...]:
    chance = random.Random(7)
    parts = (_requests(chance), _durations(chance), _gauges(chance), _oddities(), _comings_and_goings())
    return tuple([line for lines in lot for line in lines] for lot in zip(*parts, strict=True))


def _requests(chance: random.Random) -> Iterator[list[str]]:
    """Counters: all are reset by a restart, and each now and then by itself."""
    series = [
        f'http_requests_total{{app="{app}",code="{code}",method="{method}"}}'
        for app in ("payments", "orders")
        for code in CODES
        for method in ("GET", "POST")
    ]
    counts = dict.fromkeys(series, 0)
    for number in range(PAGES):
        head = [
            "# HELP http_requests_total Requests, \\\\ and a line\\nbreak.",
            "# TYPE http_requests_total counter",
        ]
        for name in series:
            reset = number == RESTART or chance.random() < 0.02
            counts[name] = (0 if reset else counts[name]) + chance.randrange(20 if '"200"' in name else 3)
        yield [*head, *(f"{name} {count}" for name, count in counts.items())]


def _durations(chance: random.Random) -> Iterator[list[str]]:
    """A classic histogram of two paths, and a summary that has seen nothing at first."""
    counts = {path: [0] * len(BOUNDS) for path in ("/a", "/b")}
    sums = dict.fromkeys(counts, 0.0)
    for number in range(PAGES):
        lines = ["# TYPE duration_seconds histogram"]
        for path, buckets in counts.items():
            if number == RESTART:
                buckets[:], sums[path] = [0] * len(BOUNDS), 0.0
            for _ in range(chance.randrange(6)):
                slowness = chance.randrange(len(BOUNDS))
                buckets[:] = [count + (at >= slowness) for at, count in enumerate(buckets)]
                sums[path] += slowness / 4
            for bound, count in zip(BOUNDS, buckets, strict=True):
                lines.append(f'duration_seconds_bucket{{path="{path}",le="{bound}"}} {count}')
            lines += [
                f'duration_seconds_sum{{path="{path}"}} {sums[path]}',
                f'duration_seconds_count{{path="{path}"}} {buckets[-1]}',
            ]
        seen = "NaN" if number < 20 else str(number / 8)
        lines += [
            "# TYPE rpc_seconds summary",
            *(f'rpc_seconds{{quantile="{q}"}} {seen}' for q in ("0.5", "0.9")),
        ]
        yield [*lines, f"rpc_seconds_sum {number * 0.25}", f"rpc_seconds_count {number}"]


def _gauges(chance: random.Random) -> Iterator[list[str]]:
    """Gauges, no two alike at any time, so that `topk` has no choice; and what others are joined with."""
    for number in range(PAGES):
        values = chance.sample(range(-400, 800), 6)
        yield [
            "# TYPE temperature gauge",
            *(
                f'temperature{{app="{app}",room="{room}"}} {values.pop() / 8}'
                for app in ("payments", "orders")
                for room in ("a", "b", "c")
            ),
            *(f'app_info{{app="{app}",version="v{number // 20}"}} 1' for app in ("payments", "orders")),
            *(f'ready{{app="{app}"}} {int(chance.random() > 0.2)}' for app in ("payments", "orders")),
            *(f'twin_{name}{{app="payments"}} {number}' for name in ("one", "two")),
            f"born {1_700_000_000 + number * 86_400 * 31}",
        ]


def _oddities() -> Iterator[list[str]]:
    for number in range(PAGES):
        value = SPECIALS[number % len(SPECIALS)]
        yield [
            "",
            "   # HELP indented is a comment, too",
            "#",
            "# UNIT specials seconds",
            f'specials{{kind="mixed"}} {value}',
            f'specials{{kind="nan"}} {"NaN" if number % 3 else number}',
            f'specials{{kind="infinite"}} {SPECIALS[1] if number % 2 else SPECIALS[3]}',
            f'odd{{text="line\\nbreak"}} {number}',
            f'odd{{text="München 日本 🔥"}} {number}',
            f'odd{{text="quote\\"back\\\\slash"}} {number}',
            f'odd{{text="a # no comment }} , ="}} {number}',
            f'odd{{text="{{}}",}} {number}',
            f'odd{{ text = "blanks" , }}  \t{number}  ',
            f'odd{{text="",other="empty"}} {number}',
            f'clashing{{pod="mine",job="mine",instance="",exported_pod="theirs"}} {number}',
            f"with_a_timestamp {number} 1600000000000",
            f'repeated{{x="1"}} {number}',
            f'repeated{{x="1"}} {number + 1}',
            f'strange_bucket{{le="-5"}} {number}',
            f'strange_bucket{{le="1e0"}} {number + 2}',
            f'strange_bucket{{le="2.0"}} {number + 1}',
            f'strange_bucket{{le="many"}} {number + 5}',
            f'strange_bucket{{le="+Inf"}} {number + 3}',
            f'endless_bucket{{le="1"}} {number}',
            f'endless_bucket{{le="2"}} {number * 2}',
            f'only_infinity_bucket{{le="+Inf"}} {number}',
        ]


def _comings_and_goings() -> Iterator[list[str]]:
    """Series that end, that begin late, and that come and go; a counter among them comes back with zero."""
    for number in range(PAGES):
        lines = [] if number % 7 in (3, 4) else [f'flapping{{every="7"}} {number % 7 / 8}']
        if number % 11 > 4:
            lines.append(f"flapping_total {number % 11 - 5}")
        if number < 22:
            lines.append(f'passing{{phase="early"}} {number}')
        if number >= 37:
            lines.append(f'passing{{phase="late"}} {number}')
        if number % 13 == 0:
            lines.append(f"rare {math.floor(number / 13)}")
        yield lines


class Pages:
    """Shows the pages: one after the other to one path, the one that was chosen to another.

    `shown` counts those of the first path. A page that is not there is answered with an error.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.shown = 0
        self.chosen: int | None = None
        self._lock = threading.Lock()

    def next(self) -> int | None:
        """Go on to the next page."""
        with self._lock:
            number, self.shown = self.shown, self.shown + 1
        return number if number < PAGES and number != MISSING else None

    @contextmanager
    def served(self) -> Iterator[None]:
        """Serve them until the end of the block."""
        pages = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                number = pages.next() if self.path == "/in-turn" else pages.chosen
                body = b"" if number is None else page(number).encode()
                self.send_response(503 if number is None else 200)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Keep quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
