"""What commands take that say how a cluster is governed: the pack's profile, and who carries rollouts out."""

from collections.abc import Callable

import click

from davy.cli.options import Command
from davy.policy.passage import CONTROLLER

controllers: Callable[[Command], Command] = click.option(
    "--controller",
    "controllers",
    multiple=True,
    metavar="ACCOUNT",
    help=f"A service account that carries rollouts out; may be given again.  [default: {CONTROLLER}]",
)


def profile(help: str) -> Callable[[Command], Command]:
    """Add `--profile`, which asks for more in a cluster than on one machine, and may be none."""
    return click.option(
        "--profile",
        type=click.Choice(["starter", "standard", "strict", "none"]),
        default="standard",
        show_default=True,
        help=help,
    )
