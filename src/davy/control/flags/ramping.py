"""Where ramps are begun: through an open gate, past the policies, with a second person where it takes one."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from davy.control import requests, views
from davy.control.catalog import stored
from davy.control.enforcing import Enforcing
from davy.control.flags import drafting, steps
from davy.control.flags.desk import FlagDesk, found_in, reviewed
from davy.control.flags.drafting import Why
from davy.control.flags.following import Step
from davy.control.flags.interlock import Interlock
from davy.control.flags.state import EVERYBODY, Settings
from davy.control.flags.table import Flag, Table
from davy.control.held import Held
from davy.control.holdings import Holdings
from davy.control.loop import Loop
from davy.control.pinning import pins
from davy.control.ports import Clock
from davy.control.reviewing import as_rollout as shown
from davy.control.reviewing import review
from davy.control.stories import story
from davy.control.waiving import Change, Waiving
from davy.errors import NotFound, Refused
from davy.flags.governance import Criticality
from davy.flags.ramp import as_rollout, flag_of, is_ramp, name_of, template
from davy.ledger.entry import Draft
from davy.model.checks.gates import gates
from davy.model.flag import FeatureFlag
from davy.model.key import Key
from davy.model.origin import COMMIT, PREFIX
from davy.model.rollout import PodTemplateSpec, Rollout
from davy.rollout import actions, plan
from davy.rollout.actions import Outcome
from davy.rollout.names import template_hash
from davy.rollout.platform import Launch
from davy.rollout.state import UNDERWAY, Aborted, Revision, RolloutState, Settled

LAUNCH = Launch((), "/")


class Ramping:
    """Begins ramps; what becomes of them the loop decides, as of any rollout."""

    def __init__(
        self,
        desk: FlagDesk,
        interlock: Interlock,
        holdings: Holdings,
        loop: Loop,
        enforcing: Enforcing,
        waiving: Waiving,
        clock: Clock,
    ) -> None:
        self._desk, self._interlock, self._holdings, self._loop = desk, interlock, holdings, loop
        self._enforcing, self._waiving, self._clock = enforcing, waiving, clock
        desk.begin_ramp = self._agreed
        interlock.told.append(self._kick)

    def start(self, key: str, actor: str, reason: str, ticket: str = "") -> views.FlagStepView:
        """Begin the ramp of a flag, or begin it again; the people it draws are the same each time.

        Raises:
            DavyError: it is refused; nothing was changed.
        """
        with self._holdings.gate:
            flag = found_in(self._interlock.table, key)
            why = Why(actor, self._clock.now(), reason, ticket)
            self._check(self._interlock.table, flag)
            if flag.governance.criticality is Criticality.HIGH:
                return self._propose(flag, why)
            return self._begin(flag, why)

    def _agreed(self, key: str, why: Why) -> views.FlagStepView:
        """Begin a ramp that a second person has agreed to; the gate is held."""
        flag = found_in(self._interlock.table, key)
        self._check(self._interlock.table, flag)
        return self._begin(flag, why)

    def _propose(self, flag: Flag, why: Why) -> views.FlagStepView:
        done: list[steps.Done] = []

        def work(table: Table) -> Step:
            wanted = _meant(flag)
            done.append(steps.proposed(table, found_in(table, flag.key.name), wanted, why))
            return done[0].step

        self._interlock.do(work)
        return self._desk.said(flag.key.name, done[0])

    def _begin(self, flag: Flag, why: Why) -> views.FlagStepView:
        table, key = self._interlock.table, name_of(flag.key)
        manifest = as_rollout(flag.manifest, _annotations(table, flag))
        held = self._holdings.rollouts.get(key)
        fresh = begin(
            manifest, template(flag.manifest, flag.safe), None if held is None else held.state, why.at
        )
        used = self._allow(flag, manifest, fresh, held, why)
        name, (state, events) = f"Rollout {key}", fresh.outcome
        templates = self._holdings.catalog.templates(key.namespace)
        detail: dict[str, object] = {"action": "ramp", "flag": flag.key.name}
        detail |= {"approval": dict(why.approval)} if why.approval else {}
        detail |= {"ticket": why.ticket} if why.ticket else {}
        drafts = [Draft(why.at, "human_action", name, detail, why.actor, why.reason), *used.drafts]
        for event in events:
            told = story(event, fresh.manifest, state)
            if event.kind == "update_started" and (found := pins(fresh.manifest, templates)):
                told |= {"templates": found}
            drafts.append(Draft(why.at, event.kind, name, told))
        changes = {**stored(fresh.manifest), **used.records, ("rollout", str(key)): msgspec.json.encode(state)}
        self._interlock.commit({**changes, ("watch", str(key)): None}, drafts)
        self._waiving.take(used)
        self._holdings.catalog.put(fresh.manifest)
        self._holdings.put(Held(fresh.manifest, state))
        self._loop.kick(key)
        count = len(plan.steps(manifest))
        said = f'the ramp of flag "{flag.key.name}" has begun: {count} step{"" if count == 1 else "s"}'
        done = steps.Done(Step(table), said)
        return self._desk.said(flag.key.name, done)

    def _allow(self, flag: Flag, manifest: Rollout, fresh: "Fresh", held: Held | None, why: Why) -> Change:
        """Ask policies about the flag as it is to be, and about the rollout that leads it there.

        Raises:
            Denied: they refuse.
        """
        environment = self._interlock.table.environment
        asked = [reviewed(flag, _meant(flag), environment, why.actor)]
        before = None if held is None else shown(held.manifest, held.state)
        asked.append(review(before, shown(manifest, fresh.outcome[0]), why.actor))
        change = Change()
        for each in asked:
            change += self._enforcing.allow(each, "ramp", why.actor, why.at)
        return change

    def _check(self, table: Table, flag: Flag) -> None:
        """Make sure that a ramp can begin.

        Raises:
            DavyError: it cannot.
        """
        name, state = flag.key.name, flag.state
        if flag.manifest.spec.ramp is None:
            raise Refused(f'flag "{name}" has no ramp', hint="write spec.ramp: a variant, and steps up to 100")
        if flag.manifest.spec.retired:
            raise Refused(f'flag "{name}" is retired and served to nobody')
        if state.killed is not None:
            raise Refused(f'flag "{name}" is killed', hint=f'davy flag restore {name} --reason "…" comes first')
        if state.drill is not None:
            raise Refused(f'flag "{name}" is in a drill', hint="begin when it is over")
        if not table.may_be_on(flag):
            raise Refused(
                f'the gate of flag "{name}" is shut: {table.verdict(flag).why}',
                hint=f"it opens when a canary of {flag.linked} has passed",
            )
        held = self._holdings.rollouts.get(name_of(flag.key))
        if held is not None and isinstance(held.state.progress, UNDERWAY):
            raise Refused(
                f'the ramp of flag "{name}" is under way', hint=f"davy get rollout {held.key.name} shows it"
            )
        if flag.reach >= EVERYBODY and state.settings == _meant(flag):
            raise Refused(f'flag "{name}" is at the end of its ramp: everybody has it')
        known = self._holdings.catalog.templates(flag.key.namespace)
        for gate in gates(as_rollout(flag.manifest, {})):
            for each in gate.analysis.templates:
                if each not in known:
                    title = f"the ramp of {name} names a template that is not there: {each.template_name}"
                    raise NotFound(title, hint="davy apply -f FILE")

    def _kick(self, before: Table, after: Table) -> None:
        """Have the ramps of flags take their turns that are not what they were."""
        if keys := [key for key, flag in after.flags.items() if before.flags.get(key) is not flag]:
            self.kick(*keys)

    def kick(self, *flags: Key) -> None:
        """Have ramps take their turns: of some flags, or of all that are under way."""
        rollouts = self._holdings.rollouts
        wanted = [name_of(key) for key in flags or self._interlock.table.flags]
        if ramps := [key for key in wanted if key in rollouts]:
            self._loop.kick(*ramps)


class Fresh(NamedTuple):
    """A ramp that begins: as a rollout, and what its state is from then on."""

    manifest: Rollout
    outcome: Outcome


def begin(manifest: Rollout, safe: PodTemplateSpec, state: RolloutState | None, now: float) -> Fresh:
    """Begin a ramp at its first step; one that was aborted and is the same is another attempt at it.

    Args:
        manifest: the ramp.
        safe: what stands for the users who do not have the variant.
        state: where the ramp was left, None where there was none.
        now: the time.
    """
    wanted = manifest.spec.template
    if state is not None and isinstance(state.progress, Aborted):
        again, started = actions.revise(manifest, state, wanted, LAUNCH, now)
        if again.current == state.current:
            if started:  # other steps begin again by themselves
                return Fresh(manifest, (again, started))
            return Fresh(manifest, actions.retry(manifest, again, now))
    number = 1 if state is None else max(each.number for each in state.revisions) + 1
    old = Revision(
        number,
        template_hash(safe, LAUNCH),
        safe,
        LAUNCH,
        created_at=now,
        replicas=1,
        exposed_at=now,
        sends_users=True,
        promoted_at=now,
    )
    resting = RolloutState(
        revisions=(old,),
        current=old.hash,
        stable=old.hash,
        progress=Settled(reason="", at=now),
        steps_hash="",
        weights={old.hash: EVERYBODY},
        progressed_at=now,
    )
    return Fresh(manifest, actions.revise(manifest, resting, wanted, LAUNCH, now))


def check_ramping(rollouts: Iterable[Held], flags: Iterable[FeatureFlag], known: Iterable[FeatureFlag]) -> None:
    """Make sure that no flag changes what its ramp under way is about.

    Raises:
        Refused: one would.
    """
    before = {flag.key: flag for flag in known}
    under_way = {held.key for held in rollouts if isinstance(held.state.progress, UNDERWAY)}
    for flag in flags:
        old = before.get(flag.key)
        if old is not None and name_of(flag.key) in under_way and _evaluated(old) != _evaluated(flag):
            raise Refused(
                f'flag "{flag.key.name}" is on its ramp: what it answers does not change meanwhile',
                hint=f"davy abort {name_of(flag.key).name} ends it, then apply and ramp again",
            )


def check_ramp_action(key: Key, action: requests.Action | requests.SetImage) -> None:
    """Make sure that what is done to a ramp is something that ramps have.

    Raises:
        Refused: it is not.
    """
    known = requests.Promote | requests.Abort | requests.Pause | requests.Resume
    if not is_ramp(key) or isinstance(action, known):
        return
    name, verb = flag_of(key).name, type(action).__name__.lower()
    if isinstance(action, requests.Retry):
        raise Refused("a ramp is begun again by who begins it", hint=f'davy flag ramp {name} --reason "…"')
    raise Refused(
        f"{key.name} is the ramp of a flag, and has nothing to {verb}",
        hint=f"davy flag status {name} shows what there is",
    )


def _evaluated(flag: FeatureFlag) -> FeatureFlag:
    """Return a flag without what has no part in what it answers."""
    spec = msgspec.structs.replace(flag.spec, owner="", jira="", expiry="", description="", drill_every="")
    return msgspec.structs.replace(
        flag, spec=spec, metadata=msgspec.structs.replace(flag.metadata, annotations={})
    )


def _meant(flag: Flag) -> Settings:
    """Return what a flag is set to at the end of its ramp."""
    ramp = flag.manifest.spec.ramp
    assert ramp is not None, "a flag with a ramp"
    return Settings(enabled=True, variant=ramp.variant, share=EVERYBODY, bucket_by=ramp.bucket_by)


def _annotations(table: Table, flag: Flag) -> dict[str, str]:
    """Say whose change a ramp is: the commit that a flag names, or the flag as it is."""
    own = {name: value for name, value in flag.manifest.metadata.annotations.items() if name.startswith(PREFIX)}
    told = {
        PREFIX + "service": drafting.service_of(table, flag),
        PREFIX + "environment": table.environment,
        PREFIX + "team": flag.governance.owner,
        PREFIX + "kind": "flag",
    }
    if not (own.get(PREFIX + "repository") and COMMIT.fullmatch(own.get(PREFIX + "commit", ""))):
        told |= {
            PREFIX + "repository": f"flag:{flag.key.name}",
            PREFIX + "commit": flag.commit.removeprefix("sha256:"),
        }
    return {**own, **told}
