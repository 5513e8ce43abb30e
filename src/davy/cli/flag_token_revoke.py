"""`davy flag token revoke NAME`: answer whoever holds a token no more."""

from pathlib import Path

import click

from davy.cli.flag_token import place, tokens
from davy.cli.options import at_home
from davy.cli.setting import Setting, talk


@click.command("revoke")
@click.argument("name")
@tokens
@at_home
@click.pass_obj
def command(setting: Setting, name: str, file: Path | None) -> None:
    """Take the token called NAME back. A running server ends its streams with the next event or heartbeat."""
    from davy.adapters.flag_tokens import revoke_token

    path = place(setting, file)
    revoke_token(path, name)
    talk(f"token {name} revoked: a running server knows within a second")
