"""`davy down`: stop everything that an engine started."""

import os
import signal

import click

from davy.cli.options import common
from davy.cli.running import end_all
from davy.cli.setting import Setting, talk
from davy.control.requests import Health
from davy.control.views import HealthView
from davy.errors import TimedOut
from davy.ledger.lease import Held
from davy.serve.client import NoEngine, NotRunning

PATIENCE_S = 30.0
"""Real seconds in which an engine that was told to stop has to have stopped."""

POLL_S = 0.1


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
    _once_free(setting)
    talk("workloads and Envoy are stopped; davy up starts them again")


def _stop_engine(setting: Setting) -> bool:
    """Tell an engine to stop, and say whether there is one."""
    try:
        pid = setting.ask(Health(), HealthView).pid
    except NotRunning:
        return False
    except NoEngine as error:
        talk(f"{error.message}; waiting for its lease to run out")
        return True
    talk(f"stopping the engine (pid {pid})")
    os.kill(pid, signal.SIGTERM)
    return True


def _once_free(setting: Setting) -> None:
    """Stop everything as soon as no engine is in the way; one that stood by and takes over now is stopped, too.

    Raises:
        TimedOut: one still runs.
    """
    started, told = setting.pace.now(), set[str]()
    while True:
        try:
            return end_all(setting.home)
        except Held as error:
            if setting.pace.now() - started > PATIENCE_S:
                raise TimedOut(f"{error.message} and does not stop", hint="stop it with kill") from error
            if not told or error.lease.mark in told or _stop_engine(setting):
                told.add(error.lease.mark)
        setting.pace.sleep(POLL_S)
