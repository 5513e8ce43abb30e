"""What all commands share that do something to a flag in an engine."""

import click

from davy.cli.output import show_view
from davy.cli.setting import Setting, talk
from davy.control.requests import FlagStatus, FlagStep
from davy.control.views import FlagStepView, FlagView
from davy.errors import StillPending, TimedOut, UsageError
from davy.model.duration import BadDuration, parse_duration

POLL_S = 0.05
"""Real seconds between two looks at who has heard of a change."""


def do(setting: Setting, request: FlagStep, form: str) -> FlagStepView:
    """Have the engine do something to a flag, and say what came of it."""
    view = setting.ask(request, FlagStepView)
    show(view, form)
    return view


def show(view: FlagStepView, form: str) -> None:
    """Say what came of something."""
    if form != "text":
        show_view(view, form)
        return
    click.echo(view.message)
    if view.proposal:
        talk(f"somebody else runs: davy flag approve {view.proposal}")
    talk(f"  version   {view.flag.version}, in version {view.flag.document} of the document")
    talk(f"  heard by  {heard(view.flag)}")


def heard(flag: FlagView) -> str:
    """Say how many instances evaluate by a flag as it is."""
    count, missing = len(flag.instances), len(flag.missing)
    if not count:
        return "nobody: no instance is connected"
    return f"{count - missing} of {count} instances" + (
        f"; not by {', '.join(flag.missing[:5])}" if missing else ""
    )


def wait_for_all(setting: Setting, key: str, wait: str) -> FlagView:
    """Wait until every instance that is connected has said that it evaluates by a flag as it is.

    Raises:
        StillPending: none is connected, so nobody has.
        TimedOut: some have not; they are named.
    """
    try:
        timeout_s = parse_duration(wait)
    except BadDuration as error:
        raise UsageError(f"{wait!r} is no duration", hint="--wait 5s") from error
    pace, document = setting.pace, 0
    started = pace.now()
    while True:
        flag = setting.ask(FlagStatus(key), FlagView)
        document = document or flag.document
        missing = [each.id for each in flag.instances if each.version < document]
        if flag.instances and not missing:
            return flag
        if pace.now() - started >= timeout_s:
            break
        pace.sleep(POLL_S)
    if not flag.instances:
        raise StillPending(
            f"no instance is connected, so nobody has said that {key} is what it is now",
            hint="it is done here; instances that connect get it",
        )
    raise TimedOut(
        f"{len(missing)} of {len(flag.instances)} instances have not said within {wait} that they have "
        f"version {document}: {', '.join(missing[:10])}",
        hint=f"it is done here; davy flag status {key} shows who has not heard",
    )
