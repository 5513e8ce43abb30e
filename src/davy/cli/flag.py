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
    "sync": ("davy.cli.flag_sync", "Hold the flags of Unleash, LaunchDarkly or Split to what is declared."),
    "serve": ("davy.cli.flag_serve", "Serve flags from files to SDKs, over HTTP."),
    "token": ("davy.cli.flag_token", "Say who may ask a server of flags for what."),
    "set": ("davy.cli.flag_set", "Turn a flag on or off, or set a variant or a share of users."),
    "kill": ("davy.cli.flag_kill", "Give everybody what is safe, at once."),
    "restore": ("davy.cli.flag_restore", "End a kill, through an open gate."),
    "approve": ("davy.cli.flag_approve", "Agree to a change that somebody else asks for."),
    "status": ("davy.cli.flag_status", "Show what users get of a flag, why, and who has heard of it."),
    "history": ("davy.cli.flag_history", "Read the record of one flag."),
    "ramp": ("davy.cli.flag_ramp", "Give a flag to more and more users, by the steps of its ramp."),
    "blame": ("davy.cli.flag_blame", "Say which flag's change is at fault, by who met it."),
    "drill": ("davy.cli.flag_drill", "Rehearse the kill of a kill switch."),
    "drills": ("davy.cli.flag_drills", "List the drills; overdue ones are a failure."),
}
"""Every command: where it lives and what it is for."""


class Flags(Lazy):
    """What can be done with flags."""

    table = COMMANDS


@click.group("flag", cls=Flags)
def command() -> None:
    """Evaluate, lint, toggle and kill flags."""
