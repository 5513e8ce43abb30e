"""A finding reads the same everywhere, and cannot harm whoever reads it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from davy.model.finding import CODES, BadManifest, Finding, Place, render
from davy.model.source import Source, Span


def test_a_finding_is_rendered_in_the_one_shape() -> None:
    finding = Finding(
        code="PD050",
        severity="error",
        title="this analysis can never fail",
        place=Place("deploy/payments.yaml", 38, 5),
        label="neither successCondition nor failureCondition",
        why="rule analysis-has-teeth (pack davy/progressive, PD050)",
        fix="davy fix PD050 deploy/payments.yaml",
        waive="davy waiver request PD050 --scope payments --for 48h",
        source_line="  - name: http_5xx_rate",
        length=19,
    )
    assert render(finding) == (
        "error[PD050]: this analysis can never fail\n"
        "  --> deploy/payments.yaml:38:5\n"
        "   |\n"
        "38 |   - name: http_5xx_rate\n"
        "   |     ^^^^^^^^^^^^^^^^^^^ neither successCondition nor failureCondition\n"
        "   = why:   rule analysis-has-teeth (pack davy/progressive, PD050)\n"
        "   = fix:   davy fix PD050 deploy/payments.yaml\n"
        "   = waive: davy waiver request PD050 --scope payments --for 48h"
    )


def test_a_finding_without_its_line_says_the_label_all_the_same() -> None:
    finding = Finding("DV002", "error", "too much", Place("a.yaml", 1, 1), label="more than 10 bytes")
    assert render(finding) == "error[DV002]: too much\n --> a.yaml:1:1\n  = more than 10 bytes"
    bare = Finding("DV002", "note", "too much", Place("a.yaml", 1, 1))
    assert render(bare) == "note[DV002]: too much\n --> a.yaml:1:1"


def test_a_long_line_is_cut_around_the_place() -> None:
    line = "x" * 500 + "HERE" + "y" * 500
    finding = Finding("DV001", "error", "t", Place("a", 1, 501), source_line=line, length=4)
    source, carets = render(finding).splitlines()[3:5]
    assert len(source) < 120
    assert source[carets.index("^") : carets.rindex("^") + 1] == "HERE"
    assert (source[4], source[-1]) == ("…", "…")
    start = Finding("DV001", "error", "t", Place("a", 1, 1), source_line="HERE" + line, length=4)
    source, carets = render(start).splitlines()[3:5]
    assert source[carets.index("^") : carets.rindex("^") + 1] == "HERE"


def test_nothing_in_a_text_can_move_the_cursor() -> None:
    finding = Finding(
        "DV001", "error", "\x1b[2Jt", Place("\x07a", 1, 1), "\x9bl", "w\n", "f\r", "\u202e", "\tx\x1b", 2
    )
    assert not set(render(finding)) & set("\x1b\x07\x9b\r\t\u202e")
    assert len(render(finding).splitlines()) == 8


def test_a_refusal_names_the_first_error_and_how_to_mend_it() -> None:
    note = Finding("DV013", "note", "left alone", Place("a", 1, 1))
    error = Finding("DV001", "error", "unreadable", Place("a", 2, 1), fix="mend it")
    refusal = BadManifest((note, error))
    assert (refusal.message, refusal.hint) == ("a:2:1: unreadable", "mend it")
    assert refusal.code == "bad-manifest"


def test_every_code_has_one_sentence_of_why() -> None:
    assert list(CODES) == [f"DV{number:03}" for number in range(1, len(CODES) + 1)]
    for why in CODES.values():
        assert not why.endswith(".")
        assert len(why) < 120


@given(st.text(max_size=40), st.integers(0, 40), st.integers(0, 40))
@settings(max_examples=100)
def test_a_finding_about_any_span_can_be_rendered(text: str, start: int, length: int) -> None:
    source = Source("a", text)
    start = min(start, len(text))
    finding = source.finding("DV001", Span(start, min(start + length, len(text))), "t", label="l")
    assert finding.length >= 1
    assert source.text[start : start + 1] in finding.source_line + "\r\n"
    render(finding)


@given(st.text(alphabet="ab\r\n", max_size=30))
@settings(max_examples=50)
def test_lines_put_together_are_the_text(text: str) -> None:
    source = Source("a", text)
    assert source.lines == text.count("\n") + 1
    places = [source.place(offset) for offset in range(len(text) + 1)]
    assert places == sorted(places)
    assert source.place(len(text)).line == source.lines
