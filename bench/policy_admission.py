"""Admission over TLS: reviews that come when they come, whether the one before was answered or not."""

import http.client
import json
import os
import queue
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep

from bench.figure import Figure, percentile

RATE = 200
SECONDS = 20
WARM_UP = 400
CALLERS = 16


def measure() -> list[Figure]:
    """Ask a server of its own process 200 times a second, about the example's rollout and by the whole pack."""
    with (
        tempfile.TemporaryDirectory(prefix="davy-bench-") as directory,
        serving(Path(directory)) as (port, context),
    ):
        body = review()
        for _ in range(WARM_UP // CALLERS):
            spread(port, context, body, count=CALLERS, rate=RATE)
        times = spread(port, context, body, count=RATE * SECONDS, rate=RATE)
    what = f"admission over TLS, {RATE} reviews/s"
    return [
        Figure(f"{what}, median", percentile(times, 50), "ms", len(times)),
        Figure(f"{what}, p95", percentile(times, 95), "ms", len(times)),
        Figure(f"{what}, p99", percentile(times, 99), "ms", len(times), 20.0),
    ]


@contextmanager
def serving(directory: Path) -> Iterator[tuple[int, ssl.SSLContext]]:
    """Run `davy serve --admission` with the strict profile of the pack."""
    command = [sys.executable, "-m", "davy", "serve", "--admission", "--listen", "127.0.0.1:0", "--drain", "0"]
    command += ["--profile", "strict", "--cert-dir", str(directory / "tls")]
    environment = {**os.environ, "DAVY_HOME": str(directory)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "https://" in line)
        port = int(line.partition("127.0.0.1:")[2].partition("/")[0])
        yield port, ssl.create_default_context(cafile=str(directory / "tls" / "ca.crt"))
        process.send_signal(signal.SIGTERM)
        process.wait()


def spread(port: int, context: ssl.SSLContext, body: bytes, *, count: int, rate: float) -> list[float]:
    """Send reviews at fixed times; how long each took counts from when it was to be sent, in milliseconds."""
    due: queue.SimpleQueue[float | None] = queue.SimpleQueue()
    times: list[float] = []

    def call() -> None:
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
        connection.connect()
        ready.wait()
        while (at := due.get()) is not None:
            connection.request("POST", "/v1/admit", body=body, headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            json.loads(answer.read())["response"]["uid"]
            times.append(1000 * (perf_counter() - at))
        connection.close()

    ready = threading.Barrier(CALLERS + 1)
    threads = [threading.Thread(target=call) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    ready.wait()
    began = perf_counter()
    for number in range(count):
        at = began + number / rate
        sleep(max(0.0, at - perf_counter()))
        due.put(at)
    for _ in threads:
        due.put(None)
    for thread in threads:
        thread.join()
    assert len(times) == count
    return times


def review() -> bytes:
    """Ask to change the example's rollout, as an API server does."""
    import msgspec

    from bench.payments import rollout

    found = msgspec.to_builtins(rollout())
    found["metadata"] |= {"namespace": "prod", "annotations": {"note": "x" * 500}}
    kind = {"group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout"}
    resource = {"group": "argoproj.io", "version": "v1alpha1", "resource": "rollouts"}
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": kind,
        "resource": resource,
        "name": found["metadata"]["name"],
        "namespace": "prod",
        "operation": "UPDATE",
        "userInfo": {"username": "alice", "uid": "1", "groups": ["system:authenticated"]},
        "object": {**found, "spec": {**found["spec"], "revisionHistoryLimit": 5}},
        "oldObject": found,
        "dryRun": False,
    }
    return json.dumps(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    ).encode()
