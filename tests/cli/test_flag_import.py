"""`davy flag import` writes what `davy` reads, and tells what it could not say."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from davy.cli.program import program
from davy.cli.setting import Setting
from davy.flags.registry import read_registry

CASES = Path(__file__).parent.parent / "cases" / "flags"
GIVEN = ("--owner", "shop", "--jira", "SHOP-1", "--expiry", "2027-03-01")


def davy(*arguments: str) -> Result:
    setting = Setting(Path("state"), environment={})
    return CliRunner().invoke(program, ["flag", "import", *arguments], obj=setting)


@pytest.mark.parametrize(
    ("vendor", "file", "code", "count"),
    [
        ("launchdarkly", "launchdarkly.json", 1, 9),
        ("launchdarkly", "launchdarkly-rest.json", 0, 1),
        ("unleash", "unleash-export.json", 0, 2),
    ],
)
def test_what_is_written_can_be_read(vendor: str, file: str, code: int, count: int) -> None:
    result = davy(vendor, str(CASES / file), *GIVEN)
    assert result.exit_code == code, result.output
    registry, findings = read_registry([("flags.yaml", result.stdout.encode())])
    assert findings == ()
    assert len(registry.flags) == count
    assert {flag.governance.jira for flag in registry.flags.values()} == {"SHOP-1"}
    assert f"{count} flags; of" in result.stderr


def test_what_could_not_be_said_is_told_flag_by_flag() -> None:
    told = davy("launchdarkly", str(CASES / "launchdarkly.json"), *GIVEN).stderr
    assert "error: search.share: a rule that cannot be said here matches nobody: 'email' is compared" in told
    assert "warning: newCheckout: it is called imported.new-checkout here" in told


def test_documents_of_flagd_are_imported_as_json(tmp_path: Path) -> None:
    document = {
        "flags": {"a.b": {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"}}
    }
    (tmp_path / "flags.json").write_text(json.dumps(document))
    result = davy("flagd", str(tmp_path / "flags.json"), *GIVEN, "-o", "json")
    assert result.exit_code == 0, result.output
    (flag,) = json.loads(result.stdout)
    assert flag["spec"]["defaultVariant"] == "on"
    assert flag["spec"]["safeValue"] is False


@pytest.mark.parametrize("text", ["[]", "{", '{"flags": {"a": 1}}', '{"features": [1]}', "{}", "7"])
@pytest.mark.parametrize("vendor", ["launchdarkly", "unleash"])
def test_what_is_no_export_is_refused(tmp_path: Path, vendor: str, text: str) -> None:
    (tmp_path / "export.json").write_text(text)
    result = davy(vendor, str(tmp_path / "export.json"), *GIVEN)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "export" in result.stderr


def test_what_is_given_has_to_make_flags() -> None:
    result = davy("unleash", str(CASES / "unleash-export.json"), "--owner", "x", "--jira", "x", "--expiry", "x")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "`spec.jira` is 'x', which is no ticket" in result.stderr
