"""What the exports of the pack have in common: the profile, and documents of YAML that can be read again."""

from collections.abc import Callable, Iterable, Mapping
from io import StringIO

import click

from davy.cli.options import common
from davy.cli.setting import talk
from davy.policy import pack
from davy.policy.review import Object

PROFILE_HELP = "How much of the pack: for fewer than 5 teams, for 5 to 20, for more."


def exporting(
    name: str,
    text: str,
    objects: Callable[[pack.Profile], Iterable[Object]],
    missing: Callable[[pack.Profile], Mapping[str, str]] = lambda profile: {},
) -> click.Command:
    """Make the command that exports the pack to one target; what is missing is said in it and beside it."""

    @click.command(name, help=text)
    @click.option(
        "--profile", type=click.Choice(pack.PROFILES), default="starter", show_default=True, help=PROFILE_HELP
    )
    @click.option(
        "-o", "--output", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True
    )
    @common
    def command(profile: pack.Profile, form: str) -> None:
        made = list(objects(profile))
        left_out = [f"{rule} is left out: {why}" for rule, why in missing(profile).items()]
        for line in left_out:
            talk(line)
        if form == "yaml":
            click.echo("".join(f"# {line}\n" for line in left_out), nl=False)
        click.echo(as_documents(made) if form == "yaml" else as_list(made), nl=False)

    return command


def exporting_cel(name: str, text: str, engine: pack.Engine) -> click.Command:
    """Make the command that exports the pack in CEL."""
    return exporting(name, text, lambda profile: pack.cel_objects(profile, engine), pack.not_in_cel)


def as_documents(objects: Iterable[Object]) -> str:
    """Write objects as YAML of several documents; a text of several lines stands as it is."""
    from ruamel.yaml import YAML
    from ruamel.yaml.representer import RoundTripRepresenter

    class Representer(RoundTripRepresenter):
        """Writes texts of several lines as blocks, and nothing by reference."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    def block(representer: RoundTripRepresenter, text: str) -> object:
        style = "|" if "\n" in text else None
        return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Representer.add_representer(str, block)
    writer = YAML()
    writer.Representer = Representer
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.width = 110
    text = StringIO()
    writer.explicit_start = True
    writer.dump_all([dict(found) for found in objects], text)
    return text.getvalue()


def as_list(objects: Iterable[Object]) -> str:
    """Write objects as one List, as kubectl reads it."""
    import json

    body = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"
