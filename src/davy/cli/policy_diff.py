"""`davy policy diff`: hold our Rego to that of an `opa` on this machine."""

import json
import sys
from typing import Any

import click

from davy.cli.policy_eval import evaluate, version_of
from davy.cli.policy_sources import sources
from davy.cli.setting import Setting, talk
from davy.errors import Refused, UsageError


@click.command("diff")
@click.argument("query")
@sources
@click.pass_obj
def command(
    setting: Setting, query: str, paths: tuple[str, ...], given: str | None, stdin: bool, v0: bool, v1: bool
) -> None:
    """Evaluate a query here and with `opa`, and show where the answers differ.

    Exits 1 when they differ and 3 when there is no `opa`.
    """
    from davy.adapters.opa import Opa

    if stdin:
        raise UsageError("both have to read the input", hint="give it as a file, with --input")
    version = version_of(v0, v1)
    theirs = Opa.found(setting.environment.get("PATH", "")).eval(query, paths, given, version)
    _, ours = evaluate(query, paths, given, stdin=False, version=version)
    left, right = comparable(ours), comparable(theirs)
    if left == right:
        talk("the same answer")
        return
    import difflib

    lines = difflib.unified_diff(right, left, "opa", "davy", lineterm="")
    sys.stdout.write("\n".join(lines) + "\n")
    raise Refused("the answers differ", hint="docs/reference/rego.md lists the differences that are known")


def comparable(found: dict[str, Any]) -> list[str]:
    """Return what has to be the same: values, or that there is an error of a kind, whatever its words."""
    if "errors" in found:
        return [f"error: {found['errors'][0].get('code', 'error')}"]
    return json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
