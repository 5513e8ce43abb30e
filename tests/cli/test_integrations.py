"""What CI systems are given is valid where they read it, and reads nothing that comes in as a command."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from davy.cli.program import COMMANDS

ROOT = Path(__file__).parents[2]
INTEGRATIONS = ROOT / "integrations"
PROGRAMS = Path(sys.executable).parent
DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: prod}\n"


def load(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


@pytest.mark.parametrize(
    ("schema", "file", "more"),
    [
        ("vendor.github-actions", "github/action.yml", []),
        ("vendor.github-workflows", "github/workflow.yml", []),
        ("custom.github-workflows-require-timeout", "github/workflow.yml", []),
        ("vendor.circle-ci", "circleci/config.yml", []),
        ("vendor.gitlab-ci", "gitlab/davy-check.gitlab-ci.yml", ["--data-transform", "gitlab-ci"]),
    ],
)
def test_what_ships_is_what_its_reader_takes(schema: str, file: str, more: list[str]) -> None:
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *more]
    ran = subprocess.run([*checker, INTEGRATIONS / file], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_an_auditor_of_workflows_has_nothing_against_them(tmp_path: Path) -> None:
    workflow = tmp_path / ".github" / "workflows" / "davy.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text((INTEGRATIONS / "github" / "workflow.yml").read_text())
    action = INTEGRATIONS / "github" / "action.yml"
    auditor = [str(PROGRAMS / "zizmor"), "--offline", "--persona", "pedantic", "--no-progress"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    ran = subprocess.run(
        [*auditor, str(action), str(workflow)], capture_output=True, text=True, check=False, env=environment
    )
    assert ran.returncode == 0, ran.stdout


def test_no_script_holds_a_value_that_came_in() -> None:
    for step in load(INTEGRATIONS / "github" / "action.yml")["runs"]["steps"]:
        assert "${{" not in step["run"]
    for job in load(INTEGRATIONS / "circleci" / "config.yml")["jobs"].values():
        for step in job["steps"]:
            if isinstance(step, dict) and "run" in step:
                assert "<<" not in step["run"]["command"].replace("<<<", "")


def test_hooks_of_pre_commit_call_commands_that_are_there() -> None:
    hooks = load(ROOT / ".pre-commit-hooks.yaml")
    assert [hook["id"] for hook in hooks] == ["davy-check", "davy-check-all", "davy-fix", "davy-flag-lint"]
    for hook in hooks:
        assert {"id", "name", "entry", "language"} <= hook.keys()
        program, command, *_ = hook["entry"].split()
        assert (program, command in COMMANDS) == ("davy", True)


def in_a_job(tmp_path: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run what the action runs, with a `davy` that is this checkout."""
    davy = tmp_path / "davy"
    davy.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m davy "$@"\n')
    davy.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    (work / "web.yaml").write_text(DEPLOYMENT)
    for name in ("template", "constraint"):
        seed = ROOT / "tests" / "cases" / "seed" / f"require-progressive-{name}.yaml"
        (work / seed.name).write_text(seed.read_text())
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "DAVY": str(davy),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        **inputs,
    }
    script = INTEGRATIONS / "github" / "check.sh"
    return subprocess.run(
        ["bash", script], cwd=work, env=environment, capture_output=True, text=True, check=False
    )


def test_a_job_is_told_at_the_line_and_in_its_summary(tmp_path: Path) -> None:
    sarif = tmp_path / "davy.sarif"
    ran = in_a_job(
        tmp_path,
        DAVY_PATHS="web.yaml\nrequire-progressive-template.yaml\nrequire-progressive-constraint.yaml\n",
        DAVY_SARIF_FILE=str(sarif),
    )
    assert ran.returncode == 1, ran.stderr
    assert "::error file=web.yaml,line=3,col=12," in ran.stdout
    assert "Deployments are not allowed" in (tmp_path / "summary.md").read_text()
    assert '"version": "2.1.0"' in sarif.read_text()


@pytest.mark.parametrize(
    "hostile", ["$(touch owned)", "`touch owned`", "; touch owned", "--help", "-o=text", "a\nb"]
)
@pytest.mark.parametrize(
    "where", ["DAVY_PATHS", "DAVY_BASE", "DAVY_WAIVERS", "DAVY_CHECK_NAMESPACE", "DAVY_PROFILE"]
)
def test_nothing_that_comes_in_is_a_command_or_an_option(tmp_path: Path, where: str, hostile: str) -> None:
    ran = in_a_job(tmp_path, **{"DAVY_PATHS": "web.yaml", where: hostile})
    assert not list((tmp_path / "work").glob("owned"))
    assert "Usage:" not in ran.stdout
    if where != "DAVY_CHECK_NAMESPACE":
        assert ran.returncode == 2, ran.stdout + ran.stderr


def test_what_argo_cd_is_given_makes_the_body_that_is_read() -> None:
    from davy.analysis.secret import Secret
    from davy.control.hooks import argocd
    from davy.control.hooks.delivery import Delivery
    from davy.control.hooks.source import SecretKey, Source

    documents = list(YAML(typ="safe").load_all((INTEGRATIONS / "argocd" / "notifications.yaml").read_text()))
    settings = {name: YAML(typ="safe").load(text) for name, text in documents[0]["data"].items()}
    header = settings["service.webhook.davy"]["headers"][1]
    assert header["value"].removeprefix("Bearer $") in documents[1]["stringData"]
    sent = {each for step in settings["trigger.davy-ended"] for each in step["send"]}
    assert {f"template.{name}" for name in sent} <= settings.keys()
    application = {
        ".app.metadata.name": "payments",
        ".app.metadata.namespace": "argocd",
        ".app.spec.project": "default",
        ".app.status.operationState.phase": "Succeeded",
        ".app.status.health.status": "Healthy",
        ".app.spec.source.repoURL": "https://github.com/acme/deploy.git",
        ".app.status.operationState.syncResult.revision": "9b1c3d5e7f90a2b4c6d8e0f1a3b5c7d9e1f3a5b7",
        ".app.status.operationState.startedAt": "2026-03-02T09:40:00Z",
        ".app.status.operationState.finishedAt": "2026-03-02T09:44:00Z",
    }
    body = settings["template.davy-ended"]["webhook"]["davy"]["body"]
    filled = re.sub(r"\{\{ toJson (\S+) \}\}", lambda found: json.dumps(application[found[1]]), body).encode()
    delivery = Delivery({"authorization": "Bearer t0ken"}, filled, 0.0)
    assert argocd.authentic(delivery, Secret("t0ken"))
    source = Source(name="a", scheme="argocd", secrets=(SecretKey("a", "b"),), deployment_exposes=True)
    kinds = [draft.kind for draft in argocd.means(delivery, source).drafts]
    assert kinds == ["change_exposed", "change_promoted"]
