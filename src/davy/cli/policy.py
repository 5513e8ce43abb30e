"""`davy policy …`: run, test, compare and export policies. Each command is imported when it is called."""

from importlib import import_module
from typing import ClassVar

import click

COMMANDS: dict[str, tuple[str, str]] = {
    "eval": ("davy.cli.policy_eval", "Ask a Rego policy, as opa eval does."),
    "diff": ("davy.cli.policy_diff", "Hold our Rego to that of an opa on this machine."),
    "test": ("davy.cli.policy_test", "Run the suites of tests that policies come with."),
    "export": ("davy.cli.policy_export", "Write what other programs need to enforce the same."),
}
"""Every command: where it lives and what it is for."""


class Policies(click.Group):
    """The group; help needs none of its commands."""

    table: ClassVar[dict[str, tuple[str, str]]] = COMMANDS

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


@click.group("policy", cls=Policies)
def command() -> None:
    """Run, test, compare and export policies."""
