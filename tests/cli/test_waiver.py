"""`davy waiver`: what is asked for, by whom, and how it is told."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.policy.test_waivers import NOW, broken_glass, granted, wish

from davy.cli.terms import read_terms
from davy.control import requests, views
from davy.control.waiver_desk import view
from davy.errors import UsageError
from davy.model.loader import load_all
from davy.policy import granting
from davy.policy.waiver_file import document_of, read
from davy.policy.waivers import DAY_S, TERMS, Waiver, standing
from davy.testing.scripted import Scripted

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: payments}
spec:
  selector: {matchLabels: {app: payments}}
  template:
    metadata: {labels: {app: payments}}
    spec: {containers: [{name: app, image: "payments:1"}]}
  strategy: {canary: {steps: [{setWeight: 60}, {pause: {}}]}}
"""
WHY = ("--reason", "it burns", "--ticket", "OPS-17")


def shown(*waivers: Waiver, now: float = NOW) -> views.WaiverList:
    return views.WaiverList(items=tuple(view(each, now, TERMS) for each in waivers), generation=4)


def waiting() -> Waiver:
    made = granting.request(wish(), NOW, 1)
    assert isinstance(made, Waiver)
    return made


@pytest.fixture(autouse=True)
def some(shelf: Any) -> None:
    shelf.waivers = shown(waiting(), granted(uses=2), broken_glass())


def asked(engine: Scripted) -> requests.AnyRequest:
    [(request, _)] = engine.asked
    return request


def test_a_waiver_is_asked_for_one_object_and_a_time(run: Any, engine: Scripted) -> None:
    ran = run(
        "waiver", "request", "PD022", "--scope", "payments", "--for", "48h", *WHY, "-n", "shop", "--uses", "2"
    )
    assert (ran.exit_code, ran.stdout) == (0, "a step\n")
    assert asked(engine) == requests.AskWaiver(
        rule="PD022",
        kind="Rollout",
        namespace="shop",
        name="payments",
        reason="it burns",
        ticket="OPS-17",
        for_s=48 * 3600.0,
        uses=2,
    )
    assert "somebody other than anna (uid 1000) runs: davy waiver approve w-" in ran.stderr
    assert "content   sha256:" in ran.stderr


def test_it_may_be_for_what_is_in_a_file(run: Any, engine: Scripted, tmp_path: Path) -> None:
    file = tmp_path / "payments.yaml"
    file.write_text(MANIFEST)
    until = ("--until", "2026-03-01T13:00:00+01:00")
    assert (
        run("waiver", "request", "PD022", "--scope", "payments", *until, *WHY, "-f", str(file)).exit_code == 0
    )
    request = asked(engine)
    assert isinstance(request, requests.AskWaiver)
    assert request.until == NOW
    assert request.object is not None
    assert request.object["spec"]["strategy"]["canary"]["steps"][0] == {"setWeight": 60}
    ran = run("waiver", "request", "PD022", "--scope", "cart", "--for", "7d", *WHY, "-f", str(file))
    assert ran.exit_code == 2
    assert "there is no Rollout default/cart in" in ran.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (WHY, "a waiver ends at one time"),
        (("--for", "1h", "--until", "2026-03-01T12:00:00Z", *WHY), "a waiver ends at one time"),
        (("--until", "2026-03-01", *WHY), "a day has no instant"),
        (("--until", "2026-03-01T12:00:00", *WHY), "it has no zone"),
        (("--for", "forever", *WHY), "'forever' is no duration"),
        (("--for", "9" * 400 + "d", *WHY), "is no duration"),
        (("--for", "1h", "--reason", "it burns"), "--ticket is missing"),
        (("--for", "1h", "--ticket", "OPS-17"), "--reason is missing"),
    ],
)
def test_what_is_missing_or_unclear_is_refused(
    run: Any, engine: Scripted, options: tuple[str, ...], told: str
) -> None:
    ran = run("waiver", "request", "PD022", "--scope", "payments", *options)
    assert ran.exit_code == 2
    assert told in ran.stderr
    assert not engine.asked


def test_glass_is_broken_for_an_hour(run: Any, engine: Scripted, shelf: Any) -> None:
    shelf.waivers = shown(broken_glass())
    ran = run("waiver", "break-glass", "PD022", "--scope", "payments", *WHY)
    request = asked(engine)
    assert isinstance(request, requests.AskWaiver)
    assert (request.for_s, request.break_glass) == (3600.0, True)
    assert "runs: davy waiver review w-" in ran.stderr


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        (("approve", "w-1"), requests.ApproveWaiver("w-1")),
        (("revoke", "w-1", "--reason", "done"), requests.RevokeWaiver("w-1", "done")),
        (("review", "w-1", "--reason", "right"), requests.ReviewWaiver("w-1", "right")),
    ],
)
def test_steps_need_no_more_than_the_id(
    run: Any, engine: Scripted, words: tuple[str, ...], request_: requests.WaiverStep
) -> None:
    ran = run("waiver", *words, "-o", "json")
    assert ran.exit_code == 0
    assert json.loads(ran.stdout)["kind"] == "WaiverStep"
    assert asked(engine) == request_


def test_waivers_are_listed_a_line_each(run: Any, engine: Scripted, shelf: Any) -> None:
    overdue = view(broken_glass(), NOW + 2 * DAY_S, TERMS)
    reviewed = granting.review(broken_glass(), "ben", NOW)
    assert isinstance(reviewed, Waiver)
    items = (*shelf.waivers.items, overdue, view(reviewed, NOW, TERMS))
    shelf.waivers = views.WaiverList(items=items, generation=4)
    lines = run("waiver", "list").stdout.splitlines()
    assert "waiting  PD022 on Rollout default/payments  2 days left  by anna (uid 1000): it" not in lines[0]
    assert "  waiting  PD022 on Rollout default/payments  2 days left  by anna (uid 1000): " in lines[0]
    assert "  in force  " in lines[1]
    assert ", used 0 of 2  by anna (uid 1000), approved by ben (uid 1001): " in lines[1]
    assert lines[2].endswith("(OPS-17)  GLASS BROKEN")
    assert lines[3].endswith("GLASS BROKEN, its review is overdue")
    assert lines[4].endswith("GLASS BROKEN, reviewed by ben")
    assert json.loads(run("waiver", "list", "-o", "json").stdout)["generation"] == 4


def test_those_that_end_soon_are_asked_for_by_time(run: Any, engine: Scripted, shelf: Any) -> None:
    shelf.waivers = shown()
    ran = run("waiver", "expiring", "--within", "3d")
    assert (ran.exit_code, ran.stderr) == (0, "no waiver ends within 3d\n")
    assert asked(engine) == requests.Waivers(within_s=3 * DAY_S)


def test_what_is_exported_is_what_check_reads(run: Any, engine: Scripted, shelf: Any) -> None:
    files = run("waiver", "export").stdout
    assert files.count("kind: Waiver") == 2
    for item in json.loads(run("waiver", "export", "-o", "json").stdout)["items"]:
        waiver = read(item)
        assert standing(waiver, waiver.digest, NOW) == ""
    shelf.waivers = shown(waiting())
    assert run("waiver", "export").stderr == "no waiver is in force\n"


TOOTHLESS = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors}
spec:
  metrics:
  - name: errors
    interval: 10s
    count: 5
    provider: {prometheus: {address: "http://prometheus:9090", query: "sum(errors)"}}
"""


def test_check_goes_by_a_waiver_until_its_very_end(run: Any, tmp_path: Path) -> None:
    template, waivers = tmp_path / "errors.yaml", tmp_path / "waivers"
    template.write_text(TOOTHLESS)
    waivers.mkdir()
    [found] = load_all([("errors.yaml", TOOTHLESS)], raw=True).raw
    waiver = granted(rule="PD050", subject=found.value)
    (waivers / "w.json").write_text(json.dumps(document_of(waiver)))
    excused = ("check", str(template), "--waivers", str(waivers))
    assert run("check", str(template), wall=lambda: NOW).exit_code == 1
    ran = run(*excused, wall=lambda: waiver.expires_at - 1)
    assert (ran.exit_code, "1 object passes, 1 by a waiver" in ran.stderr) == (0, True)
    for now, told in ((waiver.expires_at, "0 s"), (waiver.expires_at + 3 * 3600, "3 h")):
        ran = run(*excused, wall=lambda now=now: now)
        assert ran.exit_code == 1
        assert f"waiver {waiver.id} expired {told} ago" in ran.stderr
    template.write_text(TOOTHLESS.replace("count: 5", "count: 6"))
    assert "was granted for other content" in run(*excused, wall=lambda: NOW).stderr
    (waivers / "w.json").write_text(
        json.dumps(document_of(waiver)).replace("2026-03-03T12:00:00Z", "2026-03-03")
    )
    ran = run(*excused, wall=lambda: NOW)
    assert ran.exit_code == 2
    assert "a day has no instant" in ran.stderr


# Promotion past gates:


def test_there_is_no_way_past_a_gate_without_a_waiver(run: Any, engine: Scripted) -> None:
    for option in ("--full", "--skip-step"):
        ran = run("promote", "payments", "--reason", "x", option)
        assert ran.exit_code == 1
        assert "nothing passes over a gate without a waiver" in ran.stderr
    assert run("promote", "payments", "--reason", "x", "--waiver", "w-1").exit_code == 2
    assert not engine.asked
    assert run("promote", "payments", "--reason", "x", "--full", "--waiver", "w-1").exit_code == 0
    assert asked(engine) == requests.Promote("default", "payments", "x", full=True, waiver="w-1")


def test_no_command_has_an_option_that_skips_a_gate_without_a_waiver() -> None:
    import click

    from davy.cli.program import COMMANDS, program

    context = click.Context(program)
    for name in COMMANDS:
        command = program.get_command(context, name)
        assert command is not None
        below = command.commands.values() if isinstance(command, click.Group) else [command]
        for each in [command, *below]:
            options = {text for one in each.params for text in one.opts}
            assert not options & {"--force", "--yes-really", "--ignore-policies", "--no-verify"}
            if options & {"--full", "--skip-step"}:
                assert "--waiver" in options


def test_a_policy_is_taken_away_by_its_kind_and_name(run: Any, engine: Scripted) -> None:
    ran = run("delete", "ConstraintTemplate", "davystrategy", "--reason", "replaced")
    assert (ran.exit_code, ran.stdout) == (0, "policy deleted\n")
    assert asked(engine) == requests.DeletePolicy("ConstraintTemplate", "davystrategy", "replaced")


# Who may approve:


def test_terms_come_from_a_file_of_the_state_directory(tmp_path: Path) -> None:
    assert read_terms(tmp_path) == TERMS
    file = tmp_path / "waivers.json"
    file.write_text('{"approvers": ["ben"], "aliases": {"root": "anna"}, "longestDays": 2}')
    terms = read_terms(tmp_path)
    assert (terms.longest_s, terms.person("root (uid 0)")) == (2 * DAY_S, "anna")
    assert terms.may_approve("ben (uid 5)")
    assert not terms.may_approve("carl (uid 6)")


@pytest.mark.parametrize(
    "text", ['{"approver": []}', "[", '{"longestDays": 0}', '{"longestDays": 1e9}', '{"approvers": "ben"}']
)
def test_terms_that_cannot_be_read_stop_the_engine(tmp_path: Path, text: str) -> None:
    (tmp_path / "waivers.json").write_text(text)
    with pytest.raises(UsageError, match=r"waivers\.json"):
        read_terms(tmp_path)
    (tmp_path / "waivers.json").unlink()
    (tmp_path / "waivers.json").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        read_terms(tmp_path)
