"""Flags in files, from the command line: listed, shown, rendered, compared."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from davy.cli.program import program
from davy.cli.setting import Setting

COMPLETE = Path(__file__).parent.parent / "cases" / "complete" / "flags.yaml"
KEY = "checkout.discount-enabled"
NOW = 1_800_000_000.0  # 2027-01-15


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flags.yaml").write_bytes(COMPLETE.read_bytes())
    return tmp_path


def davy(*arguments: str, now: float = NOW) -> Result:
    setting = Setting(Path("state"), environment={}, wall=lambda: now)
    return CliRunner().invoke(program, ["flag", *arguments], obj=setting)


def data(result: Result) -> Any:
    return json.loads(result.stdout)


def test_flags_are_listed_with_what_governs_them(home: Path) -> None:
    result = davy("list")
    assert result.exit_code == 0, result.output
    titles, row = result.stdout.splitlines()
    assert titles.split()[:5] == ["KEY", "TYPE", "KIND", "OWNER", "JIRA"]
    told = f"{KEY} boolean release checkout PAY-123 2027-03-01 client high shop/payments at 50%"
    assert " ".join(row.split()) == told
    (item,) = data(davy("list", "-o", "json"))["items"]
    assert item["gate"] == {"rollout": "shop/payments", "weight": 50}
    assert item["expired"] is False


def test_a_past_expiry_is_told(home: Path) -> None:
    assert "2027-03-01 (past)" in davy("list", now=NOW + 90 * 86400).stdout
    assert "2027-03-01 (past)" in davy("show", KEY, now=NOW + 90 * 86400).stdout


def test_one_flag_is_shown_in_every_environment(home: Path) -> None:
    text = davy("show", KEY).stdout
    assert "gate          shop/payments at 50%" in text
    assert "load-test     off, DISABLED" in text
    shown = data(davy("show", KEY, "-o", "json"))
    assert shown["environments"]["staging"]["defaultVariant"] == "on"
    assert shown["environments"]["production"]["targeting"] is None


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("checkout.discount", "did you mean checkout.discount-enabled?"),
        ("checkout.sums-in-words", "the flag checkout.sums-in-words was retired"),
        ("nothing.like-it", "davy flag list shows those that are declared"),
    ],
)
def test_a_flag_that_is_not_there_is_told_with_the_next_step(home: Path, key: str, message: str) -> None:
    result = davy("show", key)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_document_of_production_has_its_gates_closed(home: Path) -> None:
    flag = data(davy("render"))["flags"][KEY]
    assert (flag["state"], flag["defaultVariant"], "targeting" in flag) == ("ENABLED", "off", False)
    assert flag["metadata"]["gateReason"] == "no canary of shop/payments has passed yet"
    staging = davy("render", "--environment", "staging")
    assert "targeting" in data(staging)["flags"][KEY]
    assert "1 flags of staging, 0 closed by a gate, sha256:" in staging.stderr


def test_clients_learn_nothing_of_owners(home: Path) -> None:
    text = davy("render", "--client").stdout
    assert KEY in text
    assert not any(word in text for word in ("PAY-123", "owner", "shop/payments"))


def test_an_environment_that_is_nearly_another_is_refused(home: Path) -> None:
    result = davy("render", "--environment", "prodution")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "did you mean 'production'?" in result.stderr
    assert "no flag is different in eu" in davy("render", "--environment", "eu").stderr


def test_environments_are_compared(home: Path) -> None:
    result = davy("diff", "--from", "staging", "--to", "production")
    assert result.exit_code == 1
    assert '  defaultVariant: "on" → "off"' in result.stdout
    assert "→ -" in result.stdout
    result = davy("diff", "--from", "here", "--to", "there", "-o", "json")
    assert (result.exit_code, data(result)["changes"]) == (0, [])
    assert "no flag differs" in result.stderr


@pytest.mark.parametrize("given", [(), ("--from", "staging"), ("--base", "HEAD", "--to", "production")])
def test_a_comparison_needs_two_sides(home: Path, given: tuple[str, ...]) -> None:
    result = davy("diff", *given)
    assert result.exit_code == 2
    assert "compare two environments, or with a commit" in result.stderr


def test_flags_are_compared_with_a_commit(home: Path) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for arguments in (("init", "-q"), ("add", "flags.yaml"), (*who, "commit", "-qm", "flags")):
        subprocess.run(["git", *arguments], cwd=home, check=True)
    assert davy("diff", "--base", "HEAD").exit_code == 0
    text = COMPLETE.read_text().replace("PAY-123", "PAY-124").replace("retired: true", "retired: false")
    (home / "flags.yaml").write_text(text)
    result = davy("diff", "--base", "HEAD")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{KEY}  changed",
        '  metadata.jira: "PAY-123" → "PAY-124"',
        "checkout.sums-in-words  added",
    ]
    assert "2 flags differ" in result.stderr


def test_what_is_no_flag_is_refused_with_its_place(home: Path) -> None:
    (home / "flags.yaml").write_text(COMPLETE.read_text().replace("PAY-123", "pay"))
    for verb in (("list",), ("render",), ("show", KEY), ("diff", "--from", "a", "--to", "b")):
        result = davy(*verb)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "flags.yaml:6:" in result.stderr
