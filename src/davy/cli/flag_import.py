"""`davy flag import`: other vendors' flags as FeatureFlags."""

import json
import sys
from collections.abc import Mapping
from typing import Any

import click

from davy.cli.flag_registry import declared_in
from davy.cli.manifests import read_manifests
from davy.cli.options import common
from davy.cli.output import as_yaml
from davy.cli.setting import Setting, talk
from davy.errors import Refused, UsageError
from davy.flags.importing import (
    Given,
    Imported,
    Told,
    from_flagd,
    from_launchdarkly,
    from_unleash,
    manifest,
)
from davy.flags.importing.imported import renamed
from davy.model.scalar import is_plain

VENDORS = ("launchdarkly", "unleash", "flagd")


@click.command("import")
@click.argument("vendor", type=click.Choice(VENDORS))
@click.argument("file", metavar="FILE|-")
@click.option(
    "--owner", required=True, metavar="TEAM", help="Who answers for flags of which the export does not say."
)
@click.option("--jira", required=True, metavar="TICKET", help="The ticket by which they move.")
@click.option("--expiry", required=True, metavar="DAY", help="When they have to be gone.")
@click.option("--prefix", default="imported", show_default=True, help="The namespace of keys that have none.")
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(("yaml", "json")),
    default="yaml",
    show_default=True,
    help="What to print.",
)
@common
@click.pass_obj
def command(
    setting: Setting, vendor: str, file: str, owner: str, jira: str, expiry: str, prefix: str, form: str
) -> None:
    """Write the flags of an export as FeatureFlags, and say what they do otherwise from now on.

    Reads LaunchDarkly's flags (SDK data, REST API v2), Unleash's export of a project or what its SDKs get, and
    documents of flagd. A rule that cannot be said here matches nobody. Nothing is left out without a word.

    Exits 1 when some flag answers otherwise here than there; the flags are written all the same.
    """
    ((name, text),) = read_manifests([file])[:1]
    given = Given(owner, jira, expiry, prefix)
    flags, told = _read(setting, vendor, name, text)
    told = [*told, *renamed(flags, given)]
    documents = [manifest(flag, given) for flag in flags]
    written = (
        "---\n".join(as_yaml(_quoted(each)) for each in documents)
        if form == "yaml"
        else json.dumps(documents, indent=2) + "\n"
    )
    if documents and form == "yaml":
        declared_in(setting, [("what would be written", written.encode())])
    sys.stdout.write(written)
    for each in told:
        talk(f"{each.severity}: {each.flag}: {each.message}")
    wrong = len({each.flag for each in told if each.severity == "error"})
    talk(f"{len(flags)} flags; of {wrong} something could not be said here")
    if wrong:
        raise Refused(f"{wrong} {'flag answers' if wrong == 1 else 'flags answer'} otherwise here than there")


def _quoted(value: Any) -> Any:
    """Quote texts that readers of YAML take for something else: `on`, `off`, numbers, days."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    match value:
        case dict():
            return {_quoted(name): _quoted(each) for name, each in value.items()}
        case list():
            return [_quoted(each) for each in value]
        case str() if not is_plain(value):
            return DoubleQuotedScalarString(value)
        case _:
            return value


def _read(setting: Setting, vendor: str, name: str, text: bytes) -> tuple[list[Imported], list[Told]]:
    """Read an export.

    Raises:
        UsageError: it is none.
    """
    if vendor == "flagd":
        return from_flagd(declared_in(setting, [(name, text)]))
    read = from_launchdarkly if vendor == "launchdarkly" else from_unleash
    try:
        export: Mapping[str, Any] = json.loads(text)
        flags, told = read(export)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"{name} is no export of {vendor}: {type(error).__name__}: {error}",
            hint="docs/how-to/import-flags.md says which files are read",
        ) from error
    if not flags and not told:
        raise UsageError(
            f"{name} has no flags of {vendor}", hint="docs/how-to/import-flags.md says which files are read"
        )
    return flags, told
