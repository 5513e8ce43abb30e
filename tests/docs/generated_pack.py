"""The pages about the rule pack: written from its tables by `./dev docs`, and held to them by a test.

* docs/reference/policy-pack.md: rules and parameters, from davy.policy.pack
* docs/explanation/holes.md: what closes each hole, from holes.toml
* docs/explanation/flags-that-do-not-bite.md: its table of holes, from there, too
"""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from davy.policy import pack

DOCS = Path(__file__).parents[2] / "docs"
FLAGS = DOCS / "explanation" / "flags-that-do-not-bite.md"
FLAGS_MARK, FLAGS_END = "<!-- holes -->", "<!-- end of holes -->"
PACK, HOLES = DOCS / "reference" / "policy-pack.md", DOCS / "explanation" / "holes.md"

PACK_HEAD = """\
# The rule pack

What progressive delivery with teeth asks of manifests: {count} rules in {sections} templates of Rego, which
stock Gatekeeper runs as they are, and Davy in CI, at admission and in its engine. Most of them are written in
CEL as well, for Kyverno and for the API server itself. [What each of them is for](../explanation/holes.md)
has the holes that they close.

A profile says what a rule leads to. `starter` is for fewer than 5 teams and only tells; `standard` is for 5
to 20 and denies the core; `strict` is for more, denies all of it, and wants digests.

```sh
davy policy export gatekeeper --profile standard
davy policy export kyverno --profile standard
davy policy export vap --profile standard
```

Most rules look at production only: namespaces whose name or label says so (`prodNamespaces`, `envLabel`).
Rules that need the object as it was, or who asks, say nothing where nobody knows, as in CI without `--base`.
Nothing is ever held up by what an object looks like when it is deleted, when only its status changes, or when
an update leaves what is judged as it was; so neither an abort nor a controller's bookkeeping is. Gatekeeper
is not asked about deletions and about `rollouts/status` unless its webhook is told to ask, and needs the
kinds of `metadata.gatekeeper.sh/requires-sync-data` at hand.

`mends` marks what a machine can mend.

"""

HOLES_HEAD = """\
# Holes, and what closes them

The policy that everybody writes first denies a Deployment in `prod`. It stops one spelling of one kind. These
are the ways round it, the rule of [the pack](../reference/policy-pack.md) or the behaviour of Davy that
closes each, and where that is shown: for every rule there is an example that the policy lets through and the
pack does not (`tests/policy/pack/test_holes.py`).

`./dev docs` writes this page from `holes.toml`.

"""


def policy_pack() -> str:
    """Write the page about the rules."""
    head = PACK_HEAD.format(count=len(pack.RULES), sections=len(pack.SECTIONS))
    return head + "\n\n".join([*map(_section, pack.SECTIONS), _common(), _missing()]) + "\n"


def holes() -> str:
    """Write the page about the holes."""
    return HOLES_HEAD + "\n\n".join(map(_holes, sections())) + "\n"


def sections() -> Iterator[dict[str, Any]]:
    """Return the sections of the table of holes."""
    yield from tomllib.loads(HOLES.with_suffix(".toml").read_text())["section"]


def holes_of_flags(page: str) -> str:
    """Write the page about flags with its table of holes anew."""
    head, mark, rest = page.partition(FLAGS_MARK)
    _, end, tail = rest.partition(FLAGS_END)
    (section,) = (found for found in sections() if found["title"] == "Flags that bite later")
    table = _holes(section).partition("\n\n")[2]
    return f"{head}{mark}\n\n{table}\n\n{end}{tail}"


def _section(section: pack.Section) -> str:
    lines = [
        f"## {section.kind}",
        section.about,
        "| rule | what is wrong | why it matters | fix | starter | standard | strict |\n"
        + "|---|---|---|---|---|---|---|\n"
        + "\n".join(map(_rule, section.rules)),
    ]
    own = [parameter for parameter in section.parameters if parameter not in pack.COMMON]
    if own:
        lines.append(_parameters(own))
    return "\n\n".join(lines)


def _rule(rule: pack.PackRule) -> str:
    fix = f"{rule.fix} (mends)" if rule.machine_fix else rule.fix
    severities = " | ".join(rule.severity[profile] for profile in pack.PROFILES)
    return f"| `{rule.id}` | {rule.title} | {rule.why} | {_cell(fix)} | {severities} |"


def _common() -> str:
    head = (
        "## Parameters of all templates\n\n`rules` names the rules of a constraint; without it all are meant."
    )
    return f"{head}\n\n{_parameters(list(pack.COMMON))}"


def _parameters(found: list[pack.Parameter]) -> str:
    lines = []
    for parameter in found:
        default = _value(parameter.default)
        others = "; ".join(f"{profile}: `{json.dumps(value)}`" for profile, value in parameter.profiles.items())
        lines.append(
            f"| `{parameter.name}` | {parameter.about} | {default}{f' ({others})' if others else ''} |"
        )
    return "| parameter | what it says | default |\n|---|---|---|\n" + "\n".join(lines)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"`{each}`" if each else "the empty one" for each in value) or "none"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def _missing() -> str:
    """Say in what the rules in CEL are less than those in Rego."""
    less = [f"| `{rule}` | left out: {why} |" for rule, why in pack.not_in_cel("strict").items()]
    for section in pack.SECTIONS:
        less += [f"| `{found.rule}` | {found.note} |" for found in pack.cel(section.name) if found.note]
    head = "## In CEL\n\nCEL sees one object, and so:\n\n| rule | for Kyverno and for the API server |"
    return "\n".join([head, "|---|---|", *less])


def _holes(section: dict[str, Any]) -> str:
    lines = []
    for hole in section["holes"]:
        if "rule" in hole:
            closed = f"`{hole['rule']}`, {pack.RULES[hole['rule']].title}"
        elif hole.get("open"):
            closed = f"open: {hole['davy']}"
        else:
            closed = f"{hole['davy']} (`tests/{hole['test'].partition('::')[0]}`)"
        lines.append(f"| {hole['how']} | {_cell(closed)} |")
    return f"## {section['title']}\n\n| how | closed by |\n|---|---|\n" + "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def write() -> None:
    """Write the pages anew."""
    FLAGS.write_text(holes_of_flags(FLAGS.read_text()))
    PACK.write_text(policy_pack())
    HOLES.write_text(holes())


if __name__ == "__main__":
    write()
