"""A group of commands, each of which is imported when it is called."""

from importlib import import_module
from typing import ClassVar

import click


class Lazy(click.Group):
    """A group whose help needs none of its commands."""

    table: ClassVar[dict[str, tuple[str, str]]]
    """Every command: where it lives and what it is for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self.table:
            return None
        command: click.Command = import_module(self.table[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])
