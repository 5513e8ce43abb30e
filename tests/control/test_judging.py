"""What policies say of texts: at the right line, with the right weight, and each object counted once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from davy.control.admission import Admitted, admit
from davy.control.analysis_gates import AnalysisGates
from davy.control.catalog import Catalog
from davy.control.governance import Governance
from davy.control.judging import complaints
from davy.model.finding import Finding, render
from davy.model.loader import load_all
from davy.policy.digest import digest_of
from davy.policy.engine import Point, Violation
from davy.policy.inventory import Inventory
from davy.policy.problem import Problem
from davy.policy.review import Review
from davy.policy.waivers import Waiver, text_digest

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: prod
spec:
  replicas: 1
"""
NOWHERE = DEPLOYMENT.replace("  namespace: prod\n", "")
TEMPLATE = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors, namespace: prod}
spec:
  metrics:
    - name: ratio
      provider: {prometheus: {address: "http://prometheus", query: sum(up)}}
"""
ONLY_ROLLOUTS = "Use Rollout with analysis in prod; Deployments are not allowed"


@dataclass(frozen=True)
class InProd:
    """Has something against Deployments in prod, and remembers what it was asked about."""

    path: str = ""
    action: Any = "deny"
    broken: bool = False
    asked: list[Review] = field(default_factory=list)
    name: str = "require-progressive-prod"

    def matches(self, review: Review, inventory: Inventory, point: Point) -> bool:
        return review.kind.kind == "Deployment"

    def judge(self, review: Review, inventory: Inventory, point: Point) -> Sequence[Violation]:
        self.asked.append(review)
        if review.kind.kind != "Deployment" or review.subject["metadata"].get("namespace") != "prod":
            return ()
        rule = "K8sRequireProgressive"
        said = "it stays" if review.operation == "DELETE" else ONLY_ROLLOUTS
        return [Violation(self.name, rule, said, self.action, path=self.path, broken=self.broken, source=rule)]


def checked(text: str, policy: Any = None, **more: Any) -> Admitted:
    waivers = more.pop("waivers", ())
    governance = Governance(policies=[AnalysisGates(), policy or InProd()], waivers=waivers, now=1000.0)
    return admit([("a.yaml", text)], "/", Catalog(), governance, **more)


def told(admitted: Admitted) -> list[str]:
    return [f"{finding.severity} {finding.code} {finding.place.line}" for finding in admitted.findings]


def results(admitted: Admitted) -> list[str]:
    return [each.result for each in admitted.judged]


def test_a_policy_says_its_sentence_at_the_name_with_all_that_is_needed_to_go_on() -> None:
    (finding,) = checked(DEPLOYMENT).findings
    assert render(finding).splitlines() == [
        f"error[K8sRequireProgressive]: {ONLY_ROLLOUTS}",
        " --> a.yaml:4:3",
        "  |",
        "4 |   name: web",
        "  |   ^^^^^^^^^",
        "  = why:   constraint require-progressive-prod (template K8sRequireProgressive)",
        "  = waive: davy waiver request K8sRequireProgressive --scope web -n prod --kind Deployment -f a.yaml"
        ' --for 48h --ticket ID --reason "…"',
    ]


@pytest.mark.parametrize(
    ("path", "line", "label"),
    [
        ("spec.replicas", 7, "spec.replicas"),
        ("spec.strategy.canary", 6, "spec.strategy.canary is not here"),
        ("metadata.labels", 3, "metadata.labels is not here"),
        ("status", 4, "status is not here"),
        ("", 4, ""),
    ],
)
def test_a_policy_points_at_the_field_it_means_or_as_near_as_there_is_one(
    path: str, line: int, label: str
) -> None:
    (finding,) = checked(DEPLOYMENT, InProd(path)).findings
    assert (finding.place.line, finding.label, finding.path) == (line, label, path)


@pytest.mark.parametrize(
    ("action", "severity", "result"),
    [("deny", "error", "fail"), ("warn", "warning", "pass"), ("dryrun", "note", "pass")],
)
def test_what_a_policy_wants_is_how_loud_it_is_told(action: str, severity: str, result: str) -> None:
    admitted = checked(DEPLOYMENT, InProd(action=action))
    assert told(admitted) == [f"{severity} K8sRequireProgressive 4"]
    assert results(admitted) == [result]
    assert admitted.accepted == (severity != "error")


def test_a_policy_that_cannot_be_evaluated_refuses_and_nothing_excuses_from_it() -> None:
    admitted = checked(DEPLOYMENT, InProd(broken=True))
    assert not admitted.accepted
    assert results(admitted) == ["error"]
    assert admitted.findings[0].waive == ""
    assert admitted.findings[0].why.startswith("could not be evaluated, and so refuses: constraint ")


def test_an_object_that_names_no_namespace_is_judged_in_the_one_it_goes_to() -> None:
    assert checked(NOWHERE).accepted
    assert told(checked(NOWHERE, namespace="prod")) == ["error K8sRequireProgressive 4"]
    assert checked(DEPLOYMENT, namespace="dev").accepted is False
    cluster = "apiVersion: v1\nkind: Namespace\nmetadata: {name: prod}\n"
    asked = InProd()
    checked(cluster, asked, namespace="prod")
    assert [review.namespace for review in asked.asked] == [""]


def test_lists_are_unwrapped() -> None:
    items = "".join(f"  {line}\n" for line in DEPLOYMENT.splitlines()).replace("  api", "- api", 1)
    assert told(checked(f"apiVersion: v1\nkind: List\nitems:\n{items}")) == ["error K8sRequireProgressive 7"]


def test_every_object_is_in_the_inventory() -> None:
    seen: list[Any] = []

    @dataclass(frozen=True)
    class Looks:
        name: str = "looks"

        def judge(self, review: Review, inventory: Inventory, point: Point) -> Sequence[Violation]:
            seen.append(inventory.document)
            return ()

    checked(f"{DEPLOYMENT}---\n{TEMPLATE}", Looks(), namespace="prod")
    assert list(seen[0]["namespace"]["prod"]) == ["apps/v1", "argoproj.io/v1alpha1"]


def test_each_object_has_one_of_five_results() -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n"
    bad = config.replace("{a: b}", "{a: b, a: c}")
    text = "---\n".join([DEPLOYMENT, DEPLOYMENT.replace("prod", "dev"), config, bad])
    admitted = checked(text)
    assert [(each.kind, each.result) for each in admitted.judged] == [
        ("Deployment", "fail"),
        ("Deployment", "pass"),
        ("ConfigMap", "not-applicable"),
        ("ConfigMap", "error"),
    ]
    assert dict(admitted.results) == {"pass": 1, "fail": 1, "waived": 0, "not-applicable": 1, "error": 1}


def test_a_text_that_cannot_be_read_is_an_error_itself() -> None:
    admitted = checked("kind: [")
    assert [(each.kind, each.file, each.result) for each in admitted.judged] == [("", "a.yaml", "error")]


def test_a_kind_is_told_to_be_left_alone_only_where_no_policy_looks() -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
    dev = DEPLOYMENT.replace("prod", "dev")
    assert told(checked(f"{dev}---\n{config}")) == ["note DV013 10"]


def waiver(found: Any, **changes: Any) -> Waiver:
    import msgspec

    asked = Waiver(
        id="w-1",
        rule="K8sRequireProgressive",
        kind="Deployment",
        namespace="prod",
        name="web",
        digest=digest_of(found),
        reason="a hotfix",
        ticket="OPS-1",
        requester="ann",
        requested_at=0.0,
        expires_at=1000.0 + 48 * 3600,
    )
    asked = msgspec.structs.replace(asked, **changes)
    return msgspec.structs.replace(asked, approver="bob", approved_at=1.0, approval=text_digest(asked))


def test_what_a_waiver_covers_stays_in_sight_with_the_time_left() -> None:
    (document,) = load_all([("a.yaml", DEPLOYMENT)], raw=True).raw
    admitted = checked(DEPLOYMENT, waivers=[waiver(document.value)])
    assert admitted.accepted
    assert results(admitted) == ["waived"]
    excused = admitted.findings[0]
    assert (excused.severity, excused.waived) == ("note", "w-1")
    assert excused.title == f"{ONLY_ROLLOUTS} - waived by w-1 for 2 days more (OPS-1)"


def test_a_waiver_that_is_over_is_said_beside_what_it_does_not_cover() -> None:
    (document,) = load_all([("a.yaml", DEPLOYMENT)], raw=True).raw
    admitted = checked(DEPLOYMENT, waivers=[waiver(document.value, expires_at=500.0)])
    assert results(admitted) == ["fail"]
    assert [finding.code for finding in admitted.findings] == ["K8sRequireProgressive", "DV018"]
    assert admitted.findings[0].title == f"{ONLY_ROLLOUTS} (waiver w-1 expired 8 min ago)"


def test_a_gate_is_told_as_it_always_was_and_can_be_waived_like_any_policy() -> None:
    ungoverned = admit([("a.yaml", TEMPLATE)], "/", Catalog())
    governed = checked(TEMPLATE)
    assert [render(finding).splitlines()[:5] for finding in governed.findings] == [
        render(finding).splitlines()[:5] for finding in ungoverned.findings
    ]
    assert results(governed) == ["fail"]
    (document,) = load_all([("a.yaml", TEMPLATE)], raw=True).raw
    granted = waiver(document.value, rule="PD050", kind="AnalysisTemplate", name="errors")
    excused = checked(TEMPLATE, waivers=[granted])
    assert excused.accepted
    (finding,) = (finding for finding in excused.findings if finding.code == "PD050")
    assert (finding.severity, finding.place.line, finding.waived) == ("note", 6, "w-1")


def test_with_what_was_there_before_policies_know_what_happens() -> None:
    policy = InProd()
    base = [("a.yaml", DEPLOYMENT), ("gone.yaml", DEPLOYMENT.replace("web", "gone"))]
    new = DEPLOYMENT.replace("web", "new")
    admitted = checked(f"{DEPLOYMENT.replace('replicas: 1', 'replicas: 2')}---\n{new}", policy, base=base)
    assert [(review.operation, review.name) for review in policy.asked] == [
        ("UPDATE", "web"),
        ("CREATE", "new"),
        ("DELETE", "gone"),
        ("", "gone"),  # what is said of it as it stands is no reason to keep it
    ]
    update = policy.asked[0]
    assert update.old_object is not None
    assert update.old_object["spec"] == {"replicas": 1}
    assert [(finding.place.file, finding.label) for finding in admitted.findings if finding.label] == [
        ("gone.yaml", "Deployment gone is taken away")
    ]
    assert len(admitted.judged) == 2


def test_without_it_nobody_knows_what_happens() -> None:
    policy = InProd()
    checked(DEPLOYMENT, policy)
    assert [(review.operation, review.old_object) for review in policy.asked] == [("", None)]


def test_what_is_wrong_with_a_policy_is_told_at_its_line_and_is_no_verdict() -> None:
    (document,) = load_all([("a.yaml", DEPLOYMENT)], raw=True).raw
    problem = Problem(document.value, "spec.replicas", "it does nothing", "error", "take it out")
    strange = Problem({}, "", "of another place", "error")
    found: list[Finding] = list(complaints([problem, strange], [document.value], [document]))
    assert [(finding.code, finding.place.line, finding.fix) for finding in found] == [
        ("DV017", 7, "take it out")
    ]


@pytest.mark.parametrize(
    "text", ["", "a: b", "kind: Deployment", "- 1", "kind: {}", "metadata: 1\nkind: Pod\napiVersion: v1"]
)
def test_nothing_that_can_be_written_makes_it_raise(text: str) -> None:
    checked(text, AnalysisGates())
    checked(text, AnalysisGates(), namespace="prod", base=[("a.yaml", text)])


SOUND = """\
      successCondition: len(result) > 0 && result[0] <= 1
      failureCondition: len(result) > 0 && result[0] > 1
"""


def test_of_two_objects_with_one_name_each_is_told_what_is_its_own() -> None:
    admitted = checked(f"{TEMPLATE}---\n{TEMPLATE}{SOUND}")
    assert told(admitted) == ["error PD050 6", "error DV014 11"]
