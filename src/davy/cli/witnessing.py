"""`davy serve --witness`: remember what ledgers were, and sign for what continues it."""

import ipaddress
import os
from contextlib import closing
from pathlib import Path

from davy import __version__
from davy.adapters.certificate_files import BUNDLE, ServerTls, is_own, renew
from davy.adapters.ledger_key import witness_key
from davy.adapters.seen_checkpoints import FILE, SeenCheckpoints
from davy.cli.hooking import TICK_S, report
from davy.cli.known_ledgers import KnownLedgers
from davy.cli.setting import Setting, talk
from davy.cli.signals import signals
from davy.control.cosigning import Cosigning
from davy.errors import UsageError
from davy.ledger.cosignature import witness_key as public
from davy.serve.http import Http
from davy.serve.server import Server
from davy.serve.witness import WitnessGroup


def serve_witness(
    setting: Setting, known: Path, name: str, at: tuple[str, int], cert_dir: Path | None, names: tuple[str, ...]
) -> None:
    """Cosign what ledgers bring until Ctrl-C.

    Args:
        setting: says where the state directory is: the key and what was signed are kept there.
        known: the file of the ledgers that are known.
        name: what this witness is called, where it has no key yet.
        at: where to listen.
        cert_dir: where certificates are. Without it the loopback interface is served plain HTTP, any other TLS.
        names: what is in a certificate of our own.
    """
    ledgers = KnownLedgers(known)
    setting.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = witness_key(setting.home, name)
    directory = _certificates(setting, at[0], cert_dir)
    tls = None
    if directory is not None:
        if is_own(directory):
            renew(directory, names, setting.wall())
        tls = ServerTls(directory)
        tls.load()
    with closing(SeenCheckpoints(setting.home / FILE)) as seen:
        cosigning = Cosigning(lambda: ledgers.keys, seen, key, setting.wall)
        served = Http([WitnessGroup(cosigning.add, seen.sizes, report, certain=lambda: ledgers.problem)])
        context = None if tls is None else tls.context
        with signals() as asked_to_stop, Server(served, context, *at) as server:
            talk(f"davy {__version__} witnesses {len(ledgers.keys)} ledgers  pid {os.getpid()}")
            talk(f"  at    {'http' if tls is None else 'https'}://{at[0]}:{server.port}")
            talk(f"  key   {public(key)}")
            if directory is not None:
                talk(f"  ca    {directory / BUNDLE}")
            while not asked_to_stop.wait(TICK_S):
                before = ledgers.problem
                ledgers.look()
                if ledgers.problem not in ("", before):
                    talk(f"error[usage]: {ledgers.problem}; what was before stays in use")
                if tls is not None and directory is not None:
                    if is_own(directory):
                        renew(directory, names, setting.wall())
                    tls.load()
                if not server.running:
                    raise UsageError("the server has ended by itself")
            talk("finishing what is under way")


def _certificates(setting: Setting, host: str, given: Path | None) -> Path | None:
    """Return where certificates are; None where plain HTTP goes to this machine only."""
    if given is not None:
        return given.absolute()
    return None if _is_loopback(host) else (setting.home / "witness-tls").absolute()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
