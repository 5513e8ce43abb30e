"""`davy policy export`: what is written can be read, and is the pack."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from davy.cli.program import program
from davy.cli.setting import from_process
from davy.model.loader import load_raw
from davy.policy import pack


def export(*arguments: str) -> tuple[str, str]:
    ran = CliRunner().invoke(program, ["policy", "export", *arguments], obj=from_process())
    assert ran.exit_code == 0, ran.output
    return ran.stdout, ran.stderr


@pytest.mark.parametrize("profile", pack.PROFILES)
def test_gatekeeper_gets_the_templates_and_the_constraints(profile: pack.Profile) -> None:
    written, told = export("gatekeeper", "--profile", profile)
    assert [found.value for found in load_raw(written, "pack.yaml")] == list(pack.objects(profile))
    assert told == ""


@pytest.mark.parametrize("engine", ["kyverno", "vap"])
def test_what_cel_cannot_ask_is_named_in_the_text_and_beside_it(engine: pack.Engine) -> None:
    written, told = export(engine, "--profile", "standard")
    assert [found.value for found in load_raw(written, "pack.yaml")] == list(
        pack.cel_objects("standard", engine)
    )
    for rule in pack.not_in_cel("standard"):
        assert f"# {rule} is left out: " in written
        assert f"{rule} is left out: " in told


def test_json_is_one_list() -> None:
    written, _ = export("vap", "-o", "json")
    assert json.loads(written)["items"] == list(pack.cel_objects("starter", "vap"))


def test_rego_is_written_as_a_block(tmp_path: Path) -> None:
    written, _ = export("gatekeeper")
    assert "rego: |" in written
    assert "package davystrategy" in written


@pytest.mark.parametrize("profile", pack.PROFILES)
@pytest.mark.parametrize("engine", ["gatekeeper", "kyverno", "vap"])
def test_what_is_written_judges_as_the_pack_does(engine: str, profile: pack.Profile, tmp_path: Path) -> None:
    (tmp_path / "pack.yaml").write_text(export(engine, "--profile", profile)[0])
    (tmp_path / "web.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: prod}\nspec: {replicas: 1}\n"
    )
    ran = CliRunner().invoke(
        program, ["check", str(tmp_path), "--profile", profile, "-o", "json"], obj=from_process()
    )
    findings = json.loads(ran.stdout)["findings"]
    assert {Path(each["file"]).name for each in findings} == {"web.yaml"}, "each of the policies is sound"
    wanted = "warning" if profile == "starter" else "error"
    own = [each for each in findings if engine == "gatekeeper" or each["code"] != "PD001"]
    assert wanted in {each["severity"] for each in own}
