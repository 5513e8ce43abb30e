"""`davy policy test`: the lines of gator, and an exit code that a pipeline can rely on."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

LIBRARY = Path(__file__).parents[1] / "cases" / "policy" / "library"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(LIBRARY / "privileged", tmp_path / "privileged")
    shutil.copytree(LIBRARY / "nonodeport", tmp_path / "deep" / "nonodeport")
    return tmp_path


def steady(output: str) -> str:
    """Take the times out."""
    return re.sub(r"\d+\.\d{3}s", "0s", output)


def spoil(place: Path) -> None:
    suite = place / "privileged" / "suite.yaml"
    suite.write_text(suite.read_text().replace("violations: yes", "violations: no").replace("'yes'", "'no'"))


def test_a_suite_that_passes_is_one_line(run: Any) -> None:
    ran = run("policy", "test", "privileged")
    assert (ran.exit_code, steady(ran.stdout)) == (0, "ok\tprivileged/suite.yaml\t0s\nPASS\n")
    assert run("policy", "test", "privileged/suite.yaml").stdout.startswith("ok\tprivileged/suite.yaml")


def test_all_below_a_directory_is_found_each_suite_once(run: Any) -> None:
    ran = run("policy", "test", "./...", "privileged")
    assert re.findall(r"^ok\t(\S+)", ran.stdout, re.MULTILINE) == [
        "deep/nonodeport/suite.yaml",
        "privileged/suite.yaml",
    ]
    assert ran.exit_code == 0


def test_what_fails_is_told_with_what_was_said(run: Any, place: Path) -> None:
    spoil(place)
    ran = run("policy", "test", "privileged")
    assert ran.exit_code == 1
    assert steady(ran.stdout) == (
        "    --- FAIL: bad\t(0s)\n"
        "        unexpected number of violations: got 1 violations but want none: "
        "got messages [container <web> is privileged]\n"
        "--- FAIL: privileged\t(0s)\n"
        "FAIL\tprivileged/suite.yaml\t0s\n"
        "FAIL\n"
    )
    assert "1 suite of 1 fails" in ran.stderr


def test_verbose_names_every_case(run: Any, place: Path) -> None:
    spoil(place)
    ran = run("policy", "test", "-v", "--run", "//good", "privileged")
    assert ran.exit_code == 0
    assert steady(ran.stdout) == (
        "=== RUN   privileged\n"
        "    === RUN   good-1\n    --- PASS: good-1\t(0s)\n"
        "    === RUN   good-2\n    --- PASS: good-2\t(0s)\n"
        "    === SKIP  bad\n"
        "--- PASS: privileged\t(0s)\n"
        "ok\tprivileged/suite.yaml\t0s\nPASS\n"
    )
    spoiled = run("policy", "test", "-v", "./...")
    assert spoiled.exit_code == 1
    assert "1 suite of 2 fails" in spoiled.stderr


def test_a_suite_that_cannot_be_read_fails(run: Any, place: Path) -> None:
    (place / "privileged" / "suite.yaml").write_text(
        "apiVersion: test.gatekeeper.sh/v1alpha1\nkind: Suite\ntest: []\n"
    )
    (place / "deep" / "nonodeport" / "suite.yaml").write_text(
        "apiVersion: test.gatekeeper.sh/v1alpha1\nkind: [\n"
    )
    ran = run("policy", "test", "./...")
    assert ran.exit_code == 1
    assert "there is no field 'test'" in ran.stdout
    assert "FAIL\tdeep/nonodeport/suite.yaml" in ran.stdout
    assert "2 suites of 2 fail" in ran.stderr


def test_a_file_that_a_suite_names_and_that_is_not_there_fails_its_test(run: Any, place: Path) -> None:
    (place / "privileged" / "bad.yaml").unlink()
    ran = run("policy", "test", "privileged")
    assert ran.exit_code == 1
    assert "privileged/bad.yaml cannot be read: No such file or directory" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["gone"], "there is no file or directory gone"),
        (["deep"], "there is no suite in deep"),
        (["privileged/good-1.yaml"], "there is no suite in privileged/good-1.yaml"),
        (["privileged", "--run", "nobody"], "no test fits 'nobody'"),
        (["privileged", "--run", "a//b//c"], "more than one //"),
        ([], "Missing argument"),
    ],
)
def test_when_there_is_nothing_to_run_that_is_said(run: Any, arguments: list[str], sentence: str) -> None:
    ran = run("policy", "test", *arguments)
    assert ran.exit_code == 2
    assert sentence in ran.stderr


def test_text_of_a_suite_cannot_move_the_cursor(run: Any, place: Path) -> None:
    suite = place / "privileged" / "suite.yaml"
    suite.write_text(suite.read_text().replace("- name: privileged", '- name: "\\e[2Jx"'))
    assert "\x1b" not in run("policy", "test", "-v", "privileged").stdout
