"""The tree: Argo's own lines to the column, ours beside them, colours that move nothing."""

import re
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davy.cli.ages import age
from davy.cli.listing import listing
from davy.cli.paint import Line, columns, paint, plain, span
from davy.cli.symbols import Symbols
from davy.cli.tree import tree
from davy.control import views

GOLDEN = Path(__file__).parent / "golden"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def view(name: str, **changes: Any) -> views.RolloutView:
    found = msgspec.json.decode((GOLDEN / f"{name}.json").read_bytes(), type=views.RolloutView)
    return msgspec.structs.replace(found, **changes)


def text(lines: list[Line]) -> str:
    return "\n".join(plain(line) for line in lines) + "\n"


def test_what_argo_draws_is_drawn_the_same() -> None:
    # get_test.go:259-297 of argoproj/argo-rollouts, TestGetCanaryRollout, less four pods that are alike
    assert text(tree(view("argo"))) == (GOLDEN / "argo.txt").read_text()


@pytest.mark.parametrize(
    ("form", "options"),
    [("tree", {}), ("wide", {"wide": True}), ("ascii", {"symbols": Symbols(ascii_only=True)})],
)
def test_what_was_measured_is_drawn_under_it(form: str, options: dict[str, Any]) -> None:
    drawn = text(tree(view("payments"), **options))
    assert drawn == (GOLDEN / f"payments.{form}.txt").read_text()
    assert form != "ascii" or drawn.isascii()


@pytest.mark.parametrize("name", ["bluegreen", "experiment"])
@pytest.mark.parametrize(
    ("form", "options"),
    [("tree", {}), ("wide", {"wide": True}), ("ascii", {"symbols": Symbols(ascii_only=True)})],
)
def test_other_ways_to_a_new_version_are_drawn(name: str, form: str, options: dict[str, Any]) -> None:
    # parts and kinds are written as in pkg/kubectl-argo-rollouts/cmd/get of argoproj/argo-rollouts
    drawn = text(tree(view(name), **options))
    assert drawn == (GOLDEN / f"{name}.{form}.txt").read_text()
    assert form != "ascii" or drawn.isascii()


def test_trouble_is_never_left_out() -> None:
    assert "Trouble:         the disk is full\n" in text(tree(view("payments", trouble="the disk is full")))


def test_an_alarm_stands_with_the_newest_revision_when_none_is_a_canary() -> None:
    payments = view("payments")
    revisions = tuple(msgspec.structs.replace(revision, roles=()) for revision in payments.revisions)
    lines = text(tree(msgspec.structs.replace(payments, revisions=revisions))).splitlines()
    guard = next(number for number, line in enumerate(lines) if "guard:" in line)
    assert "# revision:3" in lines[guard - 8]
    assert "# revision:2" in lines[guard + 1]


def judge(log10: float, *, alarm: bool = False) -> views.JudgeView:
    verdict = views.VerdictView(
        verdict="continue",
        action="continue",
        weight=5.0,
        next_weight=25.0,
        reason="",
        evidence=views.EvidenceView(log10, 2.0, "error_ratio", 1.4),
        assurance=views.AssuranceView(0.02, 0.05, 50.0, 20.0),
        metrics={"error_ratio": views.JudgedMetricView(log10, (5000, 12), (95000, 95), 1.0)},
        data=views.JudgedDataView(1.0, 24, "ok"),
    )
    return views.JudgeView(name="payments", sentence="evidence · errors", alarm=alarm, verdict=verdict)


@pytest.mark.parametrize(
    ("log10", "bar", "ascii_bar"),
    [
        (-3.0, "▕          ▏", "[          ]"),
        (0.7, "▕███▌      ▏", "[###       ]"),
        (2.0, "▕██████████▏", "[##########]"),
        (40.0, "▕██████████▏", "[##########]"),
    ],
)
def test_a_judge_draws_its_evidence_against_one_limit(log10: float, bar: str, ascii_bar: str) -> None:
    judged = view("payments", guard=None, judge=judge(log10))
    assert f"judge: {bar} evidence · errors\n" in text(tree(judged))
    drawn = text(tree(judged, symbols=Symbols(ascii_only=True)))
    assert f"judge: {ascii_bar} evidence, errors\n" in drawn
    assert drawn.isascii()


def test_a_judge_that_aborts_is_drawn_as_an_alarm() -> None:
    lines = tree(view("payments", guard=None, judge=judge(2.1, alarm=True)))
    [line] = [line for line in lines if "judge: " in plain(line)]
    assert [piece.look for piece in line[-2:]] == ["bad", "bad"]


def test_a_rollout_of_which_nothing_is_there_yet_can_be_drawn() -> None:
    bare = view("payments", revisions=(), steps=(), step=None, set_weight=None, actual_weight=None, images=())
    drawn = text(tree(bare))
    assert "Step:" not in drawn
    assert drawn.endswith("INFO\n⟳ payments  Rollout  ॥ Paused  8d   paused:14s,left:106s\n")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=12), st.text(max_size=12), st.booleans())
def test_no_text_of_others_moves_the_cursor(message: str, image: str, wide: bool) -> None:
    payments = view("payments", message=message, trouble=message, images=(views.Image(image, ("canary",)),))
    for line in tree(payments, wide=wide):
        assert plain(line).isprintable()
        assert "\x1b" not in ANSI.sub("", paint(line))


def test_colour_changes_nothing_but_colour() -> None:
    lines = tree(view("payments"), wide=True) + listing([view("payments"), view("argo")], wide=True)
    painted = [paint(line) for line in lines]
    assert [ANSI.sub("", line) for line in painted] == [plain(line) for line in lines]
    assert any("\x1b[31m" in line for line in painted)


cells = st.text(alphabet="abc xyz", max_size=8)


@settings(max_examples=60)
@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=6))
def test_cells_of_a_column_begin_below_each_other(rows: list[list[str]]) -> None:
    lines = columns([[(span(f"<{text}", "bad"),) for text in row] for row in rows])
    starts = {tuple(match.start() for match in re.finditer("<", plain(line))) for line in lines}
    assert len(starts) == 1


def test_the_list_has_argos_columns() -> None:
    lines = listing([view("payments"), view("argo", step=None, set_weight=None)], namespaces=True)
    assert text(lines) == (GOLDEN / "list.txt").read_text()


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (-5, "0s"), (0, "0s"), (119.9, "119s"), (120, "2m"), (313, "5m13s"), (600, "10m"), (10_799, "179m"),
        (10_800, "3h"), (14_399, "3h59m"), (28_800, "8h"), (172_799, "47h"), (172_800, "2d"), (176_400, "2d1h"),
        (7 * 86400, "7d"), (8 * 86400, "8d"), (729 * 86400, "729d"), (730 * 86400, "2y"), (731 * 86400, "2y1d"),
        (2920 * 86400, "8y"),
    ],
)  # fmt: skip
def test_ages_are_written_as_kubectl_does(seconds: float, written: str) -> None:
    assert age(seconds) == written


def test_statuses_nobody_foresaw_are_shown_all_the_same() -> None:
    assert Symbols().status("Odd") == ("? Odd", "wait")
    assert Symbols().pod("OOMKilled") == ("⚠ OOMKilled", "wait")
    assert Symbols().step("odd") == ("?", "wait")
    assert Symbols(ascii_only=True).step("done")[0].strip() == "done"


def test_the_looks_are_ones_that_click_knows() -> None:
    assert click.unstyle(paint((span("x", "faint"), span("y", "strong")))) == "xy"
