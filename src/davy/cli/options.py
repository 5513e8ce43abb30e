"""What several commands take: the options they all have, names, reasons, output forms."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from davy.cli.setting import both_terminals
from davy.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

_KINDS = ("rollout", "rollouts", "ro", "rollouts.argoproj.io", "rollout.argoproj.io")


def common(command: Command) -> Command:
    """Let a command take the options of the program behind its own name too, as kubectl does."""
    command = click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        expose_value=False,
        callback=_override,
        help="Colour the output.",
    )(command)
    command = click.option(
        "--home",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_override,
        help="State directory of the engine.",
    )(command)
    return click.option(
        "-n", "--namespace", expose_value=False, callback=_override, help="Namespace.  [default: default]"
    )(command)


def output(*forms: str) -> Callable[[Command], Command]:
    """Add `-o`, the first form being what is printed without it."""
    return click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help="What to print.",
    )


def store(command: Command) -> Command:
    """Let a command work on a store that is not in the state directory."""
    return click.option(
        "--store",
        default="",
        envvar="DAVY_STORE",
        show_envvar=True,
        metavar="URL",
        help="The store, where it is on PostgreSQL: postgresql://USER@HOST:PORT/DATABASE.",
    )(command)


def is_rollout_kind(word: str) -> bool:
    """Say whether a word names the kind Rollout."""
    return word.lower() in _KINDS


def rollout_name(text: str) -> str:
    """Read a rollout's name, which may have its kind before it: `payments`, `rollout/payments`.

    Raises:
        UsageError: it names another kind, or nothing.
    """
    kind, slash, name = text.rpartition("/")
    if slash and not is_rollout_kind(kind):
        raise UsageError(f"{kind!r} is not a kind that this works on", hint=f"davy … rollout/{name or 'NAME'}")
    if not name:
        raise UsageError("a rollout's name is missing", hint="davy get rollouts lists them")
    return name


class RolloutName(click.ParamType[str]):
    """The parameter type of a rollout's name."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a name."""
        return rollout_name(str(value))


ROLLOUT = RolloutName()


def named(command: Command) -> Command:
    """Give a command one rollout to work on."""
    return click.argument("name", type=ROLLOUT)(command)


def reason(command: Command) -> Command:
    """Let a command say why; the reason goes into the record."""
    return click.option("--reason", default="", metavar="TEXT", help="Why; goes into the record.")(command)


def required_reason(given: str, doing: str) -> str:
    """Return the reason, asking a person for it where there is one.

    Raises:
        UsageError: there is none, and nobody to ask.
    """
    if not given.strip() and both_terminals():
        given = click.prompt(f"why {doing}?", err=True)
    if not given.strip():
        raise UsageError(
            f"--reason is missing: the record keeps why somebody chose to {doing}",
            hint='--reason "…" takes one sentence',
        )
    return given.strip()


def _override(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Put an option that was given behind the command into the setting."""
    if value is None or context.resilient_parsing:
        return
    if isinstance(value, Path):
        value = value.absolute()
    changes: dict[str, Any] = {str(parameter.name): value}
    if parameter.name == "namespace":
        changes["namespace_given"] = True
    context.obj = context.obj._replace(**changes)
    context.color = context.obj.colored
    context.find_root().obj = context.obj  # errors are told at the root
