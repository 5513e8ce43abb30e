"""`davy flag lint` and `davy flag cleanup`, as somebody types them."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from davy.cli.flag import command
from davy.cli.setting import Setting
from davy.errors import DavyError

FLAG = """\
apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata:
  name: shop.cheap
spec:
  owner: team-shop
  jira: SHOP-1
  expiry: "2027-03-01"
  variants: {reduced: true, full: false}
  safeValue: false
  defaultVariant: full
"""
CODE = """\
from openfeature import api

client = api.get_client()


def price(full):
    # the price
    if client.get_boolean_value("shop.cheap", False):
        return full * 0.9
    return full
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "flags").mkdir()
    (tmp_path / "src" / "price.py").write_text(CODE)
    (tmp_path / "flags" / "shop.yaml").write_text(FLAG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def davy(place: Path) -> Run:
    environment = {"XDG_CACHE_HOME": str(place / "cache"), "GITHUB_STEP_SUMMARY": str(place / "summary.md")}
    setting = Setting(home=place / "home", environment=environment)

    def run(*arguments: str) -> tuple[int, str, str]:
        ran = CliRunner().invoke(command, arguments, obj=setting)
        if isinstance(ran.exception, DavyError):
            told = f"{ran.exception.message}\n{ran.exception.hint}"
            return ran.exception.exit_code, ran.stdout, f"{ran.stderr}{told}"
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return ran.exit_code, ran.stdout, ran.stderr

    return run


LINT = ("lint", "src", "--flags", "flags", "--now", "2026-06-01T00:00:00Z")


def changed(place: Path, old: str, new: str, file: str = "src/price.py") -> None:
    path = place / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_what_fits_passes(davy: Run) -> None:
    assert davy(*LINT) == (0, "", "1 flag, 1 read in 1 file\n")


def test_an_expired_flag_fails_and_names_its_owner_its_ticket_and_every_place(davy: Run, place: Path) -> None:
    changed(place, "2027-03-01", "2026-05-01", "flags/shop.yaml")
    exit_code, _, err = davy(*LINT)
    assert exit_code == 1
    assert "error[F003]: a flag has expired" in err
    assert "team-shop (SHOP-1) takes it out: davy flag cleanup shop.cheap" in err
    assert "src/price.py:8:8" in err


def test_before_its_end_and_in_its_grace_a_flag_is_only_warned_of(davy: Run, place: Path) -> None:
    changed(place, "2027-03-01", "2026-06-05", "flags/shop.yaml")
    exit_code, _, err = davy(*LINT)
    assert exit_code == 0
    assert "warning[F003]: a flag expires soon" in err
    changed(place, "2026-06-05", "2026-05-20", "flags/shop.yaml")
    (place / "davy-flags.yaml").write_text("expiry: {grace: 30d}\n")
    exit_code, _, err = davy(*LINT)
    assert exit_code == 0
    assert "the build fails in" in err


def test_the_settings_say_where_everything_is(davy: Run, place: Path) -> None:
    (place / "davy-flags.yaml").write_text("flags: [flags]\npaths: [src]\nseverity: {F001: warning}\n")
    changed(place, "shop.cheap", "shop.chep")
    exit_code, _, err = davy("lint", "--now", "2026-06-01")
    assert exit_code == 1, "nothing reads shop.cheap"
    assert "warning[F001]" in err
    assert "did you mean `shop.cheap`?" in err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sevrity: {}\n", "davy-flags.yaml:1:1: a document of this kind has no field `sevrity`"),
        ("severity: {F01: none}\n", "davy-flags.yaml:1:17: there is no rule 'F01'"),
        ("severity: {F001: eror}\n", "did you mean `error`?"),
        ("profile: lax\n", "there is no profile 'lax'"),
        ("require: [owners]\n", "did you mean `owner`?"),
        ("expiry: {warn: soon}\n", "'soon' is no duration"),
        ("expiry: {grace: -1h}\n", "'-1h' is no duration"),
        ("codeowners: nowhere\n", "there is no nowhere"),
    ],
)
def test_settings_that_cannot_be_are_refused_at_their_place(
    davy: Run, place: Path, text: str, told: str
) -> None:
    (place / "davy-flags.yaml").write_text(text)
    exit_code, _, err = davy(*LINT)
    assert exit_code == 2
    assert told in err


def test_a_registry_that_cannot_be_read_is_told_of_and_nothing_else(davy: Run, place: Path) -> None:
    changed(place, "owner", "ownr", "flags/shop.yaml")
    exit_code, _, err = davy(*LINT)
    assert exit_code == 2
    assert "flags/shop.yaml:6:3" in err
    assert "did you mean `owner`?" in err
    assert "F001" not in err


def test_what_is_not_there_is_said(davy: Run) -> None:
    assert davy("lint", "src", "--flags", "src")[0] == 2
    assert davy(*LINT, "--config", "nowhere.yaml")[0] == 2
    assert davy(*LINT, "--baseline", "nowhere.json")[0] == 2
    exit_code, _, err = davy(*LINT, "--select", "F01")
    assert exit_code == 2
    assert "there is no rule F01" in err
    exit_code, _, err = davy("lint", "src", "--flags", "flags", "--now", "soon")
    assert exit_code == 2
    assert "--now soon" in err


def test_rules_can_be_chosen(davy: Run, place: Path) -> None:
    changed(place, "False", "True")
    assert davy(*LINT)[0] == 1
    assert davy(*LINT, "--ignore", "F005,F016")[0] == 0
    assert davy(*LINT, "--select", "F001")[0] == 0


def test_a_baseline_excuses_what_was_there_wherever_it_moves_and_only_grows_shorter(
    davy: Run, place: Path
) -> None:
    changed(place, "False", "True")
    assert davy(*LINT, "--baseline", "known.json", "--write-baseline")[0] == 0
    assert davy(*LINT, "--baseline", "known.json")[0] == 0
    changed(place, "from openfeature", "import os\n\nfrom openfeature")
    exit_code, _, err = davy(*LINT, "--baseline", "known.json")
    assert exit_code == 0
    assert "the baseline excuses 1 finding" in err
    changed(place, "True", "False")
    exit_code, _, err = davy(*LINT, "--baseline", "known.json")
    assert exit_code == 1
    assert "error[F021]" in err
    assert "known.json:4:1" in err
    assert davy(*LINT, "--baseline", "known.json", "--write-baseline")[0] == 0
    assert davy(*LINT, "--baseline", "known.json")[0] == 0


def test_a_baseline_is_written_of_everything_and_read_strictly(davy: Run, place: Path) -> None:
    assert davy(*LINT, "--write-baseline")[0] == 2
    assert davy(*LINT, "--baseline", "known.json", "--write-baseline", "--select", "F001")[0] == 2
    (place / "known.json").write_text('{"version": 2, "findings": []}')
    exit_code, _, err = davy(*LINT, "--baseline", "known.json")
    assert exit_code == 2
    assert "version 2 is not known" in err


@pytest.mark.parametrize("form", ["json", "sarif", "junit", "github", "gitlab"])
def test_every_form_has_the_finding(davy: Run, place: Path, form: str) -> None:
    changed(place, "False", "True")
    exit_code, out, _ = davy(*LINT, "-o", form)
    assert exit_code == 1
    assert "F005" in out
    match form:
        case "json":
            told = json.loads(out)
            assert (told["kind"], told["flags"], told["reads"]) == ("FlagLint", 1, 1)
            assert told["findings"][0]["fingerprint"]
        case "sarif":
            run = json.loads(out)["runs"][0]
            assert run["automationDetails"]["id"] == "davy/flag/lint/"
            assert run["tool"]["driver"]["rules"][0]["helpUri"].endswith("flag-rules#f005")
        case "junit":
            assert ElementTree.fromstring(out)[0].get("name") == "davy flag lint"
        case "github":
            assert (place / "summary.md").read_text().startswith("## davy flag lint")
        case _:
            assert json.loads(out)[0]["check_name"] == "F005"


def test_only_what_changed_is_told_of(davy: Run, place: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    (place / "src" / "old.py").write_text('client.get_boolean_value("shop.gone", False)\n')
    for words in (["init", "-q"], ["add", "src", "flags"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], cwd=place, check=True)
    assert davy(*LINT, "--changed", "HEAD")[0] == 0
    changed(place, "shop.cheap", "shop.chep")
    exit_code, _, err = davy(*LINT, "--changed", "HEAD")
    assert exit_code == 1
    assert "shop.chep" in err
    assert "shop.gone" not in err
    assert "F004" not in err


CLEAN = ("cleanup", "shop.cheap", "--flags", "flags", "src")


def test_the_diff_takes_the_flag_out_of_code_and_out_of_git(davy: Run, place: Path) -> None:
    exit_code, out, err = davy(*CLEAN, "--variant", "reduced")
    assert exit_code == 0
    assert "+++ /dev/null" in out
    assert "+    return full * 0.9" in out
    assert "1 of 1 reads would go" in err
    assert (place / "src" / "price.py").read_text() == CODE
    patch = subprocess.run(["patch", "-p1", "-s"], cwd=place, input=out, text=True, check=False)
    assert patch.returncode == 0
    assert (
        place / "src" / "price.py"
    ).read_text() == "def price(full):\n    # the price\n    return full * 0.9\n"


def test_writing_changes_the_files_and_lint_passes(davy: Run, place: Path) -> None:
    (place / "flags" / "other.yaml").write_text(FLAG.replace("shop.cheap", "shop.other"))
    (place / "src" / "other.py").write_text('client.get_boolean_value("shop.other", False)\n')
    exit_code, out, _ = davy(*CLEAN, "--value", "false", "--write", "-o", "json")
    assert exit_code == 0
    assert [each["file"] for each in json.loads(out)["changes"]] == ["src/price.py", "flags/shop.yaml"]
    assert not (place / "flags" / "shop.yaml").exists()
    assert (place / "src" / "price.py").read_text() == "def price(full):\n    # the price\n    return full\n"
    assert davy(*LINT)[0] == 0


def test_nothing_is_written_where_a_link_leads_out_of_what_was_named(davy: Run, place: Path) -> None:
    """A repository of somebody else's may have a link to a file of whoever cleans it up."""
    (place / "elsewhere").mkdir()
    outside = place / "elsewhere" / "shop.yaml"
    other = FLAG.replace("shop.cheap", "shop.other")
    outside.write_text(f"{FLAG}---\n{other}")
    (place / "flags" / "shop.yaml").unlink()
    (place / "flags" / "shop.yaml").symlink_to(outside)
    exit_code, _, err = davy(*CLEAN, "--variant", "reduced", "--write")
    assert exit_code == 5, err
    assert "is a link out of what was named" in err
    assert outside.read_text() == f"{FLAG}---\n{other}"
    assert (place / "src" / "price.py").read_text() == CODE, "all of it or nothing"


def test_the_name_of_a_file_moves_no_cursor(davy: Run, place: Path) -> None:
    (place / "src" / "a\x1b]0;owned\x07.py").write_text('NAMES = ["shop.cheap"]\n')
    _, _, err = davy(*CLEAN, "--variant", "reduced")
    assert "]0;owned" in err
    assert "\x1b" not in err
    assert "\x07" not in err


def test_what_is_left_to_a_person_keeps_the_flag_declared(davy: Run, place: Path) -> None:
    (place / "src" / "more.go").write_text(
        'package a\n\nfunc f() { ok, _ := client.BooleanValue(ctx, "shop.cheap", false, ec) }\n'
    )
    (place / "src" / "names.py").write_text('NAMES = ["shop.cheap"]\n')
    exit_code, out, err = davy(*CLEAN, "--variant", "reduced", "--write")
    assert exit_code == 1
    assert "src/more.go:3:" in err
    assert "here a person has to" in err
    assert "src/names.py:1:10: the key is still written here" in err
    assert "flags/shop.yaml:4:3: it stays declared" in err
    assert (place / "flags" / "shop.yaml").exists()
    assert "flags/shop.yaml" not in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--variant NAME, or --value: reduced (true), full (false)"),
        (("--variant", "on"), "shop.cheap has no variant 'on'"),
        (("--value", "1"), "shop.cheap never is 1"),
        (("--value", "true", "--variant", "full"), "which value has shop.cheap"),
    ],
)
def test_nobody_guesses_the_value(davy: Run, arguments: tuple[str, ...], told: str) -> None:
    exit_code, _, err = davy(*CLEAN, *arguments)
    assert exit_code == 2
    assert told in err


def test_a_flag_that_is_not_declared_has_a_nearest(davy: Run) -> None:
    exit_code, _, err = davy("cleanup", "shop.chep", "--flags", "flags", "src", "--variant", "full")
    assert exit_code == 2
    assert "did you mean shop.cheap?" in err


def test_the_examples_are_as_they_should_be(davy: Run) -> None:
    examples = str(Path(__file__).parents[2] / "examples")
    code, out, said = davy("lint", examples, "--flags", examples, "--now", "2026-06-01T00:00:00Z")
    assert (code, out) == (0, ""), said
