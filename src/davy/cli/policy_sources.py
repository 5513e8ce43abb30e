"""Read what a policy command is given: modules, data and input, as `opa eval` reads them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from davy.cli.options import Command
from davy.errors import NotFound, UsageError

LARGEST = 32 * 1024 * 1024
DATA = (".json", ".yaml", ".yml")


def sources(command: Command) -> Command:
    """Let a command take modules, data, input and the version of Rego."""
    for option in (
        click.option(
            "--v1-compatible", "v1", is_flag=True, help="Read modules as Rego v1, which is the default."
        ),
        click.option("--v0-compatible", "v0", is_flag=True, help="Read modules as Rego v0."),
        click.option("-I", "--stdin-input", "stdin", is_flag=True, help="Read the input from standard input."),
        click.option("-i", "--input", "given", metavar="FILE", help="The input, as JSON or YAML."),
        click.option(
            "-d",
            "--data",
            "paths",
            multiple=True,
            metavar="FILE|DIR",
            help="Modules (.rego) and data (.json, .yaml); a directory is read with all below it.",
        ),
    ):
        command = option(command)
    return command


def read_sources(paths: tuple[str, ...]) -> tuple[dict[str, str], dict[str, Any]]:
    """Return modules by file name, and the data of all files merged.

    Raises:
        UsageError: a file cannot be read, or two of them say different things.
    """
    modules: dict[str, str] = {}
    data: dict[str, Any] = {}
    for name, path, within in _files(paths):
        if path.suffix == ".rego":
            modules[name] = read_text(path)
        else:
            found = parse(read_text(path), name)
            for part in reversed(within):
                found = {part: found}
            if not isinstance(found, dict):
                raise UsageError(f"{name}: data has to be an object")
            merge(data, found, name)
    return modules, data


def read_text(path: Path) -> str:
    """Read a file.

    Raises:
        UsageError: it cannot be read, or is too large.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path}: more than {LARGEST} bytes")
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise NotFound(f"{path}: cannot be read: {reason}") from error


def parse(text: str, name: str) -> Any:
    """Read JSON, or else YAML.

    Raises:
        UsageError: it is neither.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe", pure=True).load(text)
        return json.loads(json.dumps(found, default=str))
    except (YAMLError, ValueError, TypeError, RecursionError) as error:
        line = str(error).splitlines()[0] if str(error) else "it cannot be read"
        raise UsageError(f"{name}: neither JSON nor YAML: {line}") from error


def merge(into: dict[str, Any], found: dict[str, Any], name: str) -> None:
    """Put data into data.

    Raises:
        UsageError: both have a value in one place.
    """
    for key, value in found.items():
        there = into.get(key)
        if isinstance(there, dict) and isinstance(value, dict):
            merge(there, value, name)
        elif key in into:
            raise UsageError(f"{name}: merge error: {key!r} is there already")
        else:
            into[key] = value


def _files(paths: tuple[str, ...]) -> Iterator[tuple[str, Path, tuple[str, ...]]]:
    """Yield name, path and the directories below the one that was named."""
    for text in paths:
        root = Path(text)
        if not root.is_dir():
            if root.suffix not in (".rego", *DATA):
                raise UsageError(f"{text}: neither a module (.rego) nor data (.json, .yaml)")
            yield text, root, ()
            continue
        for path in sorted(root.rglob("*")):
            below = path.relative_to(root)
            if (
                path.suffix in (".rego", *DATA)
                and path.is_file()
                and not any(p.startswith(".") for p in below.parts)
            ):
                yield str(path), path, below.parts[:-1]
