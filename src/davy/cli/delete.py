"""`davy delete`: take a rollout, a policy or a judge away."""

import click

from davy.cli.actions import act
from davy.cli.options import common, is_rollout_kind, output, reason, required_reason, rollout_name
from davy.cli.setting import Setting
from davy.control.requests import Delete, DeletePolicy
from davy.errors import UsageError

HELD_IN_NAMESPACES = ("Judge",)
"""Kinds of which there is one of a name in each namespace."""


@click.command("delete")
@click.argument("words", nargs=-1, required=True, metavar="rollout NAME | rollout/NAME | KIND NAME")
@reason
@output("text", "json", "yaml")
@common
@click.pass_obj
def command(setting: Setting, words: tuple[str, ...], reason: str, form: str) -> None:
    """Take a rollout away: its replicas are stopped and nobody reaches it any more. The record of it stays.

    It is refused in the middle of an update. What the rollout refers to (services, templates, images) stays.
    With a kind of policies, e.g. `ConstraintTemplate NAME`, a policy is taken away that was applied; policies
    have a say in that. `Judge NAME` takes a judge away, unless an update is held to it.
    """
    kind, name = _policy(words)
    if kind:
        namespace = setting.namespace if kind in HELD_IN_NAMESPACES else ""
        act(setting, DeletePolicy(kind, name, required_reason(reason, "delete"), namespace), form)
    else:
        act(setting, Delete(setting.namespace, _read(words), required_reason(reason, "delete")), form)


def _policy(words: tuple[str, ...]) -> tuple[str, str]:
    """Return the kind and the name of a policy where the words name one; kinds are written as in manifests."""
    kind, slash, name = words[0].partition("/")
    names = [name, *words[1:]] if slash else list(words[1:])
    is_kind = kind[:1].isupper() and not is_rollout_kind(kind)
    return (kind, names[0]) if is_kind and len(names) == 1 and names[0] else ("", "")


def _read(words: tuple[str, ...]) -> str:
    """Return the one rollout that the words name; what goes for good has to be named with its kind.

    Raises:
        UsageError: they name no kind, another one, or several rollouts.
    """
    kind, slash, name = words[0].partition("/")
    names = [name, *words[1:]] if slash else list(words[1:])
    if not is_rollout_kind(kind):
        hint = f"davy delete rollout {names[0] if names else kind}"
        raise UsageError(f"{kind!r} is no kind of which something can be deleted", hint=hint)
    if len(names) != 1:
        raise UsageError("one name at a time, please", hint="davy delete rollout NAME")
    return rollout_name(names[0])
