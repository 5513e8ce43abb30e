"""`davy down`: stop everything that an engine started."""

import os
import signal
from collections.abc import Callable
from typing import TypeVar

import click

from davy.cli.options import common
from davy.cli.running import end_all, usable
from davy.cli.setting import Setting, talk
from davy.control.requests import Health
from davy.control.views import HealthView
from davy.errors import Conflict, TimedOut
from davy.serve.client import NotRunning
from davy.serve.socket import claim

PATIENCE_S = 30.0
"""Real seconds in which an engine that was told to stop has to have stopped."""

POLL_S = 0.1

Result = TypeVar("Result")


@click.command("down")
@common
@click.pass_obj
def command(setting: Setting) -> None:
    """Stop the engine of this state directory if one runs, its workloads and its Envoy.

    What they remember stays: the record, the rollouts and their images. `davy up` starts them again.
    """
    if not setting.home.is_dir():
        talk(f"nothing runs: there is no {setting.home}")
        return
    _stop_engine(setting)
    with usable(setting.home):
        held = _once_free(setting, lambda: claim(setting.socket))
    try:
        # The engine lets go of its socket before it lets go of its replicas.
        _once_free(setting, lambda: end_all(setting.home))
    finally:
        os.close(held)
    talk("workloads and Envoy are stopped; davy up starts them again")


def _stop_engine(setting: Setting) -> None:
    """Tell an engine to stop, if there is one."""
    try:
        pid = setting.ask(Health(), HealthView).pid
    except NotRunning:
        return
    talk(f"stopping the engine (pid {pid})")
    os.kill(pid, signal.SIGTERM)


def _once_free(setting: Setting, step: Callable[[], Result]) -> Result:
    """Take a step as soon as no engine is in the way of it.

    Raises:
        TimedOut: one still runs.
    """
    started = setting.pace.now()
    while True:
        try:
            return step()
        except Conflict as error:
            if setting.pace.now() - started > PATIENCE_S:
                raise TimedOut(f"{error.message} and does not stop", hint="stop it with kill") from error
        setting.pace.sleep(POLL_S)
