"""What goes to standard output: views as data, or lines for people."""

import json
from collections.abc import Iterable
from typing import Any

import click
import msgspec

from davy.cli.paint import Line, paint
from davy.control.views import View


def show_lines(lines: Iterable[Line]) -> None:
    """Print styled lines; colours are left out where they are not wanted."""
    for line in lines:
        click.echo(paint(line))


def as_data(view: View) -> Any:
    """Turn a view into plain values, with its kind and apiVersion in front."""
    body = msgspec.to_builtins(view)
    front = {name: body[name] for name in ("apiVersion", "kind")}
    return {**front, **body}


def show_data(body: Any, form: str) -> None:
    """Print plain values as JSON or YAML."""
    click.echo(
        as_yaml(body) if form == "yaml" else json.dumps(body, indent=2, ensure_ascii=False), nl=form != "yaml"
    )


def show_view(view: View, form: str) -> None:
    """Print a view as JSON or YAML."""
    show_data(as_data(view), form)


def as_yaml(body: Any) -> str:
    """Write plain values as YAML, keys in the order they have."""
    from io import StringIO

    from ruamel.yaml import YAML

    writer = YAML()
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.width = 110
    text = StringIO()
    writer.dump(body, text)
    return text.getvalue()
