"""`davy policy export webhook`: write what a cluster needs in order to ask Davy before anything is changed."""

import json
import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import click

from davy.cli import governing
from davy.cli.options import common, output
from davy.cli.output import as_yaml
from davy.cli.setting import Setting
from davy.errors import UsageError
from davy.policy.passage import CONTROLLER

_LABEL = re.compile(
    r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?=[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?"
)
_DNS = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@click.command("webhook")
@click.option(
    "--namespace-label",
    "label",
    default="davy.dev/governed=true",
    show_default=True,
    metavar="KEY=VALUE",
    help="The label of namespaces that are governed.",
)
@click.option(
    "--service",
    default="davy-system/davy",
    show_default=True,
    metavar="NAMESPACE/NAME",
    help="The Service that Davy answers at.",
)
@click.option(
    "--url", default="", metavar="URL", help="Where Davy answers when it runs outside of the cluster."
)
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The authority that the API server is to believe.",
)
@click.option(
    "--cert-dir",
    type=click.Path(path_type=Path),
    metavar="DIRECTORY",
    help="Make or renew certificates of our own there, and write them into a Secret.",
)
@click.option(
    "--image", default="", metavar="IMAGE", help="Run this image in the cluster: a Deployment and all."
)
@governing.profile("How much the rules of Davy's own pack ask for there.")
@governing.controllers
@click.option(
    "--without-backstop",
    is_flag=True,
    help="Leave out the policies that the API server evaluates itself while Davy does not answer.",
)
@output("yaml", "json")
@common
@click.pass_obj
def command(
    setting: Setting,
    label: str,
    service: str,
    url: str,
    ca_file: Path | None,
    cert_dir: Path | None,
    image: str,
    profile: Literal["starter", "standard", "strict", "none"],
    controllers: tuple[str, ...],
    without_backstop: bool,
    form: str,
) -> None:
    """Write the webhook, the roles, the backstop, the kind Waiver, and Davy itself, for kubectl apply.

    Namespaces are governed once they have the label. With --cert-dir there is a Secret with a key among the
    documents; run it again, and apply it, within every 60 days.
    """
    from davy.control.webhook import Governed, Place, documents

    namespace, name = _service(service)
    if not _LABEL.fullmatch(label):
        raise UsageError(f"{label!r} is no label", hint="--namespace-label davy.dev/governed=true")
    if bool(ca_file) == bool(cert_dir):
        raise UsageError(
            "whom the API server is to believe is not said", hint="--cert-dir DIRECTORY or --ca-file FILE"
        )
    host = _host(url) if url else f"{name}.{namespace}.svc"
    bundle, certificate, key = (
        _certificates(setting, cert_dir, host) if cert_dir else (_bundle(ca_file), "", "")
    )
    place = Place(
        bundle,
        namespace=namespace,
        name=name,
        url=url,
        image="" if url else image,
        certificate="" if url else certificate,
        key="" if url else key,
        profile=profile,
    )
    governed = Governed(label, controllers or (CONTROLLER,), f"system:serviceaccount:{namespace}:{name}")
    found = documents(governed, place, with_backstop=not without_backstop)
    if form == "json":
        click.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": found}, indent=2))
    else:
        click.echo("---\n".join(as_yaml(document) for document in found), nl=False)


def _service(text: str) -> tuple[str, str]:
    namespace, _, name = text.partition("/")
    if not (_DNS.fullmatch(namespace) and _DNS.fullmatch(name)):
        raise UsageError(f"{text!r} does not name a Service", hint="--service davy-system/davy")
    return namespace, name


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = (
            parts.scheme == "https" and parts.hostname and not (parts.query or parts.fragment or parts.username)
        )
    except ValueError:
        good = False
    if not good:
        raise UsageError(
            f"{url!r} is no URL that an API server may ask", hint="--url https://HOST:8443/v1/admit"
        )
    return str(parts.hostname)


def _bundle(file: Path | None) -> bytes:
    from cryptography import x509

    assert file is not None
    try:
        bundle = file.read_bytes()
        x509.load_pem_x509_certificates(bundle)
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} has no certificates that can be read: {error}") from error
    return bundle


def _certificates(setting: Setting, directory: Path, host: str) -> tuple[bytes, str, str]:
    from davy.adapters.certificate_files import renew

    keyring = renew(directory, (host,), setting.wall())
    return keyring.bundle, keyring.leaf.pem.decode(), keyring.leaf.key_pem.decode()
