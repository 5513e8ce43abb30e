"""The page on builtins lists every one with what becomes of it; nothing on it is out of date."""

from pathlib import Path

from davy.policy.rego.builtins import BUILTINS, REFUSED

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "rego-builtins.md"


def table() -> str:
    """Write the table; whoever adds a builtin puts it on the page."""
    rows = ["| builtin | arguments | |", "|---|---|---|"]
    for name in sorted(BUILTINS.keys() | REFUSED.keys()):
        if name in REFUSED:
            rows.append(f"| `{name}` | | refused: {REFUSED[name]} |")
        else:
            arity = BUILTINS[name].arity
            rows.append(f"| `{name}` | {'any' if arity < 0 else arity} | |")
    return "\n".join(rows)


def test_the_page_is_as_the_tables_are() -> None:
    assert f"<!-- builtins -->\n{table()}\n<!-- end of builtins -->" in PAGE.read_text()
