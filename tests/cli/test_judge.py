"""`davy judge`: lines in, verdicts out."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result


def line(at: float, weight: float, errors: int) -> str:
    canary = {"n": 100, "err": errors} if weight else {"n": 0}
    return json.dumps({"t": at, "weight": weight, "canary": canary, "stable": {"n": 1900, "err": 2}})


HISTORY = [line(5.0 * number, 0.0, 0) for number in range(-12, 1)]


def judged(run: Any, lines: list[str], *words: str) -> Result:
    result = run("judge", *words, stdin="\n".join(lines))
    assert isinstance(result, Result)
    return result


def test_a_bad_canary_is_aborted_within_two_ticks(run: Any) -> None:
    ran = judged(run, [*HISTORY, "", line(5, 0.05, 20), line(10, 0.05, 20)])
    answers = [json.loads(text) for text in ran.stdout.splitlines()]
    assert ran.exit_code == 0
    assert [answer["action"] for answer in answers] == ["continue"] * 13 + ["abort"] * 2
    assert list(answers[-1]) == [
        *("action", "weight", "next_weight", "reason", "evidence", "assurance", "metrics", "data"),
    ]


def test_settings_are_read_from_a_file(run: Any, tmp_path: Path) -> None:
    (tmp_path / "judge.json").write_text('{"metrics": [{}], "alpha": 1e-60, "warm_up_s": 0}')
    ran = judged(run, [*HISTORY, line(5, 0.05, 20)], "-f", str(tmp_path / "judge.json"))
    answer = json.loads(ran.stdout.splitlines()[-1])
    assert (answer["action"], answer["evidence"]["abort_at"]) == ("continue", pytest.approx(60.0))


@pytest.mark.parametrize(
    ("settings", "lines", "complaint"),
    [
        ("{}", ["{"], "standard input:1: "),
        (
            "{}",
            [HISTORY[0], '{"t": 1, "weight": 7}'],
            "standard input:2: Expected `float` <= 1.0 - at `$.weight`",
        ),
        ('{"alpha": 2}', [], "judge.json: alpha is a share between 0 and 1, not 2"),
        ('{"alfa": 2}', [], "judge.json: Object contains unknown field `alfa`"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(
    run: Any, tmp_path: Path, settings: str, lines: list[str], complaint: str
) -> None:
    (tmp_path / "judge.json").write_text(settings)
    ran = judged(run, lines, "-f", str(tmp_path / "judge.json"))
    assert ran.exit_code == 2
    assert complaint in ran.stderr


def test_a_file_that_is_not_there_is_said(run: Any) -> None:
    ran = judged(run, [], "-f", "nowhere.json")
    assert (ran.exit_code, "nowhere.json: cannot be read" in ran.stderr) == (2, True)
