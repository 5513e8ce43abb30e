"""The page about webhooks has every scheme, every field of a source and every status; nothing else."""

import re
from pathlib import Path

from msgspec import structs

from davy.control.hooks.schemes import SCHEMES
from davy.control.hooks.source import Source
from davy.model.loader import load_raw

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reference" / "hooks.md").read_text()


def table(heading: str) -> list[str]:
    """Return the first cells of the first table below a heading."""
    below = PAGE.split(f"## {heading}\n")[1]
    first = re.search(r"^\|.*?(?=\n\n)", below, re.MULTILINE | re.DOTALL)
    assert first is not None
    return re.findall(r"^\| `([^`]+)`", first[0], re.MULTILINE)


def test_every_field_of_a_source_is_told() -> None:
    assert table("The file of sources") == [field.encode_name for field in structs.fields(Source)]


def test_every_scheme_is_told_and_has_its_section() -> None:
    assert table("The schemes") == list(SCHEMES)
    assert re.findall(r"^### (.+)", PAGE, re.MULTILINE) == list(SCHEMES)


def test_every_status_is_told() -> None:
    code = Path(__file__).parents[2] / "src" / "davy" / "serve" / "hooks_app.py"
    used = set(re.findall(r"\b([2345]\d\d)\b", code.read_text())) - {"300"}
    assert set(table("What is answered")) == used


def test_each_section_says_what_its_source_needs_and_every_kind_that_it_says() -> None:
    for name, scheme in SCHEMES.items():
        section = PAGE.split(f"### {name}\n")[1].split("\n### ")[0].split("\n## ")[0]
        assert all(f"`{needed}`" in section for needed in scheme.about)
        if name not in ("gitlab", "cloudevents"):
            assert all(kind in section for kind in scheme.says), name


def test_the_file_that_is_shown_is_one(tmp_path: Path) -> None:
    from davy.control.hooks.sources_file import read_sources

    page = (DOCS / "how-to" / "send-change-events.md").read_text()
    text = page.split("```yaml\n")[1].split("```")[0]
    assert [source.scheme for source in read_sources(text.encode(), "page")] == ["github", "alertmanager"]
    assert load_raw(text, "page")
