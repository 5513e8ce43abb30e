"""`davy serve`: answer a cluster that asks before anything is changed, take in events, or judge for others."""

import os
import sys
import threading
from pathlib import Path
from typing import Literal

import click

from davy import __version__
from davy.cli import governing
from davy.cli.options import common, store
from davy.cli.setting import Setting, talk
from davy.cli.signals import signals
from davy.errors import UsageError
from davy.policy.passage import CONTROLLER

NAMES = ("davy.davy-system.svc", "localhost", "127.0.0.1")
TICK_S = 1.0
"""Real seconds between two looks at the files, the cluster and the certificate."""

SWITCH_S = 0.0002
"""Seconds that a thread which judges keeps others from answering; 0.005 unless it is said, for each of them."""


@click.command("serve")
@click.option("--admission", is_flag=True, help="Serve the admission webhook.")
@click.option(
    "--hooks",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take in what other systems tell of changes and incidents; the file says who may tell what.",
)
@click.option(
    "--judges",
    multiple=True,
    metavar="FILE|DIR",
    help="Answer whether canaries may have more traffic, by these Judges; may be given again.",
)
@click.option("--witness", is_flag=True, help="Be a witness to the ledgers of others, and cosign what grows.")
@click.option(
    "--known",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The ledgers that --witness signs for: the key of each, a line each.",
)
@click.option(
    "--witness-name",
    default="",
    metavar="NAME",
    help="What the witness is called, once and for all.  [default: davy.invalid/ and eight digits]",
)
@click.option(
    "--listen", default="127.0.0.1:8443", show_default=True, metavar="HOST:PORT", help="Where to listen."
)
@click.option(
    "--cert-dir",
    type=click.Path(path_type=Path),
    metavar="DIRECTORY",
    help="Where certificates are: our own are made and renewed there.  [default: admission-tls in --home]",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST",
    help=f"A name in our own certificate; may be given again.  [default: {', '.join(NAMES)}]",
)
@click.option(
    "--client-ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Answer reviews only to callers with a certificate of this authority.",
)
@click.option(
    "--policies",
    multiple=True,
    metavar="FILE|DIR",
    help="Templates, constraints and policies; read again when they change.",
)
@governing.profile("How much the rules of Davy's own pack ask for.")
@click.option("--waivers", multiple=True, metavar="FILE|DIR", help="Waivers, read again when they change.")
@click.option(
    "--inventory", multiple=True, metavar="FILE|DIR", help="Objects that policies may look at, e.g. namespaces."
)
@click.option("--in-cluster", is_flag=True, help="Read and watch the cluster that this runs in.")
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read and watch the cluster that this names.",
)
@click.option("--context", "context_name", default="", metavar="NAME", help="A context of the kubeconfig.")
@governing.controllers
@click.option("--davy", "itself", default="", metavar="ACCOUNT", help="The service account of Davy itself.")
@click.option(
    "--publish",
    default="",
    metavar="NAME",
    help="Keep the caBundle of this ValidatingWebhookConfiguration up to date.",
)
@click.option(
    "--drain",
    "drain_s",
    type=click.FloatRange(min=0, max=120),
    default=5.0,
    show_default=True,
    help="Seconds to go on answering, but not be ready, after SIGTERM.",
)
@store
@common
@click.pass_obj
def command(
    setting: Setting,
    store: str,
    admission: bool,
    hooks: Path | None,
    judges: tuple[str, ...],
    witness: bool,
    known: Path | None,
    witness_name: str,
    listen: str,
    cert_dir: Path | None,
    names: tuple[str, ...],
    client_ca: Path | None,
    policies: tuple[str, ...],
    profile: Literal["starter", "standard", "strict", "none"],
    waivers: tuple[str, ...],
    inventory: tuple[str, ...],
    in_cluster: bool,
    kubeconfig: Path | None,
    context_name: str,
    controllers: tuple[str, ...],
    itself: str,
    publish: str,
    drain_s: float,
) -> None:
    """Answer a cluster that asks before anything is changed, take in events, judge for others, or be a witness.

    It runs until Ctrl-C or SIGTERM. With --admission an abort and more replicas are always let through, and
    whatever cannot be judged is denied. With --hooks what others tell is written into the record of the state
    directory, over plain HTTP unless there is a --cert-dir; so is --judges, which answers whether a canary may
    have more traffic, to Argo Rollouts or whoever moves it, by counters in the Prometheus of each Judge. With
    --witness checkpoints of the ledgers in --known are cosigned, as long as they continue what was cosigned
    before.
    """
    if [admission, hooks is not None, bool(judges), witness].count(True) != 1:
        what = "--admission, --hooks FILE, --judges FILE or --witness --known FILE, one of them"
        raise click.UsageError(f"say what to serve: {what}", click.get_current_context())
    from davy.cli.hooking import address, serve_hooks

    if witness:
        if known is None:
            raise UsageError("--witness needs to know whom it signs for", hint="--known FILE")
        from davy.cli.witnessing import serve_witness

        return serve_witness(setting, known, witness_name, address(listen), cert_dir, names or NAMES)
    if hooks is not None:
        return serve_hooks(setting, hooks, store, address(listen), cert_dir)
    if judges:
        from davy.cli.judging import serve_judges

        return serve_judges(setting, judges, store, address(listen), cert_dir)
    if in_cluster and kubeconfig:
        raise UsageError("--in-cluster and --kubeconfig name two clusters", hint="give one of them")
    from davy.adapters.certificate_files import ServerTls
    from davy.cli.admitting import Admitting, Files, Secured, access
    from davy.control.api_reviews import Reviewing
    from davy.policy.passage import Trusted
    from davy.serve.admission import Admission
    from davy.serve.server import Server

    sys.setswitchinterval(SWITCH_S)
    host, port = address(listen)
    directory = (cert_dir or setting.home / "admission-tls").absolute()
    cluster = access(setting, in_cluster=in_cluster, kubeconfig=kubeconfig, context=context_name)
    if publish and cluster is None:
        raise UsageError("--publish needs a cluster", hint="--in-cluster or --kubeconfig FILE")
    trusted = Trusted(frozenset(controllers or [CONTROLLER]), itself)
    reviewing = Reviewing(trusted, setting.wall)
    secured = Secured(ServerTls(directory, callers=client_ca), directory, names or NAMES, setting.wall, publish)
    files = Files((*policies, *waivers, *inventory), None if profile == "none" else profile)
    admitting = Admitting(reviewing, files, secured, cluster)
    admitting.begin()
    served = Admission(
        reviewing,
        report,
        certain=admitting.doubt,
        gauges=admitting.gauges,
        known_caller=client_ca is not None,
    )
    with signals() as asked_to_stop, Server(served, secured.tls.context, host, port) as server:
        talk(f"davy {__version__} answers reviews  pid {os.getpid()}")
        talk(f"  at        https://{host}:{server.port}/v1/admit")
        talk(f"  caBundle  {directory / 'ca.crt'}")
        while not asked_to_stop.wait(TICK_S):
            admitting.look()
            if not server.running:
                raise UsageError("the server has ended by itself")
        talk("finishing what is under way")
        served.ending = True
        threading.Event().wait(drain_s)
    admitting.end()
    return None


def report(number: str, trace: str) -> None:
    """Tell of a fault of ours where logs are kept: nothing is written to files while a review is judged."""
    talk(f"error[bug]: a fault of Davy itself ({number}); please send us this\n{trace}")
