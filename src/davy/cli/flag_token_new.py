"""`davy flag token new NAME`: let somebody ask a server of flags."""

from pathlib import Path

import click

from davy.cli.flag_token import place, tokens
from davy.cli.options import at_home, output
from davy.cli.output import show_data
from davy.cli.setting import Setting, talk
from davy.errors import UsageError


@click.command("new")
@click.argument("name")
@click.option(
    "--edge",
    type=click.Choice(["server", "client"]),
    required=True,
    help="Who holds it: a program of yours, or a browser or a phone, where it is no secret.",
)
@click.option(
    "--keys",
    multiple=True,
    metavar="KEY|NAMESPACE.*",
    help="What it sees; may be given again.  [default: * at the server edge]",
)
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME",
    help="A service that it may speak for; may be given again.  [default: any, at the server edge]",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="An origin of pages that may use it, as in https://shop.example; may be given again.",
)
@click.option("--for", "lasts", metavar="DURATION", help="For how long, e.g. 2160h.")
@click.option("--until", metavar="INSTANT", help="Until when, e.g. 2027-03-01T12:00:00Z.")
@click.option(
    "--per-minute",
    type=click.IntRange(1, 10**9),
    default=60_000,
    show_default=True,
    help="Requests in a minute, of all who hold it together.",
)
@output("text", "json")
@tokens
@at_home
@click.pass_obj
def command(
    setting: Setting,
    name: str,
    edge: str,
    keys: tuple[str, ...],
    services: tuple[str, ...],
    origins: tuple[str, ...],
    lasts: str | None,
    until: str | None,
    per_minute: int,
    form: str,
    file: Path | None,
) -> None:
    """Make a token called NAME and print its secret, once: only a hash of it is kept.

    A token of the client edge sees flags with `exposure: client` that are in --keys, and nothing of what
    governs them. A running server knows the token within a second.
    """
    from davy.adapters.flag_tokens import add_token, new_secret
    from davy.control.views import API_VERSION
    from davy.flags.token import Edge, Token, hashed
    from davy.model.instant import written

    if edge == "client" and not keys:
        raise UsageError("a token of the client edge sees only what it lists", hint="--keys 'checkout.*'")
    if edge == "client" and services:
        raise UsageError("whoever holds a token of the client edge speaks for no service", hint="--edge server")
    now, secret = setting.wall(), new_secret()
    token = Token(
        name,
        hashed(secret),
        Edge(edge),
        created=now,
        expires=_expiry(lasts, until, now),
        keys=keys or ("*",),
        services=services,
        origins=origins,
        per_minute=per_minute,
    )
    path = place(setting, file)
    add_token(path, token)
    if form == "json":
        expires = None if token.expires is None else written(token.expires)
        body = {"name": name, "edge": edge, "expires": expires, "secret": secret}
        return show_data({"apiVersion": API_VERSION, "kind": "FlagTokenView", **body}, form)
    click.echo(secret)
    talk(f"that is the secret of {name}; it is not shown again, and {path} has a hash of it")
    return None


def _expiry(lasts: str | None, until: str | None, now: float) -> float | None:
    """Return from when a token is nobody's any more.

    Raises:
        UsageError: that is said twice, or is no time, or is over.
    """
    from davy.model.duration import BadDuration, parse_duration
    from davy.model.instant import BadInstant, parse_instant

    if lasts is not None and until is not None:
        raise UsageError("a token ends at one time", hint="--for 2160h, or --until 2027-03-01T12:00:00Z")
    try:
        if lasts is not None:
            expires: float | None = now + parse_duration(lasts)
        else:
            expires = None if until is None else parse_instant(until)
    except BadDuration as error:
        raise UsageError(f"--for {lasts}: {error}", hint="--for 2160h") from error
    except BadInstant as error:
        raise UsageError(f"--until {until}: {error}", hint="--until 2027-03-01T12:00:00Z") from error
    if expires is not None and expires <= now:
        raise UsageError("that time is over already", hint="--for 2160h")
    return expires
