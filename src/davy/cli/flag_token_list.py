"""`davy flag token list`: who may ask a server of flags for what."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from davy.cli.flag_token import place, tokens
from davy.cli.options import at_home, output
from davy.cli.output import show_data, show_lines
from davy.cli.paint import cell, columns
from davy.cli.setting import Setting, talk

if TYPE_CHECKING:
    from davy.flags.token import Token


@click.command("list")
@output("text", "json", "yaml")
@tokens
@at_home
@click.pass_obj
def command(setting: Setting, form: str, file: Path | None) -> None:
    """List the tokens: who holds each, what it sees, where it may be used and until when."""
    from davy.adapters.flag_tokens import read_tokens
    from davy.control.views import API_VERSION

    found = [_told(token, setting.wall()) for token in read_tokens(place(setting, file))]
    if form != "text":
        show_data({"apiVersion": API_VERSION, "kind": "FlagTokenListView", "tokens": found}, form)
    elif not found:
        talk("there are no tokens, so nobody is answered: davy flag token new")
    else:
        show_lines(columns([[cell(text) for text in _row(each)] for each in found]))


def _told(token: "Token", now: float) -> dict[str, Any]:
    """Return a token as plain values, without what is kept of its secret."""
    from davy.model.instant import written

    return {
        "name": token.name,
        "edge": str(token.edge),
        "keys": list(token.keys),
        "services": list(token.services),
        "origins": list(token.origins),
        "perMinute": token.per_minute,
        "created": written(token.created),
        "expires": None if token.expires is None else written(token.expires),
        "expired": token.expires is not None and token.expires <= now,
    }


def _row(told: dict[str, Any]) -> tuple[str, ...]:
    """Write a token for people."""
    until = "expired" if told["expired"] else f"until {told['expires']}" if told["expires"] else "never expires"
    where = " ".join(told["origins"] or told["services"]) or "anywhere"
    return told["name"], told["edge"], " ".join(told["keys"]), where, until
