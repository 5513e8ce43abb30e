"""What the pages say of rows, seams and packages is what the tools hold the code to."""

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
ARCHITECTURE = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
NAME = re.compile(r"^[A-Za-z0-9._-]+")


def contract(kind: str) -> dict[str, Any]:
    """Return the first import contract of a type, which is the one about rows."""
    found, *_ = [each for each in PROJECT["tool"]["importlinter"]["contracts"] if each["type"] == kind]
    assert isinstance(found, dict)
    return found


def packages(row: str) -> set[str]:
    """Return the names in one row, those in parentheses (which need not exist) only if they do."""
    words = re.findall(r"[(]?\w+[)]?", row)
    there = (word.strip("()") for word in words)
    return {name for name in there if (ROOT / "src" / "davy" / name).is_dir() or exists(name)}


def exists(name: str) -> bool:
    return (ROOT / "src" / "davy" / f"{name}.py").is_file()


def test_the_picture_of_the_rows_is_the_contract() -> None:
    picture = re.search(r"## Rows.*?```\n(.*?)```", ARCHITECTURE, re.DOTALL)
    assert picture
    drawn = [re.split(r"\s{3,}", line.strip())[0] for line in picture[1].splitlines()]
    rows = [set(row.split(" · ")) for row in drawn if row != "│"]
    assert rows == [found for layer in contract("layers")["layers"] if (found := packages(layer))]


def test_the_table_of_packages_has_every_package() -> None:
    rows = contract("layers")["layers"]
    for name in set[str]().union(*(packages(row) for row in rows)):
        assert re.search(rf"^\| .*`{name}/?`", ARCHITECTURE, re.MULTILINE), name


def test_pure_rows_are_the_same_for_imports_and_coverage() -> None:
    dev = runpy.run_path(str(ROOT / "dev"), run_name="dev")
    held = {f"davy.{row}" for row in dev["PURE_ROWS"].split(",")}
    assert held == set(contract("forbidden")["source_modules"])
    pure = next(line for line in ARCHITECTURE.splitlines() if "pure:" in line)
    assert {f"davy.{row}" for row in re.findall(r"\w+", pure.split("pure:")[0])} | {"davy.model"} == held


def test_only_the_command_line_imports_adapters_as_the_page_says() -> None:
    assert contract("protected")["allowed_importers"] == ["davy.cli"]
    assert "Only `cli` imports\n`adapters`" in ARCHITECTURE


def test_every_seam_and_its_plug_ins_are_in_the_table_of_seams() -> None:
    groups = PROJECT["project"]["entry-points"]
    for group, plug_ins in groups.items():
        row = next(line for line in ARCHITECTURE.splitlines() if f"`{group}`" in line)
        for name in plug_ins:
            assert f"`{name}`" in row
    assert set(re.findall(r"`(davy\.\w+)`", ARCHITECTURE)) & {f"davy.{word}" for word in seams()} == set(groups)


def seams() -> set[str]:
    """Return the names of groups that the source asks for."""
    sources = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    return set(re.findall(r'load\("(\w+)", ', sources)) | {"providers"}


def test_every_dependency_is_in_its_decision_and_nothing_else_is() -> None:
    page = (ROOT / "docs" / "decisions" / "0001-dependencies.md").read_text()
    run_time, _, development = page.partition("### For development")
    assert listed(run_time) == names(PROJECT["project"]["dependencies"])
    assert listed(development) == names(PROJECT["dependency-groups"]["dev"])


def listed(text: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def names(requirements: list[str]) -> list[str]:
    return sorted(found[0] for each in requirements if (found := NAME.match(each)))


def test_every_decision_is_in_the_list_of_decisions() -> None:
    directory = ROOT / "docs" / "decisions"
    listing = (directory / "README.md").read_text()
    for page in sorted(directory.glob("[0-9]*.md")):
        title = page.read_text().splitlines()[0].removeprefix(f"# {page.name[:4]}: ")
        assert f"| [{page.name[:4]}]({page.name}) | {title} |" in listing
