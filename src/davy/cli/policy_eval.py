"""`davy policy eval`: ask a Rego policy, with the options and the answers of `opa eval`."""

import json
import sys
import time
from typing import Any

import click

from davy.cli.policy_sources import parse, read_sources, read_text, sources
from davy.cli.setting import Setting
from davy.errors import UsageError

FORMS = ("json", "pretty", "raw", "values")


@click.command("eval")
@click.argument("query")
@sources
@click.option(
    "-o",
    "-f",
    "--format",
    "form",
    type=click.Choice(FORMS),
    default="json",
    show_default=True,
    help="What to print.",
)
@click.option("--fail", is_flag=True, help="Exit 1 when there is no answer.")
@click.option("--fail-defined", is_flag=True, help="Exit 1 when there is an answer.")
@click.pass_obj
def command(
    setting: Setting,
    query: str,
    paths: tuple[str, ...],
    given: str | None,
    stdin: bool,
    v0: bool,
    v1: bool,
    form: str,
    fail: bool,
    fail_defined: bool,
) -> None:
    """Evaluate a Rego query as `opa eval` does: the same modules, the same answer, the same JSON.

    Exits 2 when something is no Rego or has no answer.
    """
    code, found = evaluate(query, paths, given, stdin=stdin, version=version_of(v0, v1))
    show(found, form)
    if not code and ((fail and not found.get("result")) or (fail_defined and found.get("result"))):
        code = 1
    click.get_current_context().exit(code)


def version_of(v0: bool, v1: bool) -> Any:
    """Say which Rego modules are in.

    Raises:
        UsageError: both were asked for.
    """
    if v0 and v1:
        raise UsageError(
            "modules are read as Rego v0 or as v1", hint="give one of --v0-compatible and --v1-compatible"
        )
    return "v0" if v0 else "v1"


def evaluate(
    query: str, paths: tuple[str, ...], given: str | None, *, stdin: bool, version: Any
) -> tuple[int, dict[str, Any]]:
    """Return the exit code and the answer in the shape of `opa eval`."""
    from davy.policy.rego import UNDEFINED, BadRego, Context, EvaluationError, compile

    modules, data = read_sources(paths)
    asked: Any = UNDEFINED
    if stdin:
        asked = parse(sys.stdin.read(), "stdin")
    elif given is not None:
        from pathlib import Path

        asked = parse(read_text(Path(given)), given)
    try:
        policy = compile(modules, version)
        prepared = policy.prepared(query)
        context = Context(now_ns=time.time_ns(), seed=time.time_ns())
        answers = policy.ask(query, asked, data, context=context)
    except BadRego as error:
        return 2, {"errors": [problem(each) for each in (error, *error.others)]}
    except EvaluationError as error:
        return 2, {"errors": [problem(error)]}
    for line in context.printed:
        click.echo(line, err=True)
    return 0, {"result": [shaped(answer, prepared) for answer in answers]} if answers else {}


def shaped(answer: Any, prepared: Any) -> dict[str, Any]:
    """Give an answer the shape that `opa eval` gives it."""
    from davy.policy.rego.values import to_json

    expressions = [
        {"value": to_json(value), "text": text, "location": {"row": place.row, "col": place.col}}
        for value, (text, place) in zip(answer.expressions, prepared.written, strict=True)
    ]
    bindings = {name: to_json(value) for name, value in sorted(answer.bindings.items())}
    return {"expressions": expressions, "bindings": bindings} if bindings else {"expressions": expressions}


def problem(error: Any) -> dict[str, Any]:
    """Give an error the shape that `opa eval` gives it."""
    place = error.place
    return {
        "message": error.sentence,
        "code": error.kind,
        "location": {"file": place.file, "row": place.row, "col": place.col},
    }


def show(found: dict[str, Any], form: str) -> None:
    """Print an answer."""
    if form == "json":
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    if "errors" in found:
        for error in found["errors"]:
            place = error["location"]
            name = f"{place['file']}:" if place["file"] else ""
            click.echo(f"{name}{place['row']}:{place['col']}: {error['code']}: {error['message']}", err=True)
        return
    for answer in found.get("result", []):
        values = [expression["value"] for expression in answer["expressions"]]
        match form:
            case "raw":
                click.echo(" ".join(value if isinstance(value, str) else compact(value) for value in values))
            case "values":
                click.echo(json.dumps(values, indent=2, ensure_ascii=False))
    if form == "pretty":
        pretty(found.get("result", []))


def compact(value: Any) -> str:
    """Write JSON in one line."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def pretty(answers: list[dict[str, Any]]) -> None:
    """Print one value as it is, several in columns."""
    if not answers:
        click.echo("undefined")
        return
    shown = [expression for expression in answers[0]["expressions"] if expression["value"] is not True]
    if len(answers) == 1 and len(answers[0]["expressions"]) == 1 and not answers[0].get("bindings"):
        click.echo(json.dumps(answers[0]["expressions"][0]["value"], indent=2, ensure_ascii=False))
        return
    names = [*(expression["text"] for expression in shown), *answers[0].get("bindings", {})]
    rows = [names]
    for answer in answers:
        values = {each["text"]: each["value"] for each in answer["expressions"]} | answer.get("bindings", {})
        rows.append([compact(values[name]) for name in names])
    widths = [max(len(row[at]) for row in rows) for at in range(len(names))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
