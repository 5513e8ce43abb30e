"""What an entry about a change says beside what happened: whose change it is, where, and in which rollout.

The fields are those of the events of `docs/reference/delivery-metrics.md`, so that figures can be read off what
the engine writes down, without anything else.
"""

from davy.analysis.judge.verdict import verdict
from davy.control.held import Watch
from davy.model.key import Key
from davy.model.origin import annotated
from davy.model.rollout import Rollout
from davy.rollout.decision import Event
from davy.rollout.state import Revision, RolloutState

_ENDED = ("change_promoted", "change_rolled_back")
_TOLD = (
    "update_started",
    "change_exposed",
    *_ENDED,
    "change_aborted_unexposed",
    "change_superseded",
)

PRODUCTION = "production"
"""Where a rollout is, unless its annotations say otherwise."""


def story(
    event: Event, manifest: Rollout, state: RolloutState, watch: Watch | None = None
) -> dict[str, object]:
    """Return what is written down of an event.

    Args:
        event: what happened.
        manifest: the rollout as it was asked for.
        state: one in which the revision that the event is about is still remembered.
        watch: what users got, where it was counted.
    """
    if event.kind not in _TOLD:
        return event.detail
    revision = state.revision(str(event.detail["hash"]))
    detail = {**event.detail, **_whose(manifest, revision), "attempt": revision.attempt}
    if event.kind == "update_started":
        detail |= _before(manifest.key, state)
    if event.kind == "change_superseded":
        detail["weight"] = state.percent(revision.hash)
    if event.kind in _ENDED:
        detail |= _answered(revision, watch)
        detail |= _judged(event, revision, watch)
    return detail


def rollout_name(key: Key, revision: Revision) -> str:
    """Name one update of a rollout: `default/payments#7.2` is the second attempt at revision 7."""
    return f"{key}#{revision.number}.{revision.attempt}"


def change_of(key: Key, revision: Revision) -> dict[str, object]:
    """Name the change that a version is; one whose commit nobody told is known by its template."""
    if revision.origin.commit:
        return {"repo": revision.origin.repository, "commit": revision.origin.commit}
    return {"repo": f"rollout:{key}", "commit": revision.hash}


def _whose(manifest: Rollout, revision: Revision) -> dict[str, object]:
    """Say whose change a version is, and where it goes."""
    key, said = manifest.key, annotated(manifest, revision.template)
    kind = "rollback" if revision.goes_back else revision.origin.kind or "code"
    found: dict[str, object] = {
        "change": change_of(key, revision),
        "service": said.get("service", key.name),
        "environment": said.get("environment", PRODUCTION),
        "rollout": rollout_name(key, revision),
        "kind": kind,
    }
    found |= {name: said[name] for name in ("target", "team") if name in said}
    if revision.origin.remediates and not revision.goes_back:
        found["remediates"] = revision.origin.remediates
    return found


def _before(key: Key, state: RolloutState) -> dict[str, object]:
    """Say which version an update moves away from, nothing where it is the first."""
    if not state.stable:
        return {}
    stable = state.revision(state.stable)
    return {"from": {**change_of(key, stable), "rollout": rollout_name(key, stable)}}


def _answered(revision: Revision, watch: Watch | None) -> dict[str, object]:
    """Say how many requests a version answered, and how many it failed that stable would not have failed.

    They are those that the guard or the judge judged, which were counted of both versions over the same time.
    """
    if watch is None or (watch.hash, watch.number) != (revision.hash, revision.number):
        return {}
    seen = watch.seen
    if not seen.canary_requests:
        return {}
    rate = seen.stable_errors / seen.stable_requests if seen.stable_requests else 0.0
    bad = max(0, round(seen.canary_errors - rate * seen.canary_requests))
    return {"requests": seen.canary_requests, "badRequests": bad}


def _judged(event: Event, revision: Revision, watch: Watch | None) -> dict[str, object]:
    """Say what a judge knew of a version when it was promoted or taken back; nothing where there is none.

    `log10` is the evidence against it, `needed` what aborts, the counts are [tried, happened] by metric. Of a
    version that was promoted, `promotion` says whether it was proven to be no worse, or whether time ran out.
    """
    if watch is None or watch.judge is None or (watch.hash, watch.number) != (revision.hash, revision.number):
        return {}
    at = watch.judge.last.at if watch.judge.last else 0.0
    found = verdict(watch.judge, at)
    counts = {
        name: {"canary": list(each.canary), "stable": list(each.stable)}
        for name, each in found.metrics.items()
        if each.canary is not None and each.stable is not None
    }
    said: dict[str, object] = {
        "log10": round(found.evidence.log10, 3),
        "needed": round(found.evidence.abort_at, 3),
        "driver": found.evidence.driver,
        "counts": counts,
    }
    if event.kind == "change_promoted":
        said["promotion"] = "proven" if watch.proven else "timed, not proven"
    return {"judge": said}
