"""`davy flag refs`: the code that reads a flag."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from davy.cli.flag import command
from davy.cli.setting import Setting

CODE = """\
client.get_boolean_value("checkout.discount", False)
for each in users:
    client.get_boolean_value("checkout.discount", True)
client.get_string_value(computed(), "x")
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(code: Path, *arguments: str) -> tuple[int, str, str]:
    setting = Setting(home=code / "home", environment={"XDG_CACHE_HOME": str(code / "cache")})
    ran = CliRunner().invoke(command, ["refs", *arguments], obj=setting)
    return ran.exit_code, ran.stdout, ran.stderr


def test_every_place_says_how_its_key_is_known(code: Path) -> None:
    exit_code, out, err = run(code, "checkout.discount", "code")
    assert exit_code == 0
    assert out.splitlines() == [
        "code/a.py:1:1  get_boolean_value  literal  default false",
        "code/a.py:3:5  get_boolean_value  literal  default true  in a loop",
    ]
    assert "1 call reads a flag by a key that only is known when it runs" in err


def test_nothing_reads_it(code: Path) -> None:
    exit_code, out, err = run(code, "checkout.gone", "code")
    assert (exit_code, out) == (1, "")
    assert "nothing in 1 files reads checkout.gone" in err


def test_as_data(code: Path) -> None:
    exit_code, out, _ = run(code, "checkout.discount", "-o", "json", "--no-cache")
    told = json.loads(out)
    assert (exit_code, told["kind"], told["key"], told["files"]) == (
        0,
        "FlagReferences",
        "checkout.discount",
        1,
    )
    assert told["references"][1] == {
        "file": "code/a.py",
        "line": 3,
        "column": 5,
        "keys": ["checkout.discount"],
        "how": "literal",
        "types": ["boolean"],
        "language": "python",
        "function": "get_boolean_value",
        "enclosing": "",
        "vendor": "openfeature",
        "inLoop": True,
        "inside": [],
        "clientSide": "",
        "generated": False,
        "default": True,
    }


def test_a_table_of_every_key(code: Path) -> None:
    exit_code, out, _ = run(code, "--all", "code")
    assert exit_code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["KEY", "READ", "FILES", "LANGUAGES"],
        ["?", "1", "1", "python"],
        ["checkout.discount", "2", "1", "python"],
    ]


def test_what_is_skipped_is_not_read(code: Path) -> None:
    assert run(code, "checkout.discount", "--skip", "code")[0] == 1


def test_a_key_is_asked_for(code: Path) -> None:
    setting = Setting(home=code)
    ran = CliRunner().invoke(command, ["refs"], obj=setting)
    assert "which flag?" in str(ran.exception)
