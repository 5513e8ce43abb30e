"""A flag as people want to see it: what users get, why, and who has heard of it."""

from collections.abc import Iterable, Sequence

import msgspec

from davy.control import views
from davy.control.flags import drafting
from davy.control.flags.attribution import Attribution
from davy.control.flags.exposures import Exposures, Row, Sum
from davy.control.flags.instances import Heard, Instances
from davy.control.flags.table import Flag, Table
from davy.flags.ramp import name_of
from davy.model.duration import BadDuration, parse_duration
from davy.model.instant import lasting, written


def picture(table: Table, flag: Flag, instances: Instances, exposures: Exposures, now: float) -> views.FlagView:
    """Draw a flag."""
    state, killed = flag.state, flag.state.killed
    heard = instances.connected
    missing = tuple(each.instance.id for each in heard if each.version < state.generation)
    return views.FlagView(
        key=flag.key.name,
        namespace=flag.key.namespace,
        environment=table.environment,
        owner=flag.governance.owner,
        flag_kind=flag.governance.kind,
        criticality=flag.governance.criticality,
        version=state.version,
        document=state.generation,
        digest=flag.digest,
        serves=drafting.serves(flag),
        why=why(table, flag, now),
        gate=_gate(table, flag),
        killed=killed is not None,
        killed_by=killed.by if killed else "",
        killed_reason=killed.reason if killed else "",
        killed_at=written(killed.at) if killed else "",
        confirmation=killed.told if killed else "",
        instances=tuple(_instance(each, state.generation, now) for each in heard),
        missing=missing,
        exposures=_exposures(flag, exposures),
        proposals=tuple(
            views.FlagProposalView(
                each.id, each.action, each.by, each.reason, each.ticket, max(0.0, each.until - now)
            )
            for each in state.proposals
            if each.until > now
        ),
        drill=drill(flag, now),
        ramp=_ramp(flag),
    )


def why(table: Table, flag: Flag, now: float) -> str:
    """Say in one sentence why users get what they get."""
    killed, drilled = flag.state.killed, flag.state.drill
    name = flag.key.name
    if killed is not None:
        ago = lasting(max(0.0, now - killed.at))
        return f"{name} is killed since {ago}, by {killed.by}: {killed.reason}"
    if drilled is not None:
        return f"{name} is killed for practice ({drilled.id}), by {drilled.by}: {drilled.reason}"
    if flag.manifest.spec.retired:
        return f"{name} is retired and served to nobody"
    if not table.may_be_on(flag):
        return f"{name} answers {flag.safe or 'nothing'} for everybody: {table.verdict(flag).why}"
    if not table.gated(flag):
        return f"{name} answers {drafting.serves(flag)}"
    gate, opened = _gate(table, flag), table.opened(flag)
    if "" in opened:
        return f"{name} answers {drafting.serves(flag)}, since {gate.why}"
    some, safe = ", ".join(gate.artifacts), flag.safe or "nothing"
    return f"{name} answers {drafting.serves(flag)} of {some}, since {gate.why}; {safe} for all others"


def due(flag: Flag) -> float | None:
    """Say when the next drill of a flag is due; None for never."""
    every = flag.governance.drill_every
    if not every:
        return None
    last = flag.state.drilled
    since = last.at if last is not None and last.outcome == "confirmed" else flag.state.since
    return since + _seconds(every)


def drill(flag: Flag, now: float) -> views.FlagDrillView:
    """Draw how it stands with the drills of a flag."""
    last, at = flag.state.drilled, due(flag)
    return views.FlagDrillView(
        every=flag.governance.drill_every,
        last=written(last.at) if last else "",
        outcome=last.outcome if last else "",
        seconds=round(last.seconds, 3) if last else 0.0,
        overdue=at is not None and now >= at,
        under_way=flag.state.drill.id if flag.state.drill else "",
    )


def _ramp(flag: Flag) -> str:
    ramp, name = flag.state.ramp, name_of(flag.key).name
    if ramp is None:
        return "" if flag.manifest.spec.ramp is None else f"not begun: davy flag ramp {flag.key.name}"
    how = "over" if ramp.over else f"under way, {flag.state.settings.share or 0} percent"
    return f"{how}: davy get rollout {name}"


def _gate(table: Table, flag: Flag) -> views.FlagGateView:
    if not table.gated(flag):
        return views.FlagGateView("none", table.verdict(flag).why, flag.governance.rollout)
    opened = table.opened(flag)
    best = opened.get("") or max(opened.values(), key=lambda each: each.at, default=None)
    verdict = table.verdict(flag, "" if best is None or "" in opened else best.artifact)
    return views.FlagGateView(
        state="open" if opened else "closed",
        why=verdict.why + (_rests_on(best.runs) if best else ""),
        rollout=flag.governance.rollout,
        weight=flag.governance.rollout_weight,
        evidence=best.digest if best else "",
        artifacts=tuple(sorted(artifact for artifact in opened if artifact)),
    )


def _rests_on(runs: tuple[str, ...]) -> str:
    return f", by {', '.join(runs)}"


def _instance(heard: Heard, wanted: int, now: float) -> views.FlagInstanceView:
    return views.FlagInstanceView(
        id=heard.instance.id,
        service=heard.instance.service,
        artifact=heard.instance.artifact,
        version=heard.version,
        current=heard.version >= wanted,
        age_s=round(max(0.0, now - heard.since), 3),
    )


def arms(
    counted: Iterable[tuple[float, Row, Sum]], told: Sequence[Attribution]
) -> tuple[views.FlagSuspectView, ...]:
    """Draw what is to be said of changes, those at fault first, with what was counted of each variant."""
    sums: dict[tuple[str, str], list[int]] = {}
    for _, row, each in counted:
        found = sums.setdefault((row.flag, row.variant), [0, 0])
        found[0] += each.requests
        found[1] += each.failed
    return tuple(
        views.FlagSuspectView(
            flag=each.suspect.flag,
            variant=each.suspect.variant,
            verdict=each.verdict,
            ratio=each.ratio,
            evidence=each.evidence,
            sentence=each.sentence,
            arms=tuple(
                views.FlagArmView(variant, *counts)
                for (flag, variant), counts in sorted(sums.items())
                if flag == each.suspect.flag
            ),
        )
        for each in sorted(told, key=lambda each: (each.verdict != "at-fault", -each.evidence))
    )


def _exposures(flag: Flag, exposures: Exposures) -> tuple[views.FlagExposureView, ...]:
    rows = exposures.sums
    return tuple(
        views.FlagExposureView(row.variant, row.version, row.service, *msgspec.structs.astuple(rows[row]))
        for row in sorted(rows)
        if row.flag == flag.key.name
    )


def _seconds(every: str) -> float:
    try:
        return parse_duration(every)
    except BadDuration:
        return 0.0  # what nobody can read is due
