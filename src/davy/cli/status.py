"""`davy status`: how a rollout is, as an exit code."""

from collections.abc import Callable

import click

from davy.cli.options import common, named, output
from davy.cli.output import show_view
from davy.cli.paint import visible
from davy.cli.setting import Setting
from davy.cli.watch import is_news, leaving, looks
from davy.control.requests import Get
from davy.control.views import RolloutView
from davy.errors import Refused, StillPending, UsageError
from davy.model.duration import BadDuration, parse_duration


@click.command("status")
@named
@click.option("-w", "--watch", is_flag=True, help="Wait until it is healthy or degraded.")
@click.option("--timeout", metavar="DURATION", help="Wait no longer than this, e.g. 10m (with --watch).")
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, name: str, watch: bool, timeout: str | None, form: str) -> None:
    """Say how a rollout is: `Healthy`, or `Paused - CanaryPauseStep`.

    Exits 0 when it is healthy and 1 when it is degraded; 8 when it is neither and nobody waits (--watch);
    9 when waiting takes longer than --timeout. One line is printed for each change.
    """
    timeout_s = _seconds(timeout)
    if timeout_s is not None and not watch:
        raise UsageError("--timeout is for waiting", hint=f"davy status {name} --watch --timeout {timeout}")

    def look() -> RolloutView:
        return setting.ask(Get(setting.namespace, name), RolloutView)

    view = look()
    if watch:
        with leaving(f'rollout "{name}" goes on'):
            view = _wait(setting, look, timeout_s, quiet=form != "text")
    elif form == "text":
        click.echo(line(view))
    if form != "text":
        show_view(view, form)
    if view.status == "Degraded":
        why = f"davy why {name} says what that rests on"
        raise Refused(f"The rollout is in a degraded state with message: {view.message}", hint=why)
    if view.status != "Healthy":
        hint = f"davy status {name} --watch --timeout 10m waits for it"
        raise StillPending(f'rollout "{name}" is not finished: {line(view)}', hint=hint)


def _wait(
    setting: Setting, look: Callable[[], RolloutView], timeout_s: float | None, *, quiet: bool
) -> RolloutView:
    """Look until the rollout is done, one way or the other."""
    said = None
    for view in looks(look, setting, timeout_s=timeout_s):
        if not quiet and is_news(said, line(view)):
            click.echo(line(view))
        said = line(view)
        if view.status in ("Healthy", "Degraded"):
            return view
    raise AssertionError("looking never ends by itself")


def line(view: RolloutView) -> str:
    """Say how a rollout is as `kubectl argo rollouts status` does."""
    return visible(f"{view.status} - {view.message}" if view.message else view.status)


def _seconds(timeout: str | None) -> float | None:
    """Read a time limit."""
    if timeout is None:
        return None
    try:
        seconds = parse_duration(timeout)
    except BadDuration as error:
        raise UsageError(str(error), hint="--timeout takes a duration such as 90s, 10m or 1h30m") from error
    if seconds <= 0:
        raise UsageError("--timeout has to be more than nothing", hint="leave it out to wait without an end")
    return seconds
