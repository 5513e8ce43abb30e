"""The parts of the documentation that are written from tables: `./dev docs` writes them, a test holds them.

* docs/reference/argo-rollouts.md: fields from davy.model.honoured, rules from argo-rollouts.toml
* docs/reference/kinds.md: the part between the marks, from davy.model.honoured
* the pages about the rule pack, by tests.docs.generated_pack
* docs/reference/flag-rules.md: the part between the marks, by tests.docs.generated_flag_rules
* integrations/grafana/davy-delivery.json, from davy.reports.dashboard
"""

import json
import re
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.docs import generated_flag_rules, generated_pack

from davy.model.honoured import HONOURED, IGNORED, REFUSED
from davy.model.kinds import KINDS
from davy.reports.dashboard import dashboard

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
GRAFANA = REFERENCE.parents[1] / "integrations" / "grafana" / "davy-delivery.json"
BEGIN, END = "<!-- fields -->", "<!-- end of fields -->"
WIDTH = 128
ARGO_KINDS = ("Rollout", "AnalysisTemplate")
"""The kinds whose fields the page on Argo Rollouts lists; a ClusterAnalysisTemplate has those of the other."""

ARGO_HEAD = """\
# Argo Rollouts, field by field and rule by rule

What Davy's embedded engine makes of a Rollout and of an AnalysisTemplate of Argo Rollouts v1.10. Every field
and every rule is one of these:

* **honoured**: it does what it does there;
* **stricter**: it does that, and asks for more or gives traffic back sooner; why is beside it;
* **refused**: a manifest or an action with it is not taken; what to do instead is beside it;
* **told of**: it means nothing on one machine, and a note (DV012) says so.

`./dev docs` writes this page from the tables that the program itself decides by (`davy.model.honoured`), and
from `argo-rollouts.toml`, whose rules each name the test that shows them. Why Davy differs where it does is in
[Differences from Argo Rollouts](../explanation/differences-from-argo.md).

"""


def argo_rollouts() -> str:
    """Write the page on Argo Rollouts."""
    return ARGO_HEAD + "\n\n".join([*_rule_sections(), *_field_sections()]) + "\n"


def kinds(page: str) -> str:
    """Write the page on kinds with its fields anew."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    fields = "\n\n".join([*(_kind(kind) for kind in KINDS), _told_of("Every kind", "")])
    return f"{head}{BEGIN}\n\n{fields}\n\n{END}{tail}"


def grafana() -> str:
    """Write the dashboard."""
    return json.dumps(dashboard(), indent=2, sort_keys=True) + "\n"


def rules() -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every rule with the title of its section."""
    table = tomllib.loads((REFERENCE / "argo-rollouts.toml").read_text())
    for section in table["section"]:
        for rule in section["rules"]:
            yield section["title"], rule


def _rule_sections() -> Iterator[str]:
    by_title: dict[str, list[str]] = {}
    for title, rule in rules():
        how = f": {rule['davy']}" if "davy" in rule else ""
        by_title.setdefault(title, []).append(f"| {_cell(rule['argo'])} | {rule['verdict']}{_cell(how)} |")
    for title, lines in by_title.items():
        yield f"## {title}\n\n| Argo Rollouts | Davy |\n|---|---|\n" + "\n".join(lines)


def _field_sections() -> Iterator[str]:
    for kind in ARGO_KINDS:
        told = dict.fromkeys(HONOURED[kind], "honoured")
        told |= {field: f"refused: {why}" for field, why in REFUSED.get(kind, {}).items()}
        told |= {field: f"told of: {why}" for field, why in {**IGNORED[""], **IGNORED.get(kind, {})}.items()}
        lines = [f"| `{field}` | {_cell(told[field])} |" for field in sorted(told)]
        yield f"## Fields of {kind}\n\n| field | Davy |\n|---|---|\n" + "\n".join(lines)


def _kind(kind: str) -> str:
    """List what is acted on of a kind, what is refused and what is not acted on."""
    acted_on = "Acted on: " + " ".join(f"`{field}`" for field in sorted(HONOURED[kind]))
    filled = textwrap.fill(acted_on, WIDTH, break_long_words=False, break_on_hyphens=False)
    return _told_of(f"{kind}\n\n{filled}", kind)


def _told_of(head: str, kind: str) -> str:
    parts = [f"### {head}"]
    for title, table in (("refused (DV011)", REFUSED), ("not acted on (DV012)", IGNORED)):
        if told := table.get(kind, {}):
            lines = [f"| `{field}` | {_cell(why)} |" for field, why in sorted(told.items())]
            parts.append(f"| {title} | why |\n|---|---|\n" + "\n".join(lines))
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def write() -> None:
    """Write every page anew."""
    (REFERENCE / "argo-rollouts.md").write_text(argo_rollouts())
    path = REFERENCE / "kinds.md"
    path.write_text(kinds(path.read_text()))
    generated_pack.write()
    generated_flag_rules.write()
    GRAFANA.write_text(grafana())


if __name__ == "__main__":
    write()
