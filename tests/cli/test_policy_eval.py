"""`policy eval` and `policy diff`: the options, the answers and the exit codes of `opa eval`."""

import json
from pathlib import Path
from typing import Any

import pytest

RULES = """package a

p := 1

q contains x if some x in input.x

r := 1
r := 2 if input.twice
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.rego").write_text(RULES)
    (tmp_path / "old.rego").write_text("package old\np { input.x }\n")
    (tmp_path / "in.json").write_text('{"x": [2, 1]}')
    (tmp_path / "in.yaml").write_text("x: [2, 1]\n")
    (tmp_path / "more" / "deep").mkdir(parents=True)
    (tmp_path / "more" / "deep" / "data.json").write_text('{"k": [1]}')
    (tmp_path / "more" / "top.yaml").write_text("t: 2020-01-01\n")
    return tmp_path


def test_an_answer_has_the_shape_of_opa(run: Any) -> None:
    ran = run("policy", "eval", "-d", "m.rego", "-i", "in.json", "data.a.q")
    assert ran.exit_code == 0
    expression = {"value": [1, 2], "text": "data.a.q", "location": {"row": 1, "col": 1}}
    assert json.loads(ran.stdout) == {"result": [{"expressions": [expression]}]}
    ran = run("policy", "eval", "-d", "m.rego", "-i", "in.yaml", "x := data.a.q[y]; x > 1")
    answer = json.loads(ran.stdout)["result"]
    assert [found["bindings"] for found in answer] == [{"x": 2, "y": 2}]
    assert [each["location"]["col"] for each in answer[0]["expressions"]] == [1, 19]


def test_what_is_undefined_is_an_empty_object(run: Any) -> None:
    ran = run("policy", "eval", "-d", "m.rego", "data.a.nope")
    assert (ran.exit_code, json.loads(ran.stdout)) == (0, {})
    assert run("policy", "eval", "--fail", "data.a.nope").exit_code == 1
    assert run("policy", "eval", "--fail", "1").exit_code == 0
    assert run("policy", "eval", "--fail-defined", "1").exit_code == 1


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("raw", "1 x\n"),
        ("values", '[\n  1,\n  "x"\n]\n'),
        ("pretty", 'data.a.p  "x"\n1         "x"\n'),
    ],
)
def test_answers_are_printed_in_other_ways(run: Any, form: str, told: str) -> None:
    assert run("policy", "eval", "-d", "m.rego", "-o", form, 'data.a.p; "x"').stdout == told


def test_one_value_is_printed_as_it_is(run: Any) -> None:
    assert run("policy", "eval", "-o", "pretty", '{"a": 1}').stdout == '{\n  "a": 1\n}\n'
    assert run("policy", "eval", "-o", "pretty", "input.x").stdout == "undefined\n"


def test_errors_have_the_shape_of_opa(run: Any) -> None:
    ran = run("policy", "eval", "-d", "m.rego", "data.a.p +")
    assert ran.exit_code == 2
    (error,) = json.loads(ran.stdout)["errors"]
    assert (error["code"], error["location"]["col"]) == ("rego_parse_error", 11)
    ran = run("policy", "eval", "-d", "m.rego", "-I", "data.a.r", stdin='{"twice": true}')
    assert ran.exit_code == 2
    (error,) = json.loads(ran.stdout)["errors"]
    assert (error["code"], error["location"]["file"]) == ("eval_conflict_error", "m.rego")
    ran = run("policy", "eval", "-d", "m.rego", "-o", "raw", "nope(1)")
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "undefined function nope" in ran.stderr


def test_modules_may_be_old(run: Any) -> None:
    assert run("policy", "eval", "-d", "old.rego", "data.old.p").exit_code == 2
    ran = run("policy", "eval", "--v0-compatible", "-d", "old.rego", "-i", "in.json", "-o", "raw", "data.old.p")
    assert ran.stdout == "true\n"
    assert run("policy", "eval", "--v0-compatible", "--v1-compatible", "1").exit_code == 2


def test_directories_hold_modules_and_data(run: Any) -> None:
    assert (
        run("policy", "eval", "-d", "more", "-o", "raw", "data").stdout
        == '{"deep":{"k":[1]},"t":"2020-01-01"}\n'
    )


@pytest.mark.parametrize(
    "words",
    [
        ("-d", "nowhere.rego"),
        ("-d", "in.txt"),
        ("-i", "nowhere.json"),
        ("-d", "in.json", "-d", "in.yaml"),
    ],
)
def test_what_cannot_be_read_is_said(run: Any, words: tuple[str, ...]) -> None:
    ran = run("policy", "eval", *words, "1")
    assert ran.exit_code == 2
    assert ran.stderr.startswith("error[")


def test_a_difference_needs_an_opa(run: Any) -> None:
    ran = run("policy", "diff", "-d", "m.rego", "data.a", env={"PATH": "/nowhere"})
    assert ran.exit_code in (0, 3)
    assert run("policy", "diff", "-I", "1", stdin="1").exit_code == 2


@pytest.mark.parametrize(("answer", "code"), [('{"result": [{"expressions": [{"value": 1, "text": "data.a.p", '
                                               '"location": {"row": 1, "col": 1}}]}]}', 0), ("{}", 1), ("?", 3)])  # fmt: skip # noqa: E501
def test_an_opa_is_asked(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    program = tmp_path / "opa"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert run("policy", "diff", "-d", "m.rego", "-i", "in.json", "data.a.p").exit_code == code
