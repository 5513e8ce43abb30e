"""Where people set, kill, restore and rehearse flags, and look at them.

A kill waits for nobody: neither for the loop, nor for what takes long, nor for a store that can be written.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, assert_never

import msgspec

from davy.control import requests, views
from davy.control.enforcing import Enforcing
from davy.control.flags import picture, steps
from davy.control.flags.blaming import Blaming
from davy.control.flags.drafting import Why
from davy.control.flags.exposures import Exposures
from davy.control.flags.following import Step
from davy.control.flags.instances import Instances
from davy.control.flags.interlock import Interlock, find
from davy.control.flags.served import ServedFlags
from davy.control.flags.settled import chosen
from davy.control.flags.state import Settings
from davy.control.flags.table import Flag, Table
from davy.control.holdings import Holdings
from davy.control.ports import Clock
from davy.control.reviewing import as_object, review
from davy.control.waiving import Waiving
from davy.errors import Conflict, NotFound, NotPermitted, UsageError
from davy.flags.ramp import PREFIX as RAMP
from davy.ledger.entry import Draft
from davy.ledger.log import UNWRITABLE
from davy.ledger.store import Record
from davy.model.flag import FeatureFlag

CONFIRM_S = 30.0
"""Seconds after which instances that have not heard of a kill are named in the record."""

MOST_ENTRIES = 100_000


class FlagDesk:
    """Answers requests about flags; `served` is what ways in see of them.

    Args:
        interlock: the flags.
        holdings: whose gate keeps policies still while they are asked.
        enforcing: asks policies.
        waiving: keeps the waivers that let a change by.
        clock: tells the time.
        instances: what those have told that evaluate.
        exposures: what they have counted.
    """

    def __init__(
        self,
        interlock: Interlock,
        holdings: Holdings,
        enforcing: Enforcing,
        waiving: Waiving,
        clock: Clock,
        instances: Instances,
        exposures: Exposures,
    ) -> None:
        self._interlock, self._holdings, self._clock = interlock, holdings, clock
        self._enforcing, self._waiving = enforcing, waiving
        self.instances, self.exposures = instances, exposures
        self.blaming = Blaming(interlock, exposures, clock)
        interlock.beside = self._counted_of
        self.begin_ramp: Callable[[str, Why], views.FlagStepView] = _nobody
        self.served = ServedFlags(interlock, self.instances, self.exposures)
        interlock.do(self._without_drills)

    def step(self, request: requests.FlagStep, actor: str) -> views.FlagStepView:
        """Do something to a flag.

        Raises:
            DavyError: it is refused; nothing was changed.
        """
        match request:
            case requests.KillFlag(key=key, reason=reason, ticket=ticket):
                return self._do(
                    key, lambda table, flag, now: steps.kill(table, flag, Why(actor, now, reason, ticket))
                )
            case requests.RestoreFlag(key=key, reason=reason, ticket=ticket):
                return self._do(
                    key, lambda table, flag, now: steps.restore(table, flag, Why(actor, now, reason, ticket))
                )
            case requests.DrillFlag(key=key, reason=reason):
                if not self.instances.connected:
                    raise NotPermitted(
                        "no instance is connected: there is nobody to rehearse with",
                        hint="davy flag status KEY shows who is",
                    )
                return self._do(
                    key, lambda table, flag, now: steps.begin_drill(table, flag, Why(actor, now, reason))
                )
            case requests.SetFlag():
                return self._set(request, actor)
            case requests.ApproveFlag(id=id_, reason=reason):
                return self._approve(id_, actor, reason)
            case _:
                assert_never(request)

    def look(self, request: requests.FlagLook) -> views.AnyView:
        """Show flags.

        Raises:
            DavyError: there is none of that key, or the store cannot be read.
        """
        table = self._interlock.table
        match request:
            case requests.FlagStatus(key=key):
                return self._picture(table, found_in(table, key))
            case requests.FlagList(drills=drills):
                found = sorted(table.flags.values(), key=lambda flag: flag.key.name)
                wanted = (flag for flag in found if flag.governance.drill_every or not drills)
                items = tuple(self._picture(table, flag) for flag in wanted)
                return views.FlagListView(items=items, environment=table.environment)
            case requests.FlagHistory(key=key, after=after, limit=limit):
                subject = found_in(table, key).subject
                limit = max(1, min(limit, MOST_ENTRIES))
                entries = self._interlock.entries(after=after, subject=subject, limit=limit)
                return views.RecordView(entries=entries)
            case requests.FlagBlame(service=service, since_s=since_s):
                return self._blame(service, since_s)
            case _:
                assert_never(request)

    def sweep(self) -> float | None:
        """Write down what is late and who has heard of kills, end drills, and say when to look again.

        Raises:
            StoreUnavailable, LedgerDamaged: it cannot be written yet.
        """
        self._interlock.catch_up()
        self._interlock.do(self._heard)
        self.blaming.sweep()
        if due := self.exposures.due():
            self._interlock.commit(due, [])
            self.exposures.stored()
        now, times = self._clock.now(), []
        for flag in self._interlock.table.flags.values():
            if flag.state.killed is not None and not flag.state.killed.told:
                times.append(flag.state.killed.at + CONFIRM_S)
            if flag.state.drill is not None:
                times.append(flag.state.drill.until)
        return max(now, min(times)) if times else None

    @property
    def late(self) -> int:
        """How many entries about flags are not written down yet."""
        return self._interlock.late

    def _do(self, key: str, deed: Callable[[Table, Flag, float], steps.Done]) -> views.FlagStepView:
        """Do something to the flag as it is at that moment, and say what came of it."""
        done: list[steps.Done] = []

        def work(table: Table) -> Step:
            done.append(deed(table, found_in(table, key), self._clock.now()))
            return done[0].step

        subject = found_in(self._interlock.table, key).subject
        self._interlock.do(work, subject=subject)
        return self.said(key, done[0])

    def said(self, key: str, done: steps.Done) -> views.FlagStepView:
        """Say what was done to a flag, and what it is by now."""
        table = self._interlock.table
        shown = self._picture(table, found_in(table, key))
        return views.FlagStepView(
            message=done.said, flag=shown, proposal=done.proposal.id if done.proposal else ""
        )

    def _set(self, request: requests.SetFlag, actor: str) -> views.FlagStepView:
        """Set a flag, if policies have nothing against it."""
        done: list[steps.Done] = []
        with self._holdings.gate:
            now = self._clock.now()
            flag = found_in(self._interlock.table, request.key)
            wanted = chosen(
                flag.definition,
                flag.state.settings,
                on=request.on,
                variant=request.variant,
                share=request.share,
            )
            used = self._enforcing.allow(
                reviewed(flag, wanted, self._interlock.table.environment, actor), "set", actor, now
            )

            def work(table: Table) -> Step:
                flag = found_in(table, request.key)
                _check_version(flag, request.if_version)
                why = Why(actor, now, request.reason, request.ticket)
                done.append(steps.toggle(table, flag, wanted, why))
                return done[0].step

            self._interlock.do(work, changes=used.records, drafts=used.drafts)
            self._waiving.take(used)
        return self.said(request.key, done[0])

    def _approve(self, id_: str, actor: str, reason: str) -> views.FlagStepView:
        """Agree to a change; that somebody tried who may not is on record, if anything can be."""
        done: list[steps.Done] = []
        agreed: list[Why] = []
        flag, _ = steps.find_proposal(self._interlock.table, id_)

        def work(table: Table) -> Step:
            flag, proposal = steps.find_proposal(table, id_)
            why = Why(actor, self._clock.now(), reason)
            if proposal.action == "ramped":
                agreed.append(steps.agreed(flag, proposal, why))
                return Step(table)
            done.append(steps.approve(table, flag, proposal, why))
            return done[0].step

        try:
            self._interlock.do(work)
        except NotPermitted:
            detail: dict[str, object] = {
                "action": "approve a change of a flag",
                "rules": [],
                "sentences": [f"{id_} was asked for by the same person"],
            }
            denied = Draft(self._clock.now(), "policy_denied", flag.subject, detail, actor, reason)
            with suppress(*UNWRITABLE):
                self._interlock.commit({}, [denied])
            raise
        if agreed:
            with self._holdings.gate:
                return self.begin_ramp(flag.key.name, agreed[0])
        return self.said(flag.key.name, done[0])

    def _blame(self, service: str, since_s: float) -> views.FlagBlameView:
        """Say which changes are at fault."""
        since = self._clock.now() - since_s
        suspects = [suspect for suspect, _ in self.blaming.suspects(service).values()]
        told = self.blaming.told(suspects, since)
        arms = picture.arms(self.exposures.lately(since), told)
        return views.FlagBlameView(service=service, since_s=since_s, items=arms)

    def _counted_of(self, changes: Mapping[Record, bytes | None]) -> Mapping[Record, bytes | None]:
        """Return what was counted of the flags whose ramps are written: they were judged by it."""
        names = {name.partition("/")[2] for bucket, name in changes if bucket in ("rollout", "watch")}
        ramps = {name.removeprefix(RAMP) for name in names if name.startswith(RAMP)}
        return self.exposures.beside(ramps) if ramps else {}

    def _picture(self, table: Table, flag: Flag) -> views.FlagView:
        return picture.picture(table, flag, self.instances, self.exposures, self._clock.now())

    def _heard(self, table: Table) -> Step:
        """Write down of kills and drills who has heard of them."""
        now, drafts = self._clock.now(), []
        connected = self.instances.connected
        for flag in table.flags.values():
            state = flag.state
            if state.killed is not None and not state.killed.told:
                missing = self._missing(state.killed.generation)
                late = now >= state.killed.at + CONFIRM_S
                silent = bool(missing) or not connected or self.instances.is_incomplete
                if not late and silent:
                    continue
                outcome = "unconfirmed" if silent else "confirmed"
                detail: dict[str, object] = {
                    "flag": flag.key.name,
                    "version": state.version,
                    "instances": len(connected),
                    "seconds": round(max(0.0, self._latest(now) - state.killed.at), 3),
                }
                if silent:
                    detail["missing"] = list(missing)
                drafts.append(Draft(now, f"flag_{outcome}", flag.subject, detail))
                told = msgspec.structs.replace(state.killed, told=outcome)
                table = table.put(flag.being(killed=told))
            elif state.drill is not None:
                missing = self._missing(state.drill.generation)
                silent = bool(missing) or not connected or self.instances.is_incomplete
                if now < state.drill.until and silent:
                    continue
                outcome = "unconfirmed" if silent else "confirmed"
                ended = steps.end_drill(table, flag, outcome, now, missing)
                table = ended.table
                drafts += ended.drafts
        return Step(table, tuple(drafts))

    def _missing(self, generation: int) -> tuple[str, ...]:
        return tuple(heard.instance.id for heard in self.instances.lacking(generation))

    def _latest(self, now: float) -> float:
        """Say when the last of the instances has told its version."""
        return max((heard.since for heard in self.instances.connected), default=now)

    def _without_drills(self, table: Table) -> Step:
        """End the drills that an engine left behind: whoever began them watches no more."""
        drafts: list[Draft] = []
        for flag in table.flags.values():
            if flag.state.drill is not None:
                ended = steps.end_drill(table, flag, "interrupted", self._clock.now())
                table = ended.table
                drafts += ended.drafts
        return Step(table, tuple(drafts))


def found_in(table: Table, key: str) -> Flag:
    """Find a flag.

    Raises:
        NotFound: there is none of that key.
    """
    flag = find(table, key)
    if flag is None:
        known = [each.name for each in table.flags]
        close = ", ".join(get_close_matches(key, known)) or ", ".join(sorted(known)[:5])
        raise NotFound(f'flag "{key}" not found', hint=f"known: {close}" if close else "davy apply -f FILE")
    return flag


def reviewed(flag: Flag, wanted: Settings, environment: str, actor: str) -> Any:
    """Write a change as the manifest that would come to the same, for policies to look at."""
    changed = Flag(flag.manifest, flag.definition, flag.governance, _set_to(flag, wanted))
    return review(_as_manifest(flag, environment), _as_manifest(changed, environment), actor)


def _nobody(key: str, why: Why) -> views.FlagStepView:
    raise NotPermitted("this engine begins no ramps")


def _check_version(flag: Flag, wanted: int | None) -> None:
    """Make sure that somebody changes what he looked at.

    Raises:
        Conflict: it is another version by now.
    """
    if wanted is not None and flag.state.version != wanted:
        raise Conflict(
            f'flag "{flag.key.name}" is at version {flag.state.version}, not {wanted}: somebody changed it',
            hint=f"davy flag status {flag.key.name}, then again",
        )


def _set_to(flag: Flag, settings: Settings) -> Any:
    return msgspec.structs.replace(flag.state, settings=settings)


def _as_manifest(flag: Flag, environment: str) -> dict[str, Any]:
    """Write a flag with its settings as the overlay of its environment."""
    found, served = as_object(flag.manifest), flag.served
    spec = dict(found["spec"])
    overlay = dict(spec.get("environments", {}).get(environment, {}))
    overlay["state"] = "ENABLED" if served.enabled else "DISABLED"
    if served.default_variant is not None:
        overlay["defaultVariant"] = served.default_variant
    if served.targeting != flag.definition.targeting:
        overlay["targeting"] = served.targeting or {}
    spec["environments"] = {**spec.get("environments", {}), environment: overlay}
    return {**found, "spec": spec}


def check_names(table: Table, manifests: tuple[FeatureFlag, ...]) -> None:
    """Make sure that a key is that of one flag: code knows no namespaces.

    One that was taken away counts, too: its kill would be forgotten elsewhere.

    Raises:
        UsageError: it is that of two.
    """
    known = {key.name: key for key in (*table.retired, *table.flags)}
    for manifest in manifests:
        other = known.setdefault(manifest.key.name, manifest.key)
        if other != manifest.key:
            raise UsageError(
                f"{manifest.key.name} is a flag of namespace {other.namespace} already",
                hint="one key is one flag, whatever its namespace: choose another key",
            )
