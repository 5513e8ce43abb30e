"""`davy flag token …`: who may ask a server of flags. Each command is imported when it is called."""

from pathlib import Path

import click

from davy.cli.lazy import Lazy
from davy.cli.options import Command
from davy.cli.setting import Setting

FILE = "flag-tokens.json"
"""What the file of tokens is called in a state directory."""

COMMANDS: dict[str, tuple[str, str]] = {
    "new": ("davy.cli.flag_token_new", "Make a token, and print its secret once."),
    "list": ("davy.cli.flag_token_list", "List the tokens, and what each of them may see."),
    "revoke": ("davy.cli.flag_token_revoke", "Take a token back."),
}
"""Every command: where it lives and what it is for."""


class FlagTokens(Lazy):
    """Who may ask a server of flags."""

    table = COMMANDS


@click.group("token", cls=FlagTokens)
def command() -> None:
    """Say who may ask a server of flags for what."""


def tokens(command: Command) -> Command:
    """Let a command work on a file of tokens that is not in the state directory."""
    return click.option(
        "--tokens",
        "file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help=f"The file of tokens.  [default: {FILE} in --home]",
    )(command)


def place(setting: Setting, file: Path | None) -> Path:
    """Return where the tokens are."""
    return (file or setting.home / FILE).absolute()
