"""`davy flag render`: the document of an environment, for everything that reads flagd's format."""

import json
import sys

import click

from davy.cli.flag_registry import declared, environment_of, sources
from davy.cli.options import common
from davy.cli.setting import Setting, talk
from davy.flags.gate import PRODUCTION, enforced, is_baked
from davy.flags.rendering import digest_of, for_clients, rendered


@click.command("render")
@sources
@click.option("--environment", default=PRODUCTION, show_default=True, metavar="NAME", help="Which one.")
@click.option("--client", is_flag=True, help="Only what browsers and phones may have, without what governs it.")
@common
@click.pass_obj
def command(setting: Setting, sources: tuple[str, ...], environment: str, client: bool) -> None:
    """Write the flags of one environment as flagd reads them; needs no engine.

    The gates of production are closed in it, since no file knows which canaries have passed: an engine hands
    out documents in which they are open. The same flags give the same bytes, and their digest is the version.
    """
    registry = declared(setting, sources)
    definitions = enforced(registry.definitions(environment_of(registry, environment)), environment, {}, ())
    closed = sum(map(is_baked, definitions.flags.values()))
    if client:
        definitions = for_clients(definitions)
    text = json.dumps(json.loads(rendered(definitions)), indent=2, ensure_ascii=False, sort_keys=True)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    talk(
        f"{len(definitions.flags)} flags of {environment}, {closed} closed by a gate, {digest_of(definitions)}"
    )
