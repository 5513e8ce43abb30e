"""Asking one replica whether it is well, once: HTTP, TCP or a command, with the time-out of the manifest."""

import socket
from collections.abc import Mapping
from pathlib import Path
from signal import SIGKILL
from typing import NamedTuple

from davy.adapters import pid
from davy.adapters.http import Unreachable, request
from davy.adapters.pid import Bell
from davy.adapters.pod_template import PORT, expand, local_port
from davy.model.pod import ExecAction, HTTPGetAction, LifecycleHandler, Probe, TCPSocketAction

_LOOPBACK = "127.0.0.1"


class Patient(NamedTuple):
    """The replica that is asked: its ports here, and how a command beside it is run."""

    ports: Mapping[str, int]
    environment: Mapping[str, str]
    directory: Path


def ask(probe: Probe | LifecycleHandler, patient: Patient, timeout_s: float) -> str:
    """Carry out a probe or a hook; return nothing when it succeeded, else what went wrong.

    A probe without a handler asks whether the main port accepts connections.
    """
    if probe.http_get is not None:
        return _http(probe.http_get, patient, timeout_s)
    if probe.exec is not None:
        return _command(probe.exec, patient, timeout_s)
    return _tcp(probe.tcp_socket or TCPSocketAction(_main(patient)), patient, timeout_s)


def _main(patient: Patient) -> int:
    return next(iter(patient.ports.values()))


def _http(action: HTTPGetAction, patient: Patient, timeout_s: float) -> str:
    """Any answer from 200 to 399 is well, as for the kubelet."""
    port = local_port(action.port, patient.ports)
    path = action.path if action.path.startswith("/") else f"/{action.path}"
    url = f"{action.scheme.lower()}://{action.host or _LOOPBACK}:{port}{path}"
    headers = {"User-Agent": "davy-probe", **{header.name: header.value for header in action.http_headers}}
    try:
        status = request("GET", url, headers=headers, timeout_s=timeout_s, verify=False).status
    except Unreachable as error:
        return error.message
    return "" if 200 <= status < 400 else f"GET {path} on port {port} answers {status}"


def _tcp(action: TCPSocketAction, patient: Patient, timeout_s: float) -> str:
    port = local_port(action.port, patient.ports)
    try:
        socket.create_connection((action.host or _LOOPBACK, port), timeout=timeout_s).close()
    except OSError as error:
        which = f"port {port} ({PORT})" if port == _main(patient) else f"port {port}"
        return f"{which} does not accept connections: {error.strerror or error}"
    return ""


def _command(action: ExecAction, patient: Patient, timeout_s: float) -> str:
    argv = [expand(part, patient.environment) for part in action.command]
    try:
        process = pid.spawn(
            argv,
            directory=patient.directory,
            environment=patient.environment,
            log=Path("/dev/null"),
        )
    except (OSError, IndexError) as error:
        return f"the command {argv} cannot be run: {error}"
    bell = Bell()
    try:
        bell.wait(timeout_s, process)
        late = process.alive
        pid.signal_group(process, SIGKILL)  # also what the command left behind
        bell.wait(None, process)
    finally:
        bell.close()
    code = pid.reap(process)
    if late:
        return f"the command {argv[0]} had not ended after {timeout_s:g} s"
    return "" if code == 0 else f"the command {argv[0]} ended with {code}"
