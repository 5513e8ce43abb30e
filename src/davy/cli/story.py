"""The story that the demo tells: releases of payments, some of them bad, a switch of the catalog, and a flag.

Every number in it comes from the run itself: from the answers that users got, and from the engine's record. A
chapter that does not come true says so, and the demo fails: the demo is a test.
"""

import difflib
import shutil
import time
from collections.abc import Callable, Sequence

from davy.adapters.load import Exchange, Load
from davy.analysis.fix import fix
from davy.cli.demo_report import DemoReport, DemoRollout, DemoStep
from davy.cli.stage import (
    LIMIT_S,
    LOOK_EVERY_S,
    PAYMENTS,
    RATE_HZ,
    WATCHED,
    NotTrue,
    Stage,
    apply,
    hold,
    port_of,
    until,
)
from davy.cli.story_catalog import switch_and_back
from davy.cli.story_flag import kill_by_abort, show_closed, show_opened
from davy.cli.story_history import Repository, deploy
from davy.cli.story_proof import show_metrics, show_proof
from davy.cli.story_threshold import (
    compare,
    go_live_beside,
    is_over,
    release_beside,
    stop_of,
    weight_of_abort,
)
from davy.control import requests, views
from davy.errors import DavyError

_NAME = (PAYMENTS.namespace, PAYMENTS.name)
SEED_QUERY = (
    'sum(rate(http_requests_total{app="payments",status=~"5.."}[1m]))'
    ' / sum(rate(http_requests_total{app="payments"}[1m]))'
)
"""The left side of the seed's err-rate query: what it compares with its limit of 2 %."""


def tell(stage: Stage, *, speed: float) -> DemoReport:
    """Play the whole story and report it; a chapter that fails ends it."""
    began = time.monotonic()
    chapters: Sequence[tuple[str, Callable[[Stage], dict[str, object]]]] = (
        ("a gate that can never fail is refused", refuse_the_seed),
        ("the first version goes live", go_live),
        ("a bad version takes itself back", release_bad),
        ("a good version is promoted", release_good),
        ("blue/green: a preview, a switch in one move, and the way back", _leave_payments),
        ("the record", show_record),
        ("what it says: change failure rate, impact, lead time", show_metrics),
        ("and why nobody can make it say something else", show_proof),
        ("a flag that waited for its canary goes with the next bad one", kill_by_abort),
    )
    ok = True
    for number, (name, chapter) in enumerate(chapters, start=1):
        stage.say(f"\n{number}  {name}")
        started = time.monotonic()
        try:
            detail = chapter(stage)
        except (NotTrue, DavyError) as error:
            ok, detail = False, {"error": str(error)}
            stage.say(f"   ✖ this did not come true: {error}")
        stage.steps.append(DemoStep(name, ok, round(time.monotonic() - started, 3), detail))
        if not ok:
            break
    for users in (stage.load, stage.beside):
        if users is not None:
            users.stop()
    seconds = round(time.monotonic() - began, 3)
    return DemoReport(
        ok=ok,
        speed=speed,
        seed=stage.seed,
        seconds=seconds,
        steps=tuple(stage.steps),
        rollouts=tuple(stage.rollouts),
        comparison=stage.comparison,
        ledger=stage.ledger,
        flags=stage.flag,
    )


def refuse_the_seed(stage: Stage) -> dict[str, object]:
    """Apply the seed's templates word for word, see them refused, mend them, and see them accepted."""
    published = (stage.examples / "payments" / "seed" / "payments-canary.yaml.txt").read_text()
    analysis = stage.workspace / "analysis.yaml"
    analysis.write_text(published.split("---\n", 1)[1])
    for name in ("rollout.yaml", "images.yaml", "revenue-check.yaml", "judge.yaml", "server.py"):
        shutil.copy(stage.examples / "payments" / name, stage.workspace / name)
    declared = (stage.examples / "payments" / "flags.yaml").read_text().split("---\n")[0]
    (stage.workspace / "flags.yaml").write_text(declared)
    shutil.copytree(stage.examples / "payments" / "releases", stage.workspace / "releases")
    _sow(stage)
    refused = apply(stage, stage.workspace)
    errors = [finding for finding in refused.findings if finding.severity == "error"]
    hold(not refused.accepted and {finding.code for finding in errors} == {"PD050"}, f"refused for {errors}")
    stage.say("   $ davy apply -f .")
    stage.say(_indented(errors[0].text))
    stage.say(f"   refused, and nothing was applied; {len(errors)} gates like this one\n")

    before = analysis.read_text()
    mended = fix(before, analysis.name).text
    analysis.write_text(mended)
    stage.say("   $ davy fix --write analysis.yaml")
    stage.say(_indented(_diff(before, mended)))
    accepted = deploy(stage, Repository(stage.workspace).begin(stage.running.engine.now()))
    hold(accepted.accepted, "the mended templates are refused as well")
    blind = [finding for finding in accepted.findings if finding.code == "PD055"]
    hold(bool(blind), "nothing says that the mended gate is blind at 5 %")
    stage.say("   $ davy apply -f .")
    stage.say(f"   accepted, with a warning: {blind[0].title}")
    return {"refused": [finding.code for finding in errors], "warned": [finding.code for finding in blind]}


def go_live(stage: Stage) -> dict[str, object]:
    """Wait until the first version is up, and let users in."""
    began = time.monotonic()
    view = until(stage, PAYMENTS, lambda view: view.status == "Healthy", _line)
    stage.load = Load(port_of(view), rate_hz=RATE_HZ, watch=WATCHED).start()
    go_live_beside(stage)
    until(stage, PAYMENTS, lambda view: view.revisions[0].requests >= RATE_HZ, _line)
    took = time.monotonic() - began
    stage.say(
        f"   ✔ {view.replicas.available} x payments 1.4.1   ✔ envoy   ✔ {RATE_HZ:.0f} requests/s   {took:.1f} s"
    )
    return {"replicas": view.replicas.available, "url": view.url, "rate": RATE_HZ}


def release_bad(stage: Stage) -> dict[str, object]:
    """Release a version of which one request in twelve fails, and count what it costs."""
    assert stage.load is not None
    began, at_zero, canary, seen = time.monotonic(), 0.0, "", 0.0
    _merge(stage, "1.4.2")
    release_beside(stage, "1.4.2")
    while not at_zero:
        view = stage.rollout()
        canary = view.revisions[0].hash
        if view.status == "Degraded" and view.actual_weight == 0:
            at_zero = time.monotonic()
        elif view.status == "Healthy" or time.monotonic() - began > LIMIT_S:
            raise NotTrue("the bad version was not aborted")
        else:
            seen = max(seen, _query(stage))
            stage.progress(_line(view))
            time.sleep(LOOK_EVERY_S)
    view = stage.rollout()
    exchanges = [one for one in stage.load.exchanges() if one.sent_s >= began]
    release = _release(
        "1.4.2", "aborted", exchanges, canary, weight=weight_of_abort(stage, PAYMENTS), at_zero=at_zero
    )
    stage.rollouts.append(release)
    hold(release.weight_at_abort == 5, f"it was aborted at {release.weight_at_abort} %, not on its first step")
    hold(release.bad_requests > 0 and release.seconds_first_error_to_zero is not None, "no request failed")
    judge = view.judge
    hold(judge is not None and judge.alarm, "it was not the judge that aborted")
    assert judge is not None
    found, chance = judge.verdict.reason.split("; ", 1)
    stage.say(f"   ✖ aborted at {release.weight_at_abort} %: judge: {found};\n     {chance}")
    stage.say(
        f"   first error → 0 %: {release.seconds_first_error_to_zero:.2f} s;"
        f" {release.bad_requests} of {release.requests} requests failed"
    )
    stage.say(
        f"   the seed's own gate saw {100 * seen:.2f} % of its 2 % at most: it looks at both versions together,"
        "\n   and at 5 % of the traffic it is blind to a canary that fails less than 40 % of its requests"
    )
    show_closed(stage, [one for one in exchanges if one.version == canary])
    stage.stopped = stop_of(exchanges, canary, release.weight_at_abort)
    return {"sentence": judge.verdict.reason, "seedQueryMax": seen, "seedQueryLimit": 0.02}


def release_good(stage: Stage) -> dict[str, object]:
    """Release a version that works, and see it take every step.

    On a machine that is busy it may dawdle while it bakes. Half of the traffic goes back then, until its judge
    knows that this is not the version's doing; that is told, and is no failure.
    """
    assert stage.load is not None
    began, canary = time.monotonic(), ""
    weights: list[int] = []
    _merge(stage, "1.4.3")
    while True:
        view = stage.rollout()
        canary = view.revisions[0].hash
        weight = view.actual_weight or 0
        if weight and (not weights or weights[-1] != weight):
            weights.append(weight)
            doubt = f"   judge: {view.judge.verdict.reason}" if view.judge and 100 in weights[:-1] else ""
            stage.say(f"   {weight:>3} %  {time.monotonic() - began:5.1f} s{doubt}")
            is_over(stage)
        if view.status == "Healthy":
            break
        if view.status == "Degraded" or time.monotonic() - began > LIMIT_S:
            raise NotTrue(f"the good version was not promoted: {view.message}")
        stage.progress(_line(view))
        time.sleep(LOOK_EVERY_S)
    exchanges = [one for one in stage.load.exchanges() if one.sent_s >= began]
    release = _release("1.4.3", "promoted", exchanges, canary, weight=None, at_zero=None)
    stage.rollouts.append(release)
    steps, again = weights[:4], weights[4:]
    hold(steps == [5, 25, 50, 100] and again == [50, 100] * (len(again) // 2), f"it went {weights}")
    hold(release.bad_requests == 0, f"{release.bad_requests} requests failed")
    took = time.monotonic() - began
    stage.say(f"   ✔ promoted in {took:.1f} s; 0 of {release.requests} requests failed")
    show_opened(stage, began)
    assert stage.stopped is not None
    compare(stage, "1.4.2", stage.stopped)
    return {"weights": steps, "doubted": len(again) // 2}


def _leave_payments(stage: Stage) -> dict[str, object]:
    """Let the users of payments go home, and turn to the catalog."""
    if stage.load is not None:
        stage.load.stop()
        stage.load = None
    return switch_and_back(stage)


def show_record(stage: Stage) -> dict[str, object]:
    """Show what was written down, and the one sentence."""
    record = stage.ask(requests.Record(*_NAME))
    why = stage.ask(requests.Why(*_NAME))
    assert isinstance(record, views.RecordView)
    assert isinstance(why, views.WhyView)
    kinds = [entry.kind for entry in record.entries]
    told = ("change_exposed", "change_rolled_back", "change_promoted")
    hold(all(kind in kinds for kind in told), f"the record has only {sorted(set(kinds))}")
    for entry in record.entries:
        if entry.kind in (*told, "human_action"):
            revision = entry.detail.get("revision", "")
            what = f"revision {revision}" if revision else entry.detail.get("action", "")
            stage.say(f"   #{entry.seq:<4} {entry.kind:<20} {what:<12} by {entry.actor}")
    stage.say(f"   {len(kinds)} entries\n   $ davy why payments\n   {why.sentence}")
    return {"entries": len(kinds), "why": why.sentence}


def _release(
    version: str,
    outcome: str,
    exchanges: list[Exchange],
    canary: str,
    *,
    weight: int | None,
    at_zero: float | None,
) -> DemoRollout:
    """Count what users got."""
    bad = [one for one in exchanges if not 200 <= one.status < 500]
    strangers = [one for one in bad if one.version != canary]
    hold(not strangers, f"{len(strangers)} requests failed that the new version did not answer")
    seconds = round(at_zero - bad[0].received_s, 3) if bad and at_zero is not None else None
    return DemoRollout(PAYMENTS.name, version, outcome, weight, len(bad), len(exchanges), seconds)


def _sow(stage: Stage) -> None:
    """Let the seed decide which of twelve requests the bad version fails."""
    file = stage.workspace / "releases" / "1.4.2" / "release.toml"
    file.write_text(file.read_text().replace("fails_at = 0", f"fails_at = {stage.seed % 12}"))


def _merge(stage: Stage, tag: str) -> None:
    """Merge another version of payments and apply what is in the branch then."""
    stage.say(f"   $ git merge release-{tag}\n   $ davy apply -f .")
    applied = deploy(stage, Repository(stage.workspace).merge(tag, stage.running.engine.now()))
    hold(applied.accepted, f"the manifests of {tag} are refused")


def _query(stage: Stage) -> float:
    """Evaluate what the seed's query looks at; nothing counts as zero here, since it is only shown."""
    view = stage.ask(requests.Query(SEED_QUERY))
    assert isinstance(view, views.QueryView)
    values = [float(sample.value) for sample in view.samples]
    return max((value for value in values if value == value), default=0.0)


def _line(view: views.RolloutView) -> str:
    """Say in one line where an update is."""
    step = f"step {min((view.step or 0) + 1, len(view.steps))}/{len(view.steps)}"
    judge = f"judge: {view.judge.verdict.reason}" if view.judge else view.message
    return f"   {view.actual_weight or 0:>3} %  {step}  {judge}"


def _diff(before: str, after: str) -> str:
    """Show what changed, without the lines around it."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def _indented(text: str) -> str:
    return "\n".join(f"   {line}" for line in text.splitlines())
