"""The flags that files declare, for commands about them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from davy.cli.findings import refuse, tell
from davy.cli.manifests import read_manifests
from davy.cli.setting import Setting, talk
from davy.control.admission import view
from davy.errors import NotFound, UsageError
from davy.flags.declaration import Declaration
from davy.flags.gate import PRODUCTION
from davy.flags.registry import Registry, read_registry
from davy.model.check import nearest
from davy.model.instant import parse_end

Command = TypeVar("Command", bound=Callable[..., Any])


def sources(command: Command) -> Command:
    """Let a command say where flags are declared."""
    return click.option(
        "-f",
        "--filename",
        "sources",
        multiple=True,
        default=(".",),
        metavar="FILE|DIR|-",
        help="Where flags are declared, the working directory where it is not said; may be given again.",
    )(command)


def declared(setting: Setting, named: Sequence[str]) -> Registry:
    """Read what files declare, telling what is to be said of it.

    Raises:
        Unreadable: something in it is no valid flag, or two flags have one key.
    """
    return declared_in(setting, read_manifests(named))


def declared_in(setting: Setting, texts: Sequence[tuple[str, bytes]]) -> Registry:
    """Read what texts declare, as `declared` does."""
    registry, findings = read_registry(texts, namespace=setting.namespace)
    views = [view(finding) for finding in findings]
    tell(setting, views)
    refuse(views, "these are no flags")
    return registry


def flag_of(registry: Registry, key: str) -> Declaration:
    """Return the flag of a key.

    Raises:
        NotFound: there is none.
    """
    if key in registry.flags:
        return registry.flags[key]
    if key in registry.retired:
        raise NotFound(f"the flag {key} was retired", hint=f"{registry.retired[key]} keeps its key")
    meant = nearest(key, registry.flags)
    hint = f"did you mean {meant}?" if meant else "davy flag list shows those that are declared"
    raise NotFound(f"no flag {key} is declared", hint=hint)


def is_expired(flag: Declaration, now: float) -> bool:
    """Say whether the end of a flag is past; one without an end has none."""
    return bool(flag.governance.expiry) and parse_end(flag.governance.expiry) <= now


def environment_of(registry: Registry, name: str) -> str:
    """Return the name of an environment; what is nearly one that flags know is a slip of the pen.

    Raises:
        UsageError: it is nearly another.
    """
    known = {PRODUCTION, *(each for flag in registry.flags.values() for each in flag.environments)}
    if name not in known:
        if meant := nearest(name, known):
            raise UsageError(
                f"no flag knows the environment {name!r}: did you mean {meant!r}?",
                hint=f"environments that flags know: {', '.join(sorted(known))}",
            )
        talk(f"note: no flag is different in {name}: all are as they are declared")
    return name
