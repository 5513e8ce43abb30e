"""`check`: policies in CI, in the namespace that is meant, beside what was there before."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from davy.policy.digest import digest_of

SEED = Path(__file__).parent.parent / "cases" / "seed"
SENTENCE = "Use Rollout with analysis in prod; Deployments are not allowed"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: prod
spec:
  replicas: 1
"""
TOOTHLESS = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors}
spec:
  metrics:
    - name: ratio
      provider:
        prometheus:
          address: http://prometheus
          query: sum(rate(errors[1m])) > 0.02
"""
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the seed's policy and a Deployment that it forbids."""
    for name in ("template", "constraint"):
        (tmp_path / f"{name}.yaml").write_text((SEED / f"require-progressive-{name}.yaml").read_text())
    (tmp_path / "web.yaml").write_text(DEPLOYMENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def git(*arguments: str) -> None:
    identity = ["-c", "user.name=ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def told(ran: Any) -> list[tuple[str, str, str]]:
    findings = json.loads(ran.stdout)["findings"]
    return [(each["severity"], each["code"], each["file"]) for each in findings]


def test_the_seeds_policy_stops_a_deployment_in_prod(run: Any, files: Path) -> None:
    ran = run("check", ".")
    assert ran.exit_code == 1
    assert f"error[K8sRequireProgressive]: {SENTENCE}\n --> web.yaml:4:3" in ran.stderr
    assert "= why:   constraint require-progressive-prod (template K8sRequireProgressive)" in ran.stderr


def test_the_seeds_policy_stops_it_without_a_namespace_of_its_own_too(run: Any, files: Path) -> None:
    (files / "web.yaml").write_text(DEPLOYMENT.replace("  namespace: prod\n", ""))
    assert run("check", ".").exit_code == 0
    for call in (("check", ".", "--namespace", "prod"), ("-n", "prod", "check", ".")):
        ran = run(*call)
        assert ran.exit_code == 1
        assert SENTENCE in ran.stderr
    assert run("check", ".", env={"DAVY_NAMESPACE": "prod"}).exit_code == 1


def test_a_list_hides_nothing(run: Any, files: Path) -> None:
    items = "".join(f"    {line}\n" for line in DEPLOYMENT.splitlines()).replace("    api", "  - api", 1)
    (files / "web.yaml").write_text(f"apiVersion: v1\nkind: List\nitems:\n{items}")
    assert run("check", ".").exit_code == 1


def test_data_for_programs_has_the_five_results(run: Any, files: Path) -> None:
    (files / "config.yaml").write_text(CONFIG)
    body = json.loads(run("check", ".", "-o", "json").stdout)
    assert list(body["results"]) == ["pass", "fail", "waived", "not-applicable", "error"]
    assert body["results"]["fail"] == 1
    (failed,) = (each for each in body["judged"] if each["result"] == "fail")
    assert (failed["objectKind"], failed["namespace"], failed["name"]) == ("Deployment", "prod", "web")
    (finding,) = (each for each in body["findings"] if each["severity"] == "error")
    assert finding["title"] == SENTENCE
    assert finding["waive"].startswith("davy waiver request K8sRequireProgressive")


def test_what_no_policy_looks_at_is_said_aloud(run: Any, files: Path) -> None:
    ran = run("check", "-", stdin=CONFIG)
    assert ran.exit_code == 0
    assert "note: no policy looks at any of 1 object: nothing was judged" in ran.stderr


def test_a_policy_that_cannot_be_read_is_no_verdict(run: Any, files: Path) -> None:
    template = files / "template.yaml"
    template.write_text(template.read_text().replace("kind.kind ==", "kind.kind = ="))
    ran = run("check", ".")
    assert ran.exit_code == 2
    assert "error[DV017]" in ran.stderr


@pytest.mark.parametrize("profile", ["starter", "standard", "strict"])
def test_the_pack_asks_for_more_with_each_profile(run: Any, files: Path, profile: str) -> None:
    (files / "constraint.yaml").unlink()
    (files / "template.yaml").unlink()
    ran = run("check", ".", "--profile", profile, "-o", "json")
    assert ("warning" if profile == "starter" else "error", "PD001", "web.yaml") in told(ran)
    assert ran.exit_code == (0 if profile == "starter" else 1)
    (finding,) = (each for each in json.loads(ran.stdout)["findings"] if each["code"] == "PD001")
    assert finding["fix"]
    assert not finding["title"].startswith("PD001")


def waiver(expires: str = "2030-01-01T00:00:00Z") -> str:
    import msgspec

    from davy.model.instant import parse_instant
    from davy.model.loader import load_all
    from davy.policy.waiver_file import document_of
    from davy.policy.waivers import Waiver, text_digest

    (document,) = load_all([("web.yaml", DEPLOYMENT)], raw=True).raw
    asked = Waiver(
        id="w-1",
        rule="K8sRequireProgressive",
        kind="Deployment",
        namespace="prod",
        name="web",
        digest=digest_of(document.value),
        reason="a hotfix",
        ticket="OPS-1",
        requester="ann",
        requested_at=parse_instant(expires) - 86400.0,
        expires_at=parse_instant(expires),
    )
    granted = msgspec.structs.replace(
        asked, approver="bob", approved_at=asked.requested_at + 1, approval=text_digest(asked)
    )
    return json.dumps(document_of(granted))


def test_a_waiver_excuses_until_its_instant_wherever_it_lies(
    run: Any, files: Path, tmp_path_factory: Any
) -> None:
    elsewhere = tmp_path_factory.mktemp("waivers") / "w.json"
    elsewhere.write_text(waiver())
    clock = {"now": 1893455999.0}  # a second before the end
    ran = run("check", ".", "--waivers", str(elsewhere), wall=lambda: clock["now"])
    assert ran.exit_code == 0, ran.stderr
    assert "waived by w-1" in ran.stderr
    clock["now"] += 1
    assert run("check", ".", "--waivers", str(elsewhere), wall=lambda: clock["now"]).exit_code == 1
    (files / "waiver.json").write_text(waiver())
    assert run("check", ".", wall=lambda: 1893455999.0).exit_code == 0


def test_what_is_no_waiver_is_refused(run: Any, files: Path) -> None:
    ran = run("check", ".", "--waivers", "web.yaml")
    assert (ran.exit_code, "there is no waiver in web.yaml" in ran.stderr) == (2, True)
    (files / "bad.json").write_text(waiver().replace("2030-01-01T00:00:00Z", "2030-01-01"))
    assert run("check", "web.yaml", "--waivers", "bad.json").exit_code == 2


def test_a_commit_to_compare_with_says_what_happens(run: Any, files: Path) -> None:
    (files / "gone.yaml").write_text(DEPLOYMENT.replace("web", "gone").replace("prod", "dev"))
    git("init")
    git("add", "-A")
    git("commit", "-m", "before")
    (files / "new.yaml").write_text(DEPLOYMENT.replace("web", "new"))
    (files / "gone.yaml").unlink()
    everything = run("check", ".", "--base", "HEAD", "-o", "json")
    assert {file for _, _, file in told(everything)} >= {"web.yaml", "new.yaml"}
    changed = run("check", ".", "--base", "HEAD", "--changed-only", "-o", "json")
    assert changed.exit_code == 1
    assert {file for _, _, file in told(changed)} == {"new.yaml"}
    assert {each["file"] for each in json.loads(changed.stdout)["judged"]} == {"new.yaml"}
    git("add", "-A")
    git("commit", "-m", "after")
    assert run("check", ".", "--base", "HEAD", "--changed-only").exit_code == 0


def test_rules_about_changes_are_asked_where_the_change_is_known(run: Any, files: Path) -> None:
    constraint = files / "constraint.yaml"
    git("init")
    git("add", "-A")
    git("commit", "-m", "before")
    (files / "web.yaml").unlink()
    constraint.write_text(constraint.read_text().replace("spec:\n", "spec:\n  enforcementAction: dryrun\n"))
    assert "PD013" not in {code for _, code, _ in told(run("check", ".", "-o", "json"))}
    ran = run("check", ".", "--base", "HEAD", "-o", "json")
    assert "PD013" in {code for _, code, _ in told(ran)}


def test_the_work_tree_and_its_links_are_not_what_was_there_before(run: Any, files: Path) -> None:
    git("init")
    (files / "link.yaml").symlink_to("/etc/passwd")
    (files / ".hidden.yaml").write_text("[")
    git("add", "-A")
    git("commit", "-m", "before")
    (files / "link.yaml").unlink()
    assert run("check", ".", "--base", "HEAD", "--changed-only").exit_code == 0


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        ("nope", "there is no commit 'nope' here"),
        ("--upload-pack=touch owned", "is no name of a commit"),
        ("", "is no name of a commit"),
        ("HEAD:web.yaml", "there is no commit"),
    ],
)
def test_a_commit_that_is_none_is_exit_2(run: Any, files: Path, ref: str, says: str) -> None:
    git("init")
    git("add", "-A")
    git("commit", "-m", "before")
    ran = run("check", ".", f"--base={ref}")
    assert (ran.exit_code, says in ran.stderr) == (2, True), ran.stderr


def test_there_is_nothing_to_compare_with_outside_of_a_repository(run: Any, files: Path) -> None:
    ran = run("check", ".", "--base", "HEAD", env={"GIT_CEILING_DIRECTORIES": str(files.parent)})
    assert ran.exit_code == 2
    assert "git rev-parse failed" in ran.stderr
    ran = run("check", ".", "--changed-only")
    assert (ran.exit_code, "--changed-only needs --base" in ran.stderr) == (2, True)


def test_what_can_be_mended_is_mended_first_with_a_diff(run: Any, files: Path) -> None:
    template = files / "analysis.yaml"
    template.write_text(TOOTHLESS)
    assert run("check", "analysis.yaml").exit_code == 1
    ran = run("check", "analysis.yaml", "--fix")
    assert ran.exit_code == 0, ran.stderr
    assert "+      successCondition: len(result) > 0 && result[0] <= 0.02" in ran.stderr
    assert "analysis.yaml mended" in ran.stderr
    assert "failureCondition" in template.read_text()
    assert "mended" not in run("check", "analysis.yaml", "--fix").stderr


def test_a_gate_and_the_packs_rule_of_its_id_are_told_once(run: Any, files: Path) -> None:
    (files / "analysis.yaml").write_text(TOOTHLESS.replace(" > 0.02", ""))
    ran = run("check", "analysis.yaml", "--profile", "strict", "-o", "json")
    assert [code for _, code, _ in told(ran)].count("PD050") == 1
    (finding,) = (each for each in json.loads(ran.stdout)["findings"] if each["code"] == "PD050")
    assert finding["label"].startswith("neither successCondition nor failureCondition")


@pytest.mark.parametrize("form", ["text", "json", "yaml", "sarif", "junit", "github", "gitlab"])
def test_the_form_of_a_report_changes_nothing_about_the_answer(run: Any, files: Path, form: str) -> None:
    assert run("check", ".", "-o", form).exit_code == 1
    assert run("check", "template.yaml", "-o", form).exit_code == 0


def test_what_a_rule_of_the_pack_has_one_answer_to_is_mended(run: Any, files: Path) -> None:
    rollout = files / "rollout.yaml"
    rollout.write_text(ROLLOUT)
    before = json.loads(run("check", "rollout.yaml", "--profile", "strict", "-o", "json").stdout)
    assert "PD038" in {each["code"] for each in before["findings"]}
    ran = run("check", "rollout.yaml", "--profile", "strict", "--fix")
    assert "+  progressDeadlineAbort: true" in ran.stderr
    assert "error[PD038]" not in ran.stderr
    assert rollout.read_text().startswith(ROLLOUT.partition("spec:")[0] + "spec:\n")
    assert "replicas: 3 # three is enough\n" in rollout.read_text()


ROLLOUT = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: pay, namespace: prod}
spec:
  replicas: 3 # three is enough
  selector: {matchLabels: {app: pay}}
  template:
    metadata: {labels: {app: pay}}
    spec: {containers: [{name: pay, image: pay}]}
  strategy:
    canary:
      steps: [{setWeight: 34}, {pause: {}}]
"""


BROKEN = Path(__file__).parent.parent / "cases" / "broken"


@pytest.mark.parametrize("form", ["text", "json", "sarif", "junit", "github", "gitlab"])
def test_no_manifest_is_a_fault_of_ours(run: Any, files: Path, form: str) -> None:
    for path in sorted(BROKEN.glob("*.yaml")):
        ran = run("check", str(path), ".", "-n", "prod", "--profile", "strict", "-o", form)
        assert ran.exit_code in (1, 2), f"{path.name}: {ran.stderr}"
        assert ran.exception is None or isinstance(ran.exception, SystemExit)


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe",
        b"kind: Deployment\nmetadata: [1]\napiVersion: apps/v1\n",
        b"kind: Rollout\napiVersion: argoproj.io/v1alpha1\nmetadata: {name: a, namespace: {b: c}}\nspec: []\n",
        b"kind: ConstraintTemplate\napiVersion: templates.gatekeeper.sh/v1\nspec: {targets: 1}\n",
        b"kind: K8sX\napiVersion: constraints.gatekeeper.sh/v1beta1\nmetadata: {name: [x]}\nspec: {match: 1}\n",
        b"kind: Waiver\napiVersion: davy.dev/v1alpha1\nmetadata: {name: w}\nspec: {expiresAt: .nan}\n",
        b"kind: AnalysisTemplate\napiVersion: argoproj.io/v1alpha1\nmetadata: {name: 1}\nspec: {metrics: 7}\n",
        b"kind: ValidatingAdmissionPolicy\napiVersion: admissionregistration.k8s.io/v1\nspec: 1\n",
        b'kind: Deployment\napiVersion: apps/v1\nmetadata: {name: "::error::x%0A\\u202e", namespace: prod}\n',
    ],
)
def test_nothing_hostile_gets_through_or_breaks_it(run: Any, files: Path, text: bytes) -> None:
    (files / "z\n::error::hostile.yaml").write_bytes(text)
    for form in ("text", "json", "sarif", "junit", "github", "gitlab"):
        ran = run("check", ".", "-n", "prod", "--profile", "strict", "-o", form)
        assert ran.exit_code in (1, 2), ran.stderr
        for line in ran.stdout.splitlines():
            assert not line.startswith("::error::hostile")
        assert form == "json" or "\u202e" not in ran.stdout


def test_what_says_nowhere_where_it_goes_is_told_of(run: Any, files: Path) -> None:
    (files / "web.yaml").write_text(DEPLOYMENT.replace("  namespace: prod\n", ""))
    note = "note: 1 object names no namespace: -n NAMESPACE says where that goes"
    assert note in run("check", ".").stderr
    assert note not in run("check", ".", "-n", "dev").stderr


def test_a_template_that_is_not_there_is_told_of_once(run: Any, files: Path) -> None:
    (files / "pay.yaml").write_text(
        """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: pay, namespace: prod}
spec:
  selector: {matchLabels: {app: pay}}
  template:
    metadata: {labels: {app: pay}}
    spec: {containers: [{name: app, image: "pay:1"}]}
  strategy:
    canary:
      steps:
      - setWeight: 5
      - analysis:
          templates:
          - templateName: nope
"""
    )
    ran = run("check", "pay.yaml", "--profile", "standard", "-o", "json")
    assert [code for _, code, _ in told(ran) if code in ("PD031", "DV010")] == ["DV010"]


def test_what_a_change_does_to_a_file_that_stays_is_told_of(run: Any, files: Path) -> None:
    """The rollout stays as it is, and loses the template that judges it."""
    for name in ("web.yaml", "constraint.yaml"):
        (files / name).unlink()
    (files / "rollout.yaml").write_text(
        json.dumps(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Rollout",
                "metadata": {"name": "web", "namespace": "prod"},
                "spec": {
                    "strategy": {
                        "canary": {
                            "steps": [
                                {"setWeight": 20},
                                {"analysis": {"templates": [{"templateName": "errors"}]}},
                            ]
                        }
                    }
                },
            }
        )
    )
    template = files / "errors.yaml"
    template.write_text(TOOTHLESS.replace("name: errors", "name: errors, namespace: prod"))
    git("init")
    git("add", "-A")
    git("commit", "-m", "before")
    quiet = run("check", ".", "--base", "HEAD", "--changed-only", "-o", "json")
    assert told(quiet) == []
    template.unlink()
    ran = run("check", ".", "--base", "HEAD", "--changed-only", "-o", "json")
    assert "rollout.yaml" in {file for _, _, file in told(ran)}
    assert ran.exit_code != 0
