"""Webhooks put together: the file of sources, the secrets of the state directory, a log, a server."""

import ipaddress
import os
import ssl
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from davy import __version__
from davy.adapters import secret_files
from davy.adapters.certificate_files import ServerTls
from davy.adapters.flag_tokens import TokenFile
from davy.adapters.secret_files import SecretFiles
from davy.cli.flag_token import place
from davy.cli.running import Running
from davy.cli.setting import Setting, talk
from davy.cli.signals import signals
from davy.cli.stores import open_store
from davy.control.court.engine import EngineVerdicts
from davy.control.delivery import Delivery
from davy.control.engine import Engine
from davy.control.hooks.desk import Desk
from davy.control.hooks.sources_file import read_sources
from davy.control.requests import FlagList, List
from davy.control.views import FlagListView, FlagView, RolloutList, RolloutView
from davy.errors import NotPermitted, UsageError
from davy.ledger.log import Log
from davy.serve import flag_door
from davy.serve.delivery import DeliveryMetrics
from davy.serve.flag_gauges import FlagGauges
from davy.serve.flags_app import flags_group
from davy.serve.hooks_app import Hooks
from davy.serve.http import Group, Http, Limits
from davy.serve.server import Server
from davy.serve.verdicts import VerdictsGroup

if TYPE_CHECKING:
    from davy.cli.stores import AnyStore

EXPOSED = (
    "warning: this is plain HTTP beyond this machine: whoever reaches it reads the metrics, and whoever is"
    " between reads the secrets that are carried. Put it behind what speaks TLS, or listen at 127.0.0.1"
)

TICK_S = 1.0
"""Real seconds between two looks at the certificate and at whether the server still answers."""


def hooks(setting: Setting, file: Path, log: Log, clock: Callable[[], float]) -> Hooks:
    """Return the group of routes that takes in what the sources of a file tell.

    Args:
        setting: says where the secrets are, and what time it is.
        file: the sources, and for what each may speak.
        log: where events are written down.
        clock: the time of the ledger.

    Raises:
        BadManifest: the file makes no sense.
        DavyError: it cannot be read, or the secret of a source cannot.
    """
    try:
        if file.stat().st_mode & stat.S_IWOTH:
            raise NotPermitted(
                f"{file} says who may tell what, and anybody on this machine can change it",
                hint=f"chmod o-w {file}",
            )
        text = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    secrets = SecretFiles(setting.home / secret_files.DIRECTORY)
    desk = Desk(read_sources(text, str(file)), secrets, log, clock)
    desk.check_secrets()
    return Hooks(desk, setting.wall, time.monotonic, report)


def serve_hooks(setting: Setting, file: Path, store: str, at: tuple[str, int], cert_dir: Path | None) -> None:
    """Take in what the sources of a file tell, into the ledger of a state directory or a store, until Ctrl-C.

    Args:
        setting: says where the state directory is.
        file: the sources.
        store: the address of the store, where that is not in the state directory.
        at: where to listen.
        cert_dir: where a certificate is; without one it speaks plain HTTP.
    """
    tls, context = tls_in(cert_dir)
    setting.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = open_store(setting.home, store)
    with closing(kept):
        served = Http([hooks(setting, file, kept, setting.wall), delivery(kept, setting.wall, tuple)])
        with signals() as asked_to_stop, Server(served, context, *at) as server:
            talk(f"davy {__version__} takes in events  pid {os.getpid()}")
            if tls is None and not is_loopback(at[0]):
                talk(EXPOSED)
            talk(f"  at      {'https' if tls else 'http'}://{at[0]}:{server.port}/hooks/SCHEME")
            talk(f"  record  {store or setting.home}")
            answer_until(asked_to_stop, server, tls)


def tls_in(cert_dir: Path | None) -> tuple[ServerTls | None, ssl.SSLContext | None]:
    """Read the certificate in a directory, where one is named; without one there is plain HTTP."""
    if cert_dir is None:
        return None, None
    tls = ServerTls(cert_dir.absolute())
    tls.load()
    return tls, tls.context


def answer_until(asked_to_stop: threading.Event, server: Server, tls: ServerTls | None) -> None:
    """Let a server answer until somebody wants it to stop, and take in a certificate that is renewed.

    Raises:
        UsageError: the server has ended by itself.
    """
    while not asked_to_stop.wait(TICK_S):
        if tls is not None:
            tls.load()
        if not server.running:
            raise UsageError("the server has ended by itself")
    talk("finishing what is under way")


@contextmanager
def http_of(
    running: Running, setting: Setting, listen: str, file: Path | None, flag_tokens: Path | None = None
) -> Iterator[None]:
    """Serve an engine over HTTP while the block lasts: what it is told, its figures, its flags.

    Raises:
        UsageError: that is no address, or it cannot be listened at.
    """
    host, port = address(listen)
    if not is_loopback(host):
        talk(EXPOSED)
    groups: list[Group] = [] if file is None else [hooks(setting, file, running.store, running.engine.now)]
    groups.append(delivery(running.store, running.engine.now, lambda: _rollouts(running.engine)))
    known = TokenFile(place(setting, flag_tokens))
    limits = flag_door.Limits()
    groups.append(flags_group(running.engine.flags, known, wall=setting.wall, report=report, limits=limits))
    groups.append(FlagGauges(lambda: _flags(running.engine)))
    verdicts = EngineVerdicts(lambda request, actor: running.engine.handle(request, actor))
    groups.append(VerdictsGroup(verdicts, report))
    served = Http(groups, Limits(connections=limits.streams + Limits().connections))
    with _looking(known), Server(served, None, host, port) as server:
        talk(f"  http      http://{host}:{server.port}" + ("" if file is None else "/hooks/SCHEME"))
        yield


@contextmanager
def _looking(known: TokenFile) -> Iterator[None]:
    """Read tokens again when their file changes, while the block lasts."""
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(TICK_S):
            known.look()

    thread = threading.Thread(target=look, name="davy-flag-tokens", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def delivery(
    store: "AnyStore", now: Callable[[], float], rollouts: Callable[[], Iterable[RolloutView]]
) -> DeliveryMetrics:
    """Return the group that tells Prometheus of delivery, and let it follow the ledger.

    Args:
        store: has the ledger.
        now: the time of the ledger.
        rollouts: returns all rollouts as they are.
    """
    following = Delivery(store, now)
    following.start()
    return DeliveryMetrics(following, store, rollouts)


def _rollouts(engine: Engine) -> Iterable[RolloutView]:
    view = engine.handle(List(), "davy")
    assert isinstance(view, RolloutList)
    return view.items


def _flags(engine: Engine) -> Iterable[FlagView]:
    view = engine.handle(FlagList(), "davy")
    assert isinstance(view, FlagListView)
    return view.items


def address(listen: str) -> tuple[str, int]:
    """Read HOST:PORT.

    Raises:
        UsageError: it is none.
    """
    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        hint = f"127.0.0.1:{listen or 8443}" if not colon else "127.0.0.1:8443"
        raise UsageError(f"{listen!r} is not an address to listen at", hint=hint)
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def report(number: str, trace: str) -> None:
    """Tell of a fault of ours where logs are kept; what a sender sent is not among it."""
    talk(f"error[bug]: a fault of Davy itself ({number}); please send us this\n{trace}")
