"""`davy policy …`: run, test, compare and export policies. Each command is imported when it is called."""

import click

from davy.cli.lazy import Lazy

COMMANDS: dict[str, tuple[str, str]] = {
    "eval": ("davy.cli.policy_eval", "Ask a Rego policy, as opa eval does."),
    "diff": ("davy.cli.policy_diff", "Hold our Rego to that of an opa on this machine."),
    "test": ("davy.cli.policy_test", "Run the suites of tests that policies come with."),
    "export": ("davy.cli.policy_export", "Write what other programs need to enforce the same."),
}
"""Every command: where it lives and what it is for."""


class Policies(Lazy):
    """Run, test, compare and export."""

    table = COMMANDS


@click.group("policy", cls=Policies)
def command() -> None:
    """Run, test, compare and export policies."""
