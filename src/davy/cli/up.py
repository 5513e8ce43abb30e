"""`davy up`: run the engine on this machine."""

import os
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import click

from davy import __version__
from davy.cli.apply import apply
from davy.cli.lease import NotWanted, stand_by, take
from davy.cli.manifests import as_text, read_manifests
from davy.cli.options import common, store
from davy.cli.running import Running, start
from davy.cli.setting import Setting, default_home, talk
from davy.cli.signals import signals
from davy.cli.stores import named
from davy.cli.terms import read_terms
from davy.control.requests import Apply, Health, List
from davy.control.rulebook import OnTemplateChange, Rules
from davy.control.views import HealthView, RolloutList
from davy.errors import UsageError
from davy.policy import pack
from davy.policy.review import Object
from davy.serve.socket import SocketServer

LOOK_S = 0.5
"""Real seconds between two looks at whether the loop still turns, and is still the one that decides."""


@click.command("up")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, max=1000, min_open=True),
    default=1.0,
    show_default=True,
    help="Seconds of pauses, intervals, windows and deadlines that pass in one real second.",
)
@click.option(
    "--prometheus",
    type=click.Choice(["auto", "in-process"]),
    default="auto",
    show_default=True,
    help="Ask a template's Prometheus where its address answers, or never.",
)
@click.option(
    "-f",
    "--filename",
    "sources",
    multiple=True,
    metavar="FILE|DIR|-",
    help="Apply these once the engine is up; may be given again.",
)
@click.option(
    "--standby",
    is_flag=True,
    help="Where an engine runs already, wait, and take over when it ends, hangs or is stopped.",
)
@click.option(
    "--profile",
    type=click.Choice(pack.PROFILES),
    help="How much the rules of Davy's pack ask for; kept from then on, and starter at first.",
)
@click.option("--reason", default="", metavar="TEXT", help="Why the profile is lowered, where it is.")
@click.option(
    "--on-template-change",
    type=click.Choice(["refuse", "restart"]),
    default="refuse",
    show_default=True,
    help="What becomes of a changed analysis template that an update under way is held to.",
)
@click.option(
    "--ledger-origin",
    "origin",
    default="",
    metavar="NAME",
    help="What the ledger is called, once and for all.  [default: davy.invalid/ and eight digits]",
)
@click.option(
    "--environment",
    default="production",
    show_default=True,
    metavar="NAME",
    help="Whose flags it serves; in production gates are shut until a canary has passed.",
)
@click.option(
    "--http",
    default="",
    metavar="HOST:PORT",
    help="Answer over HTTP too: /healthz, /readyz, /metrics, webhooks.",
)
@click.option(
    "--hooks",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Who may tell of changes and incidents at /hooks, and for which services; needs --http.",
)
@click.option(
    "--flag-tokens",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Who may ask for flags; needs --http.  [default: flag-tokens.json in --home]",
)
@store
@common
@click.pass_obj
def command(
    setting: Setting,
    store: str,
    speed: float,
    prometheus: str,
    sources: tuple[str, ...],
    profile: pack.Profile | None,
    reason: str,
    on_template_change: OnTemplateChange,
    origin: str,
    environment: str,
    http: str,
    hooks: Path | None,
    flag_tokens: Path | None,
    *,
    standby: bool,
) -> None:
    """Run the engine on this machine until Ctrl-C.

    Workloads and Envoy outlive it: users are served while no engine runs, and the next `davy up` takes them
    over where they are. `davy down` stops them too.
    """
    if hooks is not None and not http:
        raise UsageError("--hooks needs an address to listen at", hint="--http 127.0.0.1:8080")
    if flag_tokens is not None and not http:
        raise UsageError("--flag-tokens needs an address to listen at", hint="--http 127.0.0.1:8080")
    texts = as_text(read_manifests(sources)) if sources else ()
    rules = Rules(
        pack=policies_of,
        profile=profile,
        first="starter",
        reason=reason,
        terms=read_terms(setting.home),
        on_template_change=on_template_change,
    )
    with signals() as asked_to_stop:
        attain = partial(stand_by, not_wanted=asked_to_stop, say=talk) if standby else take
        try:
            in_process = prometheus == "in-process"
            running = start(
                setting.home,
                at=store,
                speed=speed,
                in_process=in_process,
                attain=attain,
                rules=rules,
                origin=origin,
                environment=environment,
            )
        except NotWanted as reason:
            return talk(f"no longer standing by: {reason}")
        beside = running.fence.directory
        try:
            with SocketServer(setting.socket, running.engine, reports=setting.reports, beside=beside):
                if texts:
                    apply(setting, Apply(texts, str(Path.cwd()), "davy up"), "text")
                greet(setting)
                with _over_http(running, setting, http, hooks, flag_tokens):
                    serve(running, asked_to_stop)
                talk("stopping the engine; workloads and Envoy go on (davy down stops them too)")
        finally:
            running.close()
    return None


def _over_http(
    running: Running, setting: Setting, listen: str, hooks: Path | None, flag_tokens: Path | None
) -> AbstractContextManager[None]:
    """Answer over HTTP while a block lasts, where somebody said at which address."""
    if not listen:
        return nullcontext()
    from davy.cli.hooking import http_of  # a server over HTTP takes its time to import

    return http_of(running, setting, listen, hooks, flag_tokens)


def policies_of(profile: str) -> Sequence[Object]:
    """Return the policies of a profile of Davy's pack."""
    return pack.objects(profile) if profile in pack.PROFILES else ()


def serve(running: Running, asked_to_stop: threading.Event) -> None:
    """Wait until somebody wants the engine to stop.

    Raises:
        Fenced: another engine has taken over.
        Bug: the loop ended by itself, and nothing is decided any more.
    """
    while not asked_to_stop.wait(LOOK_S):
        running.check()


def greet(setting: Setting) -> None:
    """Say that the engine is up, and where everything is."""
    health = setting.ask(Health(), HealthView)
    speed = "" if health.speed == 1 else f"  clock at {health.speed:g}x"
    talk(f"davy {__version__} is up  pid {os.getpid()}{speed}")
    talk(f"  state     {setting.home}")
    if address := named(setting.home):
        talk(f"  store     {address}")
    talk(f"  socket    {setting.socket}")
    talk(f"  record    davy record -f{_home_option(setting)}")
    if health.profile:
        talk(f"  policies  the {health.profile} profile of Davy's pack, and what is applied")
    for number, view in enumerate(setting.ask(List(), RolloutList).items):
        label = "  rollouts  " if number == 0 else "            "
        talk(f"{label}{view.namespace}/{view.name}  {view.status}  {view.url}".rstrip())
    if not health.rollouts:
        talk(f"  rollouts  none yet: davy apply -f FILE{_home_option(setting)}")
    talk("Ctrl-C stops the engine; workloads and Envoy go on. davy down stops them too.")


def _home_option(setting: Setting) -> str:
    """Return what another shell has to add to reach this engine."""
    return "" if setting.home == default_home(setting.environment) else f" --home {setting.home}"
