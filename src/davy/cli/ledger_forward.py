"""`davy ledger forward`: send entries on to what stores events already."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import click

from davy.cli.options import at_home
from davy.cli.setting import Setting, talk
from davy.errors import UsageError

if TYPE_CHECKING:
    from davy.adapters.forward import Form, Forwarder

FORMS = ("otlp", "cloudevents", "cdevents", "datadog")
EVERY_S = 2.0
"""Real seconds between two looks at the ledger."""

RETRY_S = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Real seconds until the next attempt after one that failed."""


class Place(NamedTuple):
    """Where entries go, and the headers that sign in there."""

    url: str
    headers: Mapping[str, str]


@click.command("forward")
@click.argument("form", type=click.Choice(FORMS))
@click.argument("url", required=False, default="")
@click.option("--once", is_flag=True, help="Send what there is, then end.")
@click.option(
    "--after", type=click.IntRange(0), metavar="N", help="Begin after entry N, wherever it had come to."
)
@at_home
@click.pass_obj
def command(setting: Setting, form: "Form", url: str, once: bool, after: int | None) -> None:
    """Send the ledger's entries on, each at least once and in their order, until Ctrl-C.

    otlp are logs of OpenTelemetry over HTTP, to URL or where OTEL_EXPORTER_OTLP_ENDPOINT says, with
    OTEL_EXPORTER_OTLP_HEADERS. cloudevents and cdevents are posted to URL in batches, with DAVY_FORWARD_TOKEN
    as a bearer token. datadog is Datadog's DORA API at DD_SITE with DD_API_KEY. How far it has come is kept in
    the state directory.
    """
    from davy.adapters.forward import NotForwarded
    from davy.cli.reading import reading
    from davy.cli.signals import signals

    place = _place(form, url, setting.environment)
    with reading(setting) as reader, signals() as asked_to_stop:
        forwarder = _forwarder(setting, form, place, reader.bodies, after)
        failures = 0
        while True:
            try:
                while forwarder.step():
                    failures = 0
                wait_s = EVERY_S
            except NotForwarded as error:
                if once:
                    raise
                wait_s = RETRY_S[min(failures, len(RETRY_S) - 1)]
                failures += 1
                talk(
                    f"{error.message}; {forwarder.sent} entries are there, the next attempt is in {wait_s:g} s"
                )
            if once or asked_to_stop.wait(wait_s):
                talk(f"{forwarder.sent} entries are there")
                return


def _forwarder(
    setting: Setting, form: "Form", place: Place, bodies: Callable[[int, int], list[bytes]], after: int | None
) -> "Forwarder":
    from davy.adapters.forward import Forwarder, Target
    from davy.adapters.ledger_key import public_key
    from davy.ledger.note import PublicKey
    from davy.reports.projection import Projection

    spelt = public_key(setting.home)
    origin = PublicKey.read(spelt).name if spelt else "unsigned"
    named = sha256(f"{form} {place.url}".encode()).hexdigest()[:12]
    cursor = setting.home / "forwarded" / f"{form}-{named}.json"
    cursor.parent.mkdir(mode=0o700, exist_ok=True)
    target = Target(form, place.url, place.headers)
    return Forwarder(bodies, origin, target, cursor, Projection().read, after)


def _place(form: "Form", url: str, environment: Mapping[str, str]) -> Place:
    """Find out where entries go.

    Raises:
        UsageError: nobody says where, or with what key.
    """
    if form == "otlp":
        url = url or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
        headers = _headers(environment.get("OTEL_EXPORTER_OTLP_HEADERS", ""))
        return Place(_needed(url, "davy ledger forward otlp http://localhost:4318"), headers)
    if form == "datadog":
        key = environment.get("DD_API_KEY", "")
        if not key:
            raise UsageError("there is no key for Datadog", hint="put it into DD_API_KEY")
        return Place(url or f"https://api.{environment.get('DD_SITE') or 'datadoghq.com'}", {"DD-API-KEY": key})
    token = environment.get("DAVY_FORWARD_TOKEN", "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Place(_needed(url, f"davy ledger forward {form} https://events.example/"), headers)


def _needed(url: str, example: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise UsageError("nobody says where entries go" if not url else f"{url!r} is no address", hint=example)
    return url


def _headers(text: str) -> dict[str, str]:
    """Read headers as OpenTelemetry writes them: `name=value,name=value`, percent-encoded."""
    from urllib.parse import unquote

    pairs = (pair.partition("=") for pair in text.split(",") if pair.strip())
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}
