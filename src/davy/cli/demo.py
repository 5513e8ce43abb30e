"""`davy demo`: canaries, a blue/green switch, a flag, on a real Envoy with real traffic, in about a minute."""

import importlib.resources
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from davy import __version__
from davy.errors import Refused, UsageError

if TYPE_CHECKING:
    from davy.cli.running import Running

SPEED = 20.0


@click.command()
@click.option(
    "--speed",
    type=click.FloatRange(min=1, max=40),
    default=SPEED,
    show_default=True,
    help="How many seconds of the rollout pass in one real second.",
)
@click.option("--keep", is_flag=True, help="Leave everything running, and the workspace where it is.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Which requests fail first."
)
@click.option("-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(speed: float, *, keep: bool, seed: int, form: str) -> None:
    """See a good and a bad release, on a real Envoy, in about a minute.

    Nothing leaves this machine, and nothing is left behind. The seed decides which of twelve requests the bad
    version fails; which request goes to which version is Envoy's own coin. Exits 1 if the story does not come
    true.
    """
    import msgspec

    from davy.cli.guardian import Guardian
    from davy.cli.running import start
    from davy.cli.stage import Stage
    from davy.cli.story import tell

    workspace = _workspace()
    home = workspace / "state"
    teller = Teller(quiet=form == "json")
    teller.say(
        f"Davy {__version__} demo: canaries, a switch, a record, a flag; a real Envoy, processes, traffic, Git"
    )
    kept = "kept" if keep else "removed on exit; --keep to stay"
    teller.say(f"  workspace ./{workspace.name} ({kept})   clock at {speed:g}x   nothing leaves this machine")
    guardian = Guardian(workspace, home)
    running, serving = None, ExitStack()
    variables = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    }
    try:
        running = start(home, speed=speed, in_process=True, variables=variables)
        variables |= serving.enter_context(_flags_served(running, home))
        stage = Stage(running, workspace, examples(), teller.say, teller.progress, seed=seed, speed=speed)
        report = tell(stage, speed=speed)
        teller.say(_farewell(workspace, report.seconds, keep=keep))
    except BaseException:
        keep = False
        raise
    finally:
        serving.close()
        if keep and running is not None:
            running.close()
        else:
            if running is not None:
                running.shutdown()
            _remove(workspace)
        guardian.dismiss()
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    if not report.ok:
        raise Refused("the story did not come true")


@contextmanager
def _flags_served(running: "Running", home: Path) -> Iterator[dict[str, str]]:
    """Serve the engine's flags on this machine while the block lasts; say where, and by which token."""
    from davy.adapters.flag_tokens import TokenFile, add_token, new_secret
    from davy.cli.flag_token import FILE
    from davy.cli.hooking import report
    from davy.flags.token import Edge, Token, hashed
    from davy.serve.flags_app import flags_group
    from davy.serve.http import Http
    from davy.serve.server import Server

    tokens, secret = home / FILE, new_secret()
    add_token(tokens, Token("demo", hashed(secret), Edge.SERVER, created=time.time(), keys=("*",)))
    group = flags_group(running.engine.flags, TokenFile(tokens), wall=time.time, report=report)
    with Server(Http([group]), None, "127.0.0.1", 0) as server:
        yield {"DAVY_FLAGS_URL": f"http://127.0.0.1:{server.port}", "DAVY_FLAGS_TOKEN": secret}


class Teller:
    """Tells the story to a person: on standard output, or on standard error when that is for data.

    What is under way is redrawn on one line of a terminal, and left out where there is none.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._error = quiet
        self._stream = sys.stderr if quiet else sys.stdout
        self._live = self._stream.isatty()
        self._open = False

    def say(self, text: str) -> None:
        """Tell something for good."""
        if self._open:
            click.echo("\r\x1b[K", nl=False, err=self._error)
            self._open = False
        click.echo(text, err=self._error)

    def progress(self, text: str) -> None:
        """Show what is under way."""
        if self._live:
            click.echo(f"\r\x1b[K{text[:110]}", nl=False, err=self._error)
            self._open = True


def examples() -> Path:
    """Find the example manifests: in the package, or beside it in a checkout.

    Raises:
        UsageError: they are in neither place.
    """
    packaged = Path(str(importlib.resources.files("davy"))) / "examples"
    checkout = Path(__file__).resolve().parents[3] / "examples"
    for found in (packaged, checkout):
        if (found / "payments" / "rollout.yaml").exists():
            return found
    raise UsageError("the example manifests are missing from this installation", hint="install davy anew")


def _farewell(workspace: Path, seconds: float, *, keep: bool) -> str:
    """Say what to do next."""
    lines = [f"\ntold in {seconds:.1f} s\n"]
    if keep:
        home = f"--home ./{workspace.name}/state"
        lines += ["Next", f"  davy up {home}", f"  davy get rollout payments {home}", f"  davy down {home}"]
    else:
        lines += [
            "Next",
            "  davy up                                an engine of your own",
            "  davy apply -f examples/                the manifests that this demo used",
            "  davy set image payments payments=ghcr.io/acme/payments:1.4.2",
            "  davy get rollout payments -w           and watch it take itself back",
        ]
    return "\n".join(lines)


def _workspace() -> Path:
    """Make a directory of the demo's own where the person is.

    Raises:
        UsageError: nothing can be made there.
    """
    name = f"davy-demo-{secrets.token_hex(3)}"
    try:
        workspace = Path.cwd() / name
        (workspace / "state").mkdir(parents=True)
    except OSError as error:
        raise UsageError(
            f"cannot make {name} here: {error.strerror}", hint="change to a directory of yours"
        ) from error
    return workspace


def _remove(workspace: Path) -> None:
    """Take the workspace away."""
    import shutil

    shutil.rmtree(workspace, ignore_errors=True)
