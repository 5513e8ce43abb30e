"""The reference is complete, and speaks of nothing that is not there."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from math import nan
from pathlib import Path

import click
import pytest
from bench.__main__ import BENCHES

import davy
from davy.analysis import vantage
from davy.analysis.condition import FUNCTIONS as CONDITION_FUNCTIONS
from davy.analysis.condition import assess
from davy.analysis.expression.builtins import BUILTINS, PREDICATES
from davy.analysis.promql.aggregation import STATISTICS
from davy.analysis.promql.evaluate import POINT_LIMIT
from davy.analysis.promql.functions import FUNCTIONS as QUERY_FUNCTIONS
from davy.analysis.promql.parse import UNSUPPORTED_AGGREGATIONS, UNSUPPORTED_FUNCTIONS
from davy.analysis.promql.tokens import NESTING_LIMIT, OPERATOR_LIMIT, QUERY_LIMIT
from davy.analysis.rules import RULES
from davy.cli.program import program
from davy.control import flag_lifetimes, sound_policies
from davy.errors import DavyError
from davy.ledger import entry
from davy.model.finding import CODES
from davy.model.honoured import HONOURED, IGNORED, REFUSED
from davy.model.kinds import KINDS
from davy.policy import pack, truthful_waivers

DOCS = Path(__file__).parents[2] / "docs"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
OWN = {each.RULE: each.WHY for each in (truthful_waivers, sound_policies, flag_lifetimes)}
"""Rules about policies and waivers themselves, at admission."""
EVERYWHERE = {"--home", "--namespace", "--color", "--help", "--version"}


def page(name: str) -> str:
    return (DOCS / "reference" / f"{name}.md").read_text()


def rows(text: str) -> dict[str, list[str]]:
    """Return the rows of tables whose first cell is one piece of code or a number, by that cell."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and (name := re.fullmatch(r"`([^`]+)`|(\d+)", cells[0])):
            found[name[1] or name[2]] = cells[1:]
    return found


def words(text: str) -> set[str]:
    """Return the names in code within a text, without what brackets follow."""
    return {name.partition("(")[0] for name in re.findall(r"`([^`]+)`", text)}


def sections(text: str) -> dict[str, str]:
    """Return what stands under each heading of a command."""
    parts = re.split(r"^### davy (.+)$", text, flags=re.MULTILINE)[1:]
    return {
        name: re.split(r"^## ", body, flags=re.MULTILINE)[0]
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def commands(group: click.Group = program, words: str = "") -> Iterator[tuple[str, click.Command]]:
    """Walk the program down to what can be run."""
    context = click.Context(group)
    for name in list(group.commands) or group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{words}{name} ")
        else:
            yield f"{words}{name}", command


def test_every_command_has_its_section() -> None:
    assert [name for name, _ in commands()] == list(sections(page("verbs")))


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_a_command_has_the_options_that_its_section_names(name: str) -> None:
    command = dict(commands())[name]
    options = {
        text for one in command.params if isinstance(one, click.Option) for text in one.opts if text[:2] == "--"
    }
    told = {
        option
        for line in re.findall(r"^\| `.*", sections(page("verbs"))[name], re.MULTILINE)
        for option in OPTION.findall(line.split("|")[1])
    }
    assert told == options - EVERYWHERE


def test_every_kind_that_is_read_is_in_the_table_of_kinds() -> None:
    table = rows(page("kinds").split("## Annotations")[0])
    assert list(table) == list(KINDS)
    for name, (versions, _) in KINDS.items():
        assert words(table[name][0]) == set(versions)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_told_as_the_engine_treats_it(kind: str) -> None:
    told = next(part for part in page("kinds").split("\n### ") if part.startswith(f"{kind}\n"))
    acted_on, _, tables = told.partition("\n\n| ")
    assert words(acted_on) == HONOURED[kind]
    assert {path: cells[0] for path, cells in rows(tables).items()} == REFUSED.get(kind, {}) | IGNORED.get(
        kind, {}
    )


def test_every_code_of_a_finding_is_told_with_the_reason_that_it_gives() -> None:
    table = rows(page("findings"))
    reasons = CODES | {code: rule.why for code, rule in RULES.items()} | OWN
    assert {code: cells[-1] for code, cells in table.items()} == reasons


def test_no_page_speaks_of_a_code_that_no_finding_has() -> None:
    known = CODES.keys() | RULES.keys() | pack.RULES.keys() | OWN.keys()
    for path in [DOCS.parent / "README.md", *DOCS.rglob("*.md")]:
        assert set(re.findall(r"\b(?:DV|PD)\d{3}\b", path.read_text())) <= known, path


@cache
def errors() -> frozenset[type[DavyError]]:
    """Import everything, and return every class of error."""
    for module in pkgutil.walk_packages(davy.__path__, "davy."):
        if module.name not in ("davy.__main__", "davy.cli.guardian"):
            importlib.import_module(module.name)

    def below(error: type[DavyError]) -> Iterator[type[DavyError]]:
        yield error
        for each in error.__subclasses__():
            yield from below(each)

    return frozenset(error for error in below(DavyError) if error.__module__.startswith("davy."))


def test_every_error_is_told_by_its_code_and_exit_code() -> None:
    by_code, by_word = page("exit-codes").split("## The codes")
    assert {word: cells[0] for word, cells in rows(by_word).items()} == {
        e.code: str(e.exit_code) for e in errors()
    }
    assert {str(error.exit_code) for error in errors()} <= rows(by_code).keys()


def test_every_kind_of_entry_is_told_in_the_words_of_the_code() -> None:
    assert {kind: cells[0] for kind, cells in rows(page("record").split("## Kinds")[1]).items()} == entry.KINDS


def test_every_function_of_conditions_is_told_and_no_other() -> None:
    text = page("conditions")
    own, language = text.split("## The language")
    language, _, _ = language.partition("## Things")
    assert words(own.split("## Functions")[1]) - {"x", "d", "result.field == nil"} >= CONDITION_FUNCTIONS
    told = {
        name
        for line in language.splitlines()
        if line.startswith(("| with", "| lists", "| numbers", "| bits", "| texts", "| times"))
        for name in words(line)
    }
    assert told - {"time.Time", "time.Duration"} == BUILTINS.keys() | PREDICATES.keys()


TRIED = re.compile(r"^\|(.*)\| (Successful|Failed|Inconclusive|Error) \|", re.MULTILINE)


@pytest.mark.parametrize(("cells", "phase"), TRIED.findall(page("conditions").split("## Things")[1]))
def test_what_is_said_of_conditions_is_what_they_do(cells: str, phase: str) -> None:
    results: dict[str, object] = {"[]": (), "[NaN]": (nan,), "nil": None, "1": 1.0}
    success, failure, result = (cell.strip(" `") for cell in cells.split("|"))
    assert assess(results[result], success, failure).phase == phase


def test_every_function_of_queries_is_told_and_no_other() -> None:
    supported, _, refused = page("promql").partition("## Refused")
    table = supported.split("| what | names |")[1]
    aggregations = {"bottomk", "count_values", "limitk", "quantile", "topk"} | STATISTICS.keys()
    assert words(table) == QUERY_FUNCTIONS.keys() | aggregations
    assert words(refused) >= UNSUPPORTED_FUNCTIONS.keys() | UNSUPPORTED_AGGREGATIONS.keys()


def test_the_bounds_of_queries_are_told() -> None:
    told = dict(
        re.findall(r"^\| (.+?) \| ([0-9 ]+) \|$", page("promql").partition("## Bounds")[2], re.MULTILINE)
    )
    assert [int(limit.replace(" ", "")) for limit in told.values()] == [
        QUERY_LIMIT,
        NESTING_LIMIT,
        OPERATOR_LIMIT,
        POINT_LIMIT,
        50_000_000,
    ]


def test_every_family_that_is_made_up_from_the_proxy_is_told() -> None:
    text = page("metrics")
    for family in (*vantage.ALIASED, vantage.REQUESTS, vantage.DURATIONS, "istio_requests_total", "up"):
        assert f"`{family}" in text


def test_every_figure_is_told() -> None:
    assert list(rows(page("figures"))) == list(BENCHES)


def test_every_fault_is_shown_by_a_test_that_is_there_and_every_such_test_is_told() -> None:
    tests = DOCS.parent / "tests"
    told = set(re.findall(r"`(test_\w+)`", page("faults")))
    there = {
        path: set(re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE))
        for path in tests.rglob("test_*.py")
    }
    assert told <= set().union(*there.values())
    assert there[tests / "live" / "test_faults.py"] <= told
