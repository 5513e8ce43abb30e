"""A real Prometheus for a test or a bench: given samples, started on a free port, stopped by its process.

with running(directory, samples) as prometheus:
    prometheus.instant("up", 1_700_000_000)
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from davy.adapters.http import Unreachable, request
from davy.adapters.ports import free_port
from davy.testing.patience import until


class Exposed(NamedTuple):
    """One sample to load: labels with the name among them, milliseconds, a value."""

    labels: Mapping[str, str]
    timestamp_ms: int
    value: float


class Refused(Exception):
    """Prometheus answered that it cannot answer."""


@dataclass(frozen=True)
class Prometheus:
    """The HTTP API of one that runs."""

    url: str

    def instant(self, query: str, time_s: float) -> Any:
        """Give the `data` of an instant query."""
        return self._ask("query", {"query": query, "time": f"{time_s:.3f}"})

    def range(self, query: str, start_s: float, end_s: float, step_s: float) -> Any:
        """Give the `data` of a range query."""
        between = {"start": f"{start_s:.3f}", "end": f"{end_s:.3f}", "step": f"{step_s:.3f}"}
        return self._ask("query_range", {"query": query, **between})

    def _ask(self, what: str, fields: Mapping[str, str]) -> Any:
        response = request(
            "POST",
            f"{self.url}/api/v1/{what}",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(fields).encode(),
            max_bytes=1 << 26,
        )
        answer = json.loads(response.body)
        if answer["status"] != "success":
            raise Refused(answer["error"])
        return answer["data"]


def binaries() -> tuple[str, str]:
    """Find prometheus and promtool, or skip; but not where somebody counts on the test having run."""
    found = shutil.which("prometheus"), shutil.which("promtool")
    if found[0] is None or found[1] is None:
        missing = "prometheus and promtool are not on PATH (Debian: apt-get install prometheus)"
        (pytest.fail if "CI" in os.environ else pytest.skip)(missing)
    return found[0], found[1]


@contextmanager
def running(directory: Path, samples: Iterable[Exposed]) -> Iterator[Prometheus]:
    """Load samples into blocks and run a Prometheus over them until the end of the block."""
    _, tool = binaries()
    text = directory / "samples.om"
    text.write_text(openmetrics(samples), encoding="utf-8")
    data = directory / "data"
    loading = [tool, "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(text), str(data)]
    subprocess.run(loading, check=True, capture_output=True)
    with serving(directory, "global: {}\n") as server:
        yield server


@contextmanager
def serving(directory: Path, configuration: str, *options: str) -> Iterator[Prometheus]:
    """Run a Prometheus over what is stored below a directory, until the end of the block."""
    server, _ = binaries()
    config = directory / "prometheus.yml"
    config.write_text(configuration, encoding="utf-8")
    port = free_port()
    log = directory / "prometheus.log"
    command = [
        server,
        f"--config.file={config}",
        f"--storage.tsdb.path={directory / 'data'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
        *options,
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=directory)
        url = f"http://127.0.0.1:{port}"
        try:
            until(lambda: _ready(process, url), why=lambda: log.read_text(encoding="utf-8"))
            yield Prometheus(url)
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ready(process: subprocess.Popen[bytes], url: str) -> bool:
    assert process.poll() is None, f"prometheus ended with {process.returncode}"
    try:
        return request("GET", f"{url}/-/ready").status == 200
    except Unreachable:
        return False


def openmetrics(samples: Iterable[Exposed]) -> str:
    """Write samples in the format that promtool loads, those of one series together and in order of time."""
    by_series: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for labels, timestamp_ms, value in samples:
        key = tuple(sorted(labels.items()))
        series = by_series.setdefault(key, [])
        series.append(f"{_series(labels)} {_number(value)} {timestamp_ms / 1000:.3f}")
    lines = [
        line for key in sorted(by_series, key=lambda pairs: dict(pairs)["__name__"]) for line in by_series[key]
    ]
    return "\n".join([*lines, "# EOF", ""])


def _series(labels: Mapping[str, str]) -> str:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

    inner = ",".join(f"{name}={quoted(value)}" for name, value in labels.items() if name != "__name__")
    return f"{labels['__name__']}{{{inner}}}"


def _number(value: float) -> str:
    return repr(value).replace("inf", "Inf").replace("nan", "NaN")
