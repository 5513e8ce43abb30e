"""What is shown of a rollout: parts, services, routes, experiments, a restart, the status of its manifest."""

from typing import Any

import pytest
from tests.control.conftest import ROLLOUT, TEMPLATE, Lab

from davy.control import requests, views
from davy.control.picture.routes import described
from davy.model.key import Key
from davy.model.side_route import HeaderRoute, MirrorRoute
from davy.model.steps import HeaderRoutingMatch, RouteMatch, StringMatch

PAYMENTS = Key("default", "payments")
BLUE_GREEN = """    blueGreen:
      activeService: payments-stable
      previewService: payments-canary
      previewReplicaCount: 1
      autoPromotionEnabled: false
      scaleDownDelaySeconds: 30
      prePromotionAnalysis: {templates: [{templateName: errors}]}
      postPromotionAnalysis: {templates: [{templateName: errors}]}
"""
STEPS = """      steps:
      - setCanaryScale: {replicas: 1}
      - setHeaderRoute: {name: beta, match: [{headerName: X-Beta, headerValue: {exact: "yes"}}]}
      - setMirrorRoute: {name: shadow, percentage: 20, match: [{path: {prefix: /pay}}]}
      - experiment:
          duration: 60s
          scaleDownDelaySeconds: 20
          templates:
          - {name: baseline, specRef: stable, weight: 5}
          - {name: candidate, specRef: canary, weight: 5, service: {name: candidate}}
          analyses:
          - {name: compare-1-2, templateName: errors}
      - setWeight: 20
      - pause: {}
"""
ISTIO = "{istio: {virtualService: {name: vs}}, managedRoutes: [{name: beta}, {name: shadow}]}"


def manifest(strategy: str, start: str) -> str:
    text = ROLLOUT.replace("NAME", "payments")
    return text[: text.index(start)] + strategy + text[text.index("---") :]


def live(lab: Lab, text: str) -> None:
    view = lab.ask(requests.Apply((("payments.yaml", text), ("errors.yaml", TEMPLATE)), "/here"))
    assert view.accepted, view.findings
    lab.turns()
    assert lab.get().status == "Healthy"


def switching(lab: Lab) -> None:
    live(lab, manifest(BLUE_GREEN, "    canary:\n"))


def experimenting(lab: Lab, text: str = STEPS) -> None:
    live(lab, manifest(text, "      steps:\n").replace("{smi: {}}", ISTIO))


def release(lab: Lab, tag: str = "app:2") -> None:
    lab.ask(requests.SetImage("default", "payments", {"app": tag}))


def parts(view: views.RolloutView) -> list[tuple[str, ...]]:
    return [revision.roles for revision in view.revisions]


def status(lab: Lab) -> Any:
    return lab.ask(requests.Manifest("default", "payments")).manifest["status"]


def test_the_parts_of_blue_green_are_stable_active_and_preview(lab: Lab) -> None:
    switching(lab)
    assert parts(lab.get()) == [("stable", "active")]
    release(lab)
    view = lab.until(lambda view: view.message == "BlueGreenPause")
    assert (view.strategy, view.step, view.set_weight, view.actual_weight) == ("BlueGreen", None, None, None)
    assert parts(view) == [("preview",), ("stable", "active")]
    assert [(image.image, image.roles) for image in view.images] == [
        ("app:2", ("preview",)),
        ("app:1", ("stable", "active")),
    ]
    assert [run.type for run in view.revisions[0].runs] == ["PrePromotion"]
    said = lab.ask(requests.Promote("default", "payments", "looks good")).message
    assert said == (
        "rollout 'payments' promoted: revision 2 takes all the traffic as soon as all of its 2 are available"
    )
    view = lab.until(lambda view: parts(view) == [("active",), ("stable",)])
    view = lab.until(lambda view: view.status == "Healthy")
    assert parts(view) == [("stable", "active"), ()]
    assert view.revisions[1].scale_down_in_s is not None
    assert [run.type for run in view.revisions[0].runs] == ["PrePromotion", "PostPromotion"]


def test_an_aborted_preview_is_still_the_preview(lab: Lab) -> None:
    switching(lab)
    release(lab)
    lab.until(lambda view: view.message == "BlueGreenPause")
    lab.ask(requests.Abort("default", "payments", "no"))
    assert parts(lab.get()) == [("preview",), ("stable", "active")]
    assert status(lab)["abortedAt"].startswith("1970-01-01T00:")


def test_the_preview_can_be_called_beside_what_users_call(lab: Lab) -> None:
    switching(lab)
    release(lab)
    view = lab.until(lambda view: view.message == "BlueGreenPause")
    [service] = view.services
    assert (service.name, service.role, service.hash) == ("payments-canary", "preview", view.revisions[0].hash)
    assert service.url.startswith("http://127.0.0.1:")
    assert service.url != view.url


def test_an_inconclusive_analysis_before_the_switch_is_measured_again(lab: Lab) -> None:
    switching(lab)
    lab.provider.value = ()
    release(lab)
    lab.until(lambda view: view.message == "InconclusiveAnalysisRun")
    said = lab.ask(requests.Promote("default", "payments", "metrics are back")).message
    assert said == "rollout 'payments' promoted: what was inconclusive is measured again"


def test_the_status_of_blue_green_is_argos(lab: Lab) -> None:
    switching(lab)
    release(lab)
    view = lab.until(lambda view: view.message == "BlueGreenPause")
    new, old = (revision.hash for revision in view.revisions)
    found = status(lab)
    assert "canary" not in found
    assert "currentStepIndex" not in found
    assert found["controllerPause"] is True
    assert found["pauseConditions"][0]["reason"] == "BlueGreenPause"
    assert found["pauseConditions"][0]["startTime"].endswith("Z")
    name = f"payments-{new}-2-pre"
    assert found["blueGreen"] == {
        "previewSelector": new,
        "activeSelector": old,
        "scaleUpPreviewCheckPoint": False,
        "prePromotionAnalysisRunStatus": {"name": name, "status": "Successful"},
    }
    lab.ask(requests.Promote("default", "payments", "looks good"))
    lab.until(lambda view: view.status == "Healthy")
    found = status(lab)["blueGreen"]
    assert (found["activeSelector"], found["scaleUpPreviewCheckPoint"]) == (new, True)
    assert found["postPromotionAnalysisRunStatus"]["status"] == "Successful"


def test_the_status_of_a_canary_is_argos(lab: Lab) -> None:
    assert lab.apply("payments").accepted
    lab.turns()
    release(lab)
    view = lab.until(lambda view: bool(view.revisions[0].runs))
    new, old = (revision.hash for revision in view.revisions)
    found = status(lab)
    assert found["currentStepIndex"] == 2
    assert found["canary"]["weights"] == {
        "canary": {"podTemplateHash": new, "serviceName": "payments-canary", "weight": 20},
        "stable": {"podTemplateHash": old, "serviceName": "payments-stable", "weight": 80},
        "additional": [],
        "verified": True,
    }
    assert found["canary"]["currentStepAnalysisRunStatus"] == {
        "name": f"payments-{new}-2-2",
        "status": "Running",
    }
    assert "currentBackgroundAnalysisRunStatus" not in found["canary"]
    assert {condition["type"] for condition in found["conditions"]} >= {"Available", "Progressing", "Paused"}


def test_without_a_router_there_are_no_weights_in_the_status(lab: Lab) -> None:
    assert lab.apply("payments", **{"      trafficRouting: {smi: {}}\n": ""}).accepted
    lab.turns()
    assert status(lab)["canary"] == {}


def test_an_experiment_is_drawn_with_its_sides_and_what_is_measured(lab: Lab) -> None:
    experimenting(lab)
    release(lab)
    view = lab.until(lambda view: bool(view.revisions[0].all_runs), seconds=1)
    [experiment] = view.revisions[0].experiments
    new = view.revisions[0].hash
    assert (experiment.name, experiment.status, experiment.step) == (f"payments-{new}-2-3", "Running", 3)
    assert [(side.name, side.of, side.weight, len(side.pods)) for side in experiment.sides] == [
        ("baseline", "stable", 5, 1),
        ("candidate", "canary", 5, 1),
    ]
    assert [run.name for run in experiment.runs] == [f"{experiment.name}-compare-1-2"]
    assert experiment.left_s is not None
    assert 0 < experiment.left_s <= 60
    assert view.revisions[0].runs == ()
    assert view.images[0].roles == ("canary", "experiment:candidate")
    assert [(service.name, service.role) for service in view.services] == [("candidate", "candidate")]
    canary = status(lab)["canary"]
    assert canary["currentExperiment"] == experiment.name
    assert [one["weight"] for one in canary["weights"]["additional"]] == [5, 5]
    why = lab.ask(requests.Why("default", "payments"))
    assert any(text.startswith("errors: ") for text in why.evidence)


def test_an_experiment_that_is_over_keeps_what_was_measured(lab: Lab) -> None:
    experimenting(lab)
    release(lab)
    view = lab.until(lambda view: view.step == 4, seconds=1)
    [experiment] = view.revisions[0].experiments
    assert (experiment.status, len(experiment.sides), experiment.left_s) == ("Successful", 2, None)
    assert experiment.sides[0].scale_down_in_s is not None
    view = lab.until(lambda view: view.step == 5, seconds=10)
    lab.turns(3, seconds=10)
    [experiment] = lab.get().revisions[0].experiments
    assert (experiment.status, experiment.sides) == ("Successful", ())
    assert experiment.age_s > 40


def test_an_experiment_that_fails_says_on_what(lab: Lab) -> None:
    experimenting(lab)
    lab.provider.value = (0.3,)
    release(lab)
    view = lab.until(lambda view: view.status == "Degraded", seconds=1)
    [experiment] = view.revisions[0].experiments
    assert experiment.status == "Failed"
    assert "errors: [0.3] meets failureCondition" in lab.ask(requests.Why("default", "payments")).sentence
    lab.provider.value = (0.0,)
    lab.ask(requests.Retry("default", "payments"))
    view = lab.until(lambda view: len(view.revisions[0].experiments) == 2, seconds=1)
    assert [one.name.removeprefix(experiment.name) for one in view.revisions[0].experiments] == ["", ".1"]


@pytest.mark.parametrize(
    ("value", "wanted"), [(None, "Error"), ((), "Inconclusive")], ids=["provider is down", "no data"]
)
def test_an_experiment_that_saw_nothing_is_no_success(lab: Lab, value: Any, wanted: str) -> None:
    experimenting(lab)
    lab.provider.value = value
    release(lab)
    view = lab.until(lambda view: view.status in ("Degraded", "Paused"), seconds=5)
    assert view.revisions[0].experiments[0].status == wanted


def test_an_experiment_that_is_broken_off_is_no_success(lab: Lab) -> None:
    experimenting(lab)
    release(lab)
    lab.until(lambda view: bool(view.revisions[0].all_runs), seconds=1)
    lab.ask(requests.Abort("default", "payments", "no"))
    assert lab.get().revisions[0].experiments[0].status == "Inconclusive"
    release(lab, "app:3")
    lab.turns(1)
    assert lab.get().revisions[1].experiments[0].status == "Inconclusive"


def test_an_experiment_waits_for_its_sides(lab: Lab) -> None:
    experimenting(lab, STEPS[: STEPS.index("          analyses")] + "      - pause: {}\n")
    release(lab)
    lab.until(lambda view: view.step == 2)
    lab.platform.pods_get_ready = False
    lab.turns(3, seconds=1)
    [experiment] = lab.get().revisions[0].experiments
    assert (experiment.status, experiment.runs, experiment.left_s) == ("Pending", (), None)
    for side in experiment.sides:
        lab.platform.make_ready(PAYMENTS, side.hash)
    view = lab.until(lambda view: view.step == 4)
    [experiment] = view.revisions[0].experiments
    assert (experiment.status, len(experiment.sides)) == ("Successful", 2)


def test_routes_in_force_are_told_and_go_with_the_update(lab: Lab) -> None:
    experimenting(lab)
    release(lab)
    view = lab.until(lambda view: len(view.routes) == 2, seconds=1)
    assert [(route.name, route.what) for route in view.routes] == [
        ("beta", "X-Beta: yes goes to the canary"),
        ("shadow", "20 % of /pay* is copied to the canary"),
    ]
    lab.ask(requests.Abort("default", "payments", "no"))
    lab.turns(1)
    assert lab.get().routes == ()


GET = StringMatch("GET")
PREFIX = StringMatch(prefix="/a")
HEADERS = (HeaderRoutingMatch("X-A"), HeaderRoutingMatch("X-B", StringMatch(regex="y.*")))
REQUESTS = (RouteMatch(headers={"X-A": StringMatch("1")}), RouteMatch(path=StringMatch("/b")))


@pytest.mark.parametrize(
    ("route", "told"),
    [
        (HeaderRoute("a", HEADERS, "h"), "X-A and X-B: ~y.* goes to the canary"),
        (MirrorRoute("a", (RouteMatch(GET, PREFIX),), 5, "h"), "5 % of GET /a* is copied to the canary"),
        (MirrorRoute("a", REQUESTS, 100, "h"), "100 % of requests with X-A: 1 or /b is copied to the canary"),
    ],
)
def test_a_route_is_told_in_one_line(route: Any, told: str) -> None:
    assert described(route) == told


def test_a_restart_is_counted(lab: Lab) -> None:
    assert lab.apply("payments").accepted
    lab.turns()
    assert lab.get().restart is None
    assert "restartedAt" not in status(lab)
    lab.platform.pods_get_ready = False
    lab.clock.time += 1
    lab.ask(requests.Restart("default", "payments", "leaks"))
    lab.turns(2)
    assert lab.get().restart == views.RestartView(replaced=1, of=2)
    assert "a restart has replaced 1 of 2 replicas" in lab.ask(requests.Why("default", "payments")).evidence
    [pod] = [pod for pod in lab.get().revisions[0].pods if not pod.ready]
    lab.platform.make_ready(PAYMENTS, lab.get().revisions[0].hash)
    lab.platform.pods_get_ready = True
    lab.turns(3)
    view = lab.get()
    assert (view.status, view.restart) == ("Healthy", None)
    assert pod.name in [one.name for one in view.revisions[0].pods]
    assert status(lab)["restartedAt"].endswith("Z")
