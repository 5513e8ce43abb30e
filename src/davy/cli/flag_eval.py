"""`davy flag eval KEY`: what a document of flags answers, and why."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from davy.cli.options import at_home, output
from davy.cli.output import show_data, show_lines
from davy.cli.paint import Line, span
from davy.cli.setting import Setting
from davy.errors import NotFound, UsageError

if TYPE_CHECKING:
    from davy.flags import Details, FlagSet, FlagType

TYPES = ("boolean", "string", "integer", "float", "object")
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
"""A string as JSON has it."""

FAILED = 3
"""The exit code where the answer is an error: it could not be decided, and the value is the default."""


@click.command("eval")
@click.argument("key")
@click.option(
    "-f", "--flags", "source", required=True, metavar="FILE|-", help="The document: flagd's, as JSON or YAML."
)
@click.option(
    "--environment",
    metavar="NAME",
    help="Read FeatureFlags, of a file or a directory, as they are in this environment, gates and all.",
)
@click.option(
    "--type",
    "kind",
    type=click.Choice(TYPES, case_sensitive=False),
    default="boolean",
    show_default=True,
    help="What is asked for.",
)
@click.option("--default", "given", metavar="VALUE", help="The code's default.  [default: false, empty or 0]")
@click.option("--context", default="{}", metavar="JSON", help="Attributes of whom it is evaluated for.")
@click.option("--targeting-key", metavar="WHO", help="Whom it is evaluated for; `targetingKey` of the context.")
@click.option(
    "--bucketing",
    type=click.Choice(["v2", "v3"]),
    default="v3",
    show_default=True,
    help="How `fractional` draws in flags that do not say so.",
)
@output("text", "json", "yaml")
@at_home
@click.pass_obj
def command(
    setting: Setting,
    key: str,
    source: str,
    environment: str | None,
    kind: str,
    given: str | None,
    context: str,
    targeting_key: str | None,
    bucketing: str,
    form: str,
) -> None:
    """Evaluate a flag as an application that has this document does.

    Prints the value, the variant and the reason. Exits 3 when the answer is an error, in which case the value
    is the default; a flag that is disabled, or whose gate is closed, is none.
    """
    from davy.flags import FlagType

    asked = FlagType(kind)
    default = _default(asked, given)
    about = _object(context, "--context")
    if targeting_key is not None:
        about["targetingKey"] = targeting_key
    flags = _document(source, bucketing) if environment is None else _declared(setting, source, environment)
    details = flags.evaluate(key, asked, default, about)
    if form == "text":
        show_lines(_lines(details))
    else:
        show_data(_told(key, details), form)
    click.get_current_context().exit(FAILED if details.error_code else 0)


def _document(source: str, bucketing: str) -> "FlagSet":
    from davy.flags import load

    text = _bytes(source)
    if b"kind: FeatureFlag" in text:
        raise UsageError(
            f"{source} declares FeatureFlags for all environments", hint="--environment production"
        )
    return load(text, bucketing=bucketing, file="stdin" if source == "-" else source)


def _declared(setting: Setting, source: str, environment: str) -> "FlagSet":
    """Read flags as an environment has them that knows of no canary, as `davy flag render` writes them."""
    from davy.cli.flag_registry import declared, environment_of
    from davy.flags import FlagSet
    from davy.flags.gate import enforced

    registry = declared(setting, [source])
    definitions = registry.definitions(environment_of(registry, environment))
    return FlagSet(enforced(definitions, environment, {}, ()))


def _bytes(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise NotFound(f"{source}: cannot be read: {error.strerror}") from error


def _default(asked: "FlagType", given: str | None) -> Any:
    """Read the default in the way of the type that is asked for.

    Raises:
        UsageError: it is not of it.
    """
    match asked:
        case "string":
            return json.loads(given) if given and _QUOTED.fullmatch(given) else given or ""
        case "object":
            return _structure(given or "{}")
        case "boolean" if (given or "false").lower() in ("true", "false"):
            return (given or "false").lower() == "true"
        case "integer" | "float":
            try:
                return int(given or "0") if asked == "integer" else float(given or "0")
            except ValueError:
                pass
    raise UsageError(f"--default {given}: this is no {asked}", hint="give it as JSON has it: true, 5, 0.5")


def _structure(text: str) -> Any:
    """Read what an object may be: OpenFeature's objects are lists as well."""
    found = _json(text, "--default")
    if not isinstance(found, dict | list):
        raise UsageError(
            "--default has to be an object or a list", hint='as in \'{"limit": 5}\' or \'["a", "b"]\''
        )
    return found


def _object(text: str, option: str) -> dict[str, Any]:
    found = _json(text, option)
    if not isinstance(found, dict):
        raise UsageError(f"{option} has to be an object", hint='as in \'{"plan": "pro"}\'')
    return found


def _json(text: str, option: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{option}: this is not JSON: {error}") from error


def _told(key: str, details: "Details") -> dict[str, Any]:
    """Return an answer under the names of `davy.flags.Details`."""
    return {
        "key": key,
        "value": details.value,
        "variant": details.variant,
        "reason": str(details.reason),
        "error_code": details.error_code,
        "error_message": details.error_message,
        "metadata": dict(details.metadata),
    }


def _lines(details: "Details") -> Iterator[Line]:
    yield _line("value", json.dumps(details.value, ensure_ascii=False))
    if details.variant is not None:
        yield _line("variant", details.variant)
    yield _line("reason", str(details.reason), "bad" if details.error_code else "")
    if details.error_code is not None:
        yield _line("error", f"{details.error_code}: {details.error_message}", "bad")
    width = max((len(name) for name in details.metadata), default=0) + len("  ")
    for name, value in sorted(details.metadata.items()):
        yield _line(f"  {name:<{width}}", value if isinstance(value, str) else json.dumps(value))


def _line(label: str, text: str, look: str = "") -> Line:
    return (span(f"{label:<10} ", "faint"), span(text, look))
