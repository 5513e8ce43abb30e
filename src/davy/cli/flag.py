"""`davy flag …`: flags in Git, in code and in front of users. Each command is imported when it is called."""

import click

from davy.cli.lazy import Lazy

COMMANDS: dict[str, tuple[str, str]] = {
    "eval": ("davy.cli.flag_eval", "Evaluate a flag of a document, and say why it is what it is."),
    "list": ("davy.cli.flag_list", "The flags that are declared."),
    "show": ("davy.cli.flag_show", "One flag: what governs it, and what it is in each environment."),
    "render": ("davy.cli.flag_render", "The document of an environment, for everything that reads flagd's."),
    "diff": ("davy.cli.flag_diff", "What differs between environments, or since a commit."),
    "import": ("davy.cli.flag_import", "Turn LaunchDarkly's, Unleash's or flagd's flags into FeatureFlags."),
    "refs": ("davy.cli.flag_refs", "Find the code that reads a flag."),
    "lint": ("davy.cli.flag_lint", "Hold what code reads of flags against what is declared."),
    "cleanup": ("davy.cli.flag_cleanup", "Take a flag out of code and out of Git."),
}
"""Every command: where it lives and what it is for."""


class Flags(Lazy):
    """What can be done with flags."""

    table = COMMANDS


@click.group("flag", cls=Flags)
def command() -> None:
    """Evaluate, lint, toggle and kill flags."""
