"""`davy flag serve`: serve flags from files to SDKs, where no engine holds them."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from davy import __version__
from davy.cli.flag_token import place, tokens
from davy.cli.options import at_home
from davy.cli.setting import Setting, talk
from davy.cli.signals import signals
from davy.errors import UsageError

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

TICK_S = 0.2
"""Real seconds between two looks at the files: what is killed in a file is killed for users that much later."""


@click.command("serve")
@click.option(
    "--flags",
    "sources",
    multiple=True,
    required=True,
    metavar="FILE|DIR",
    help="FeatureFlags and documents of flagd; read again when they change; may be given again.",
)
@click.option(
    "--environment",
    default="production",
    show_default=True,
    metavar="NAME",
    help="Whose flags; in production a flag that waits for a canary stays off.",
)
@click.option(
    "--listen", default="127.0.0.1:8013", show_default=True, metavar="HOST:PORT", help="Where to listen."
)
@click.option(
    "--cert-dir",
    type=click.Path(path_type=Path),
    metavar="DIRECTORY",
    help="Where a certificate is; without one it speaks plain HTTP.",
)
@click.option(
    "--streams",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    help="How many may listen to news at once.",
)
@tokens
@at_home
@click.pass_obj
def command(
    setting: Setting,
    sources: tuple[str, ...],
    environment: str,
    listen: str,
    cert_dir: Path | None,
    streams: int,
    file: Path | None,
) -> None:
    """Serve the flags of files over OFREP, and to Davy's own provider, until Ctrl-C.

    Who asks shows a token (davy flag token new). Files that are wrong change nothing: what was served before
    is served until they are mended, and /readyz says what is wrong. No canary is known here, so in production
    flags that are linked to a rollout answer with their safe value; davy up opens them.
    """
    from davy.adapters.certificate_files import ServerTls
    from davy.adapters.flag_files import FlagFiles
    from davy.adapters.flag_tokens import TokenFile
    from davy.cli.hooking import EXPOSED, address, is_loopback, report
    from davy.serve.flag_door import Limits
    from davy.serve.flags_app import flags_group
    from davy.serve.http import Http
    from davy.serve.http import Limits as Connections
    from davy.serve.server import Server

    host, port = address(listen)
    tls = None if cert_dir is None else ServerTls(cert_dir.absolute())
    context = None
    if tls is not None:
        tls.load()
        context = tls.context
    known = TokenFile(place(setting, file))
    flags = FlagFiles([Path(each) for each in sources], reader(sources, environment), setting.wall)
    group = flags_group(flags, known, wall=setting.wall, report=report, limits=Limits(streams=streams))
    served = Http([group, Doubtful(lambda: flags.doubt)], Connections(connections=streams + 512))
    with signals() as asked_to_stop, Server(served, context, host, port) as server:
        count = len(known.tokens.all)
        talk(f"davy {__version__} serves the flags of {environment}  pid {os.getpid()}")
        if tls is None and not is_loopback(host):
            talk(EXPOSED)
        talk(f"  at      {'https' if tls else 'http'}://{host}:{server.port}")
        talk(f"  tokens  {count}" if count else "  tokens  none yet: davy flag token new")
        doubt = ""
        while not asked_to_stop.wait(TICK_S):
            flags.look()
            known.look()
            if (now := flags.doubt or known.doubt) and now != doubt:
                talk(f"error[usage]: {now}; what was before stays in use")
            doubt = now
            if tls is not None:
                tls.load()
            if not server.running:
                raise UsageError("the server has ended by itself")
        talk("finishing what is under way")


class Doubtful:
    """A group without routes, which says that files are wrong: what is served is older than they are."""

    def __init__(self, doubt: Callable[[], str]) -> None:
        self.doubt = doubt

    def routes(self) -> Sequence["BaseRoute"]:
        """Return none."""
        return ()

    def metrics(self) -> str:
        """Say whether what is served is what the files say."""
        return f"# TYPE davy_flags_current gauge\ndavy_flags_current {0 if self.doubt() else 1}\n"

    def close(self) -> None:
        """Hold nothing."""


def reader(sources: Sequence[str], environment: str) -> Callable[[], bytes]:
    """Return what makes a document of the files that sources stand for."""
    from davy.cli.manifests import read_manifests
    from davy.flags.gate import enforced
    from davy.flags.registry import read_registry
    from davy.flags.rendering import rendered
    from davy.model.finding import BadManifest

    def read() -> bytes:
        registry, findings = read_registry(read_manifests(sources))
        errors = tuple(finding for finding in findings if finding.severity == "error")
        if errors:
            raise BadManifest(errors)
        return rendered(enforced(registry.definitions(environment), environment, {}, ()))

    return read
