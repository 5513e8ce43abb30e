"""`davy flag drill`: a kill that is rehearsed."""

import click

from davy.cli.flag_steps import POLL_S, do
from davy.cli.options import common, output, reason, required_reason
from davy.cli.setting import Setting, talk
from davy.control.requests import DrillFlag, FlagStatus
from davy.control.views import FlagView
from davy.errors import Refused, TimedOut

LONGEST_S = 120.0
"""Real seconds after which nobody waits for the end of a drill; the engine ends it by its own clock."""


@click.command("drill")
@click.argument("key")
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, key: str, reason: str, form: str) -> None:
    """Kill a kill switch for practice: for all users until every instance has said so, then it is restored.

    An instance that says nothing fails the drill, which is over after 30 seconds of the engine's clock at most.
    Nothing of it counts in the figures.
    """
    begun = do(setting, DrillFlag(key, required_reason(reason, "rehearse a kill")), form)
    pace, started = setting.pace, setting.pace.now()
    while (flag := setting.ask(FlagStatus(key), FlagView)).drill.under_way == begun.flag.drill.under_way:
        if pace.now() - started > LONGEST_S:
            raise TimedOut("the drill is not over", hint=f"davy flag status {key}")
        pace.sleep(POLL_S)
    drill = flag.drill
    if drill.outcome != "confirmed":
        raise Refused(
            f"the drill of {key} was {drill.outcome} after {drill.seconds:g} s: not every instance obeyed",
            hint=f"davy flag history {key} names those that did not",
        )
    talk(f"  confirmed by all {len(flag.instances)} instances after {drill.seconds:g} s, and restored")
