"""The page about the rules of the flag linter: from its table, and from the examples that tests run."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from davy.flags.lint.rules.table import PROFILES, RULES, Rule

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "flag-rules.md"
CASES = ROOT / "tests" / "cases" / "flag_rules"
BEGIN, END = "<!-- rules -->", "<!-- end of rules -->"
_LANGUAGES = {"py": "python", "ts": "ts", "tsx": "tsx"}


def flag_rules(page: str) -> str:
    """Write the page with its rules anew."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    table = "\n".join(f"| `{code}` | {rule.title} | {rule.why} |" for code, rule in RULES.items())
    parts = [f"| code | what is wrong | why it matters |\n|---|---|---|\n{table}"]
    parts += [_rule(code, rule) for code, rule in RULES.items()]
    return f"{head}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{tail}"


def _rule(code: str, rule: Rule) -> str:
    levels = ", ".join(f"{level} ({profile})" for profile, level in zip(PROFILES, rule.levels, strict=True))
    said = f"### {code}\n\n{rule.title[0].upper()}{rule.title[1:]}: {levels}."
    path = CASES / f"{code}.yaml"
    if not path.is_file():
        return said
    case: dict[str, Any] = YAML(typ="safe").load(path)
    firing, passing = case["firing"], case["passing"]
    parts = [said]
    for name, text in firing["files"].items():
        same = passing["files"].get(name) == text
        parts.append(f"{'Code' if same else 'Fires'}, `{name}`:\n\n{_code(name, text)}")
    parts += [
        f"Passes, `{name}`:\n\n{_code(name, text)}"
        for name, text in passing["files"].items()
        if firing["files"].get(name) != text
    ]
    for word in ("flags", "settings"):
        if firing.get(word) != passing.get(word):
            parts.append(f"Fires with these {word}:\n\n{_code('.yaml', firing[word])}")
            parts.append(f"Passes with these {word}:\n\n{_code('.yaml', passing[word])}")
        elif word in firing and word == "settings":
            parts.append(f"With these settings:\n\n{_code('.yaml', firing[word])}")
    return "\n\n".join(parts)


def _code(name: str, text: str) -> str:
    suffix = name.rpartition(".")[2]
    return f"```{_LANGUAGES.get(suffix, suffix)}\n{text.rstrip()}\n```"


def write() -> None:
    """Write the page anew."""
    PAGE.write_text(flag_rules(PAGE.read_text()))


if __name__ == "__main__":
    write()
