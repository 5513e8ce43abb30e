"""`davy scaffold argo-judge`, and the Judges that `davy serve --judges` reads."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from davy.cli.judging import read_judges
from davy.errors import UsageError
from davy.model.finding import BadManifest


def davy(*words: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "davy", *words]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "options", [(), ("-n", "shop", "--steps", "1,10,40"), ("--url", "https://judge.example/x/")]
)
def test_what_is_written_passes_every_gate(options: tuple[str, ...]) -> None:
    written = davy("scaffold", "argo-judge", "payments", *options)
    assert written.returncode == 0, written.stderr
    checked = davy("check", "-f", "-", given=written.stdout)
    assert (checked.returncode, "error" in checked.stderr) == (0, False), checked.stderr
    kinds = [each["kind"] for each in yaml.safe_load_all(written.stdout)]
    assert kinds == ["Judge", "AnalysisTemplate", "AnalysisTemplate", "Rollout"]


def test_the_addresses_of_both_templates_ask_for_the_same_rollout() -> None:
    documents = list(yaml.safe_load_all(davy("scaffold", "argo-judge", "payments", "-n", "shop").stdout))
    step, guard = (each["spec"]["metrics"][0]["provider"]["web"]["url"] for each in documents[1:3])
    asked = "http://davy-judge.davy-system:8080/v1/rollouts/payments/verdict?namespace=shop"
    both = "&canary={{args.canary}}&stable={{args.stable}}"
    assert step == f"{asked}&step={{{{args.step}}}}&weight={{{{args.weight}}}}{both}"
    assert guard == asked + both


def test_a_judge_that_is_there_is_not_written_again_and_gives_its_steps(tmp_path: Path) -> None:
    first = davy("scaffold", "argo-judge", "payments", "--steps", "3,30").stdout
    (tmp_path / "judge.yaml").write_text(first)
    written = davy("scaffold", "argo-judge", "payments", "--judge", str(tmp_path))
    documents = list(yaml.safe_load_all(written.stdout))
    assert [each["kind"] for each in documents] == ["AnalysisTemplate", "AnalysisTemplate", "Rollout"]
    steps = documents[-1]["spec"]["strategy"]["canary"]["steps"]
    assert [each["setWeight"] for each in steps if "setWeight" in each] == [3, 30]
    other = davy("scaffold", "argo-judge", "orders", "--judge", str(tmp_path))
    assert (other.returncode, other.stdout) == (2, "")


@pytest.mark.parametrize(
    "words",
    [
        ("Payments",),
        ("payments", "--steps", "50,5"),
        ("payments", "--steps", "0,5"),
        ("payments", "--steps", "a"),
        ("payments", "--url", 'http://judge"/'),
        ("payments", "--prometheus", "prometheus:9090"),
    ],
)
def test_what_would_make_a_wrong_manifest_is_refused(words: tuple[str, ...]) -> None:
    said = davy("scaffold", "argo-judge", *words)
    assert (said.returncode, said.stdout) == (2, "")


JUDGE = "{apiVersion: davy.dev/v1alpha1, kind: Judge, metadata: {name: pay}, spec: {service: pay%s}}\n"
COUNTED = ", prometheus: {address: 'http://127.0.0.1:9090'}"


@pytest.mark.parametrize(
    "text",
    [
        JUDGE % "",
        f"{JUDGE % COUNTED}---\n{JUDGE % COUNTED}",
        "{apiVersion: v1, kind: Service, metadata: {name: a}}",
    ],
)
def test_judges_that_cannot_judge_are_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "judges.yaml"
    file.write_text(text)
    with pytest.raises((UsageError, BadManifest)):
        read_judges([str(file)], "default")
