"""Verdicts put together: Judges from files, their Prometheus, the store of a state directory, a server."""

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from davy import __version__
from davy.adapters.prometheus_counters import PrometheusCounters
from davy.cli.hooking import EXPOSED, answer_until, is_loopback, report, tls_in
from davy.cli.manifests import read_manifests
from davy.cli.setting import Setting, talk
from davy.cli.signals import signals
from davy.cli.stores import open_store
from davy.control.court.docket import Docket
from davy.errors import UsageError
from davy.model.judge import Judge
from davy.model.loader import load_all
from davy.serve.http import Http
from davy.serve.server import Server
from davy.serve.verdicts import VerdictsGroup


def read_judges(sources: Sequence[str], namespace: str) -> tuple[Judge, ...]:
    """Read the Judges that files hold; other kinds beside them are left alone.

    Raises:
        BadManifest: a file cannot be read as manifests.
        UsageError: there is no Judge, one is there twice, or one has no Prometheus.
    """
    loaded = load_all(read_manifests(sources), namespace=namespace)
    loaded.raise_for_errors()
    judges = [each.value for each in loaded.documents if isinstance(each.value, Judge)]
    if not judges:
        raise UsageError(
            f"there is no Judge in {', '.join(sources)}", hint="davy scaffold argo-judge writes one"
        )
    seen = set()
    for judge in judges:
        if judge.spec.prometheus is None:
            raise UsageError(
                f"the Judge {judge.key} has no spec.prometheus, and no engine counts here",
                hint="name the Prometheus that has the counters of both versions",
            )
        if judge.key in seen:
            raise UsageError(f"the Judge {judge.key} is there twice")
        seen.add(judge.key)
    return tuple(judges)


def serve_judges(
    setting: Setting, sources: Sequence[str], store: str, at: tuple[str, int], cert_dir: Path | None
) -> None:
    """Answer for verdicts of the Judges in files until Ctrl-C; what is known is kept in the state directory.

    Args:
        setting: says where the state directory is, and what time it is.
        sources: files and directories with Judges.
        store: the address of the store, where that is not in the state directory.
        at: where to listen.
        cert_dir: where a certificate is; without one it speaks plain HTTP.
    """
    judges = read_judges(sources, setting.namespace)
    tls, context = tls_in(cert_dir)
    setting.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with closing(open_store(setting.home, store)) as kept:
        docket = Docket(judges, PrometheusCounters, kept, setting.wall)
        group = VerdictsGroup(docket, report, lambda: "; ".join(_told(docket)))
        docket.start()
        try:
            with signals() as asked_to_stop, Server(Http([group]), context, *at) as server:
                talk(f"davy {__version__} judges for others  pid {os.getpid()}")
                if tls is None and not is_loopback(at[0]):
                    talk(EXPOSED)
                scheme = "https" if tls else "http"
                talk(f"  at      {scheme}://{at[0]}:{server.port}/v1/rollouts/NAME/verdict")
                talk(f"  judges  {', '.join(str(judge.key) for judge in judges)}")
                talk(f"  record  {store or setting.home}")
                answer_until(asked_to_stop, server, tls)
        finally:
            docket.stop()


def _told(docket: Docket) -> list[str]:
    return [f"{key}: {trouble}" for key, trouble in sorted(docket.troubles.items())]
