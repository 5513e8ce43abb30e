"""Says which change of a flag is at fault when users suffer, if that can be told by what instances counted.

Counts come late: what was not to be told when an incident began is looked at again for a while. Only the flags
that had been changed by then are suspects; a flag that is turned off since users suffer is none.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from davy.control.flags import attribution, drafting
from davy.control.flags.attribution import Attribution, Outcome, Suspect
from davy.control.flags.exposures import Exposures
from davy.control.flags.interlock import Interlock
from davy.control.flags.state import Change
from davy.control.flags.table import Flag, Table
from davy.control.ports import Clock
from davy.flags.ramp import flag_of, is_ramp
from davy.ledger.entry import Draft, Entry
from davy.model.key import Key

LOOK_S = 1.0
"""Seconds between two looks at what was written down."""

LATE_S = 600.0
"""Seconds for which it is looked at again who is at fault."""

MOST_ENTRIES = 10_000
ROLLOUT = "Rollout "


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody is looked for: who was at fault in an incident, or whether the flag of a ramp was.

    Args:
        detail: what the entry says beside the change.
        suspects: the changes that had been made by then, by their flag.
        until: when it is given up.
        only: the flag of the ramp, empty for an incident.
    """

    detail: dict[str, object]
    suspects: dict[str, tuple[Suspect, Change]]
    until: float
    only: str = ""


class Blaming:
    """Looks for changes that are at fault; whoever calls holds the gate.

    Args:
        interlock: the flags, and what is written down.
        exposures: what instances counted.
        clock: tells the time.
    """

    def __init__(self, interlock: Interlock, exposures: Exposures, clock: Clock) -> None:
        self._interlock, self._exposures, self._clock = interlock, exposures, clock
        self._open: list[Question] = []
        self._after, self._next, self._counted_at = 0, 0.0, 0.0

    def begin(self, after: int) -> None:
        """Look at what is written down after an entry, and at nothing before."""
        self._after = after

    def sweep(self) -> None:
        """Take in what was written down, and say who was at fault as far as that can be told by now.

        Raises:
            StoreUnavailable, LedgerDamaged: it cannot be written yet.
        """
        now = self._clock.now()
        if now < self._next or not self._interlock.table.flags:
            return
        self._next = now + LOOK_S
        fresh = self._take_in()
        counted_at = self._exposures.counted_at
        if self._open and (fresh or counted_at != self._counted_at):
            self._counted_at = counted_at
            self._open = [each for each in self._open if not self._answer(each, now)]
        self._open = [each for each in self._open if now < each.until]

    def suspects(self, service: str = "", flags: Iterable[str] = ()) -> dict[str, tuple[Suspect, Change]]:
        """Return the changes that users have now, of the flags of a service, and of some others."""
        table, named = self._interlock.table, frozenset(flags)
        found = {}
        for flag in table.flags.values():
            if flag.key.name in named or drafting.service_of(table, flag) == service or not service:
                suspect = _suspect(flag)
                if suspect is not None:
                    found[flag.key.name] = suspect
        return found

    def told(self, suspects: Iterable[Suspect], since: float) -> tuple[Attribution, ...]:
        """Say of some suspects what can be told by what was counted since an instant, an hour at most."""
        suspects = tuple(suspects)
        names = {each.flag for each in suspects}
        outcomes = [
            Outcome(row.flag, row.variant, row.version, row.service, stretch, each.requests, each.failed)
            for stretch, row, each in self._exposures.lately(since)
            if row.flag in names
        ]
        return attribution.attribute(suspects, outcomes)

    def _take_in(self) -> bool:
        """Read what is new, and return whether there is something to answer."""
        entries = self._interlock.entries(after=self._after, limit=MOST_ENTRIES)
        if not entries:
            return False
        self._after = entries[-1].seq
        asked = [question for entry in entries if (question := self._question(entry)) is not None]
        self._open += asked
        return bool(asked)

    def _question(self, entry: Entry) -> Question | None:
        detail, until = entry.detail, self._clock.now() + LATE_S
        if entry.kind == "incident_opened" and not detail.get("change"):
            service, incident = str(detail.get("service", "")), str(detail.get("incident", ""))
            if service and incident and (suspects := self.suspects(service)):
                return Question({"service": service, "incident": incident}, suspects, until)
        if entry.kind == "change_rolled_back" and entry.subject.startswith(ROLLOUT):
            ramp = _key(entry.subject.removeprefix(ROLLOUT))
            if is_ramp(ramp):
                name, service = flag_of(ramp).name, str(detail.get("service", ""))
                own = {"rollout": detail.get("rollout", ""), "service": service}
                return Question(own, self.suspects(service, [name]), until, only=name)
        return None

    def _answer(self, question: Question, now: float) -> bool:
        """Write down who was at fault, and say whether somebody was."""
        suspects = [suspect for suspect, _ in question.suspects.values()]
        guilty = [
            each
            for each in self.told(suspects, now - LATE_S)
            if each.verdict == "at-fault" and question.only in ("", each.suspect.flag)
        ]
        if not guilty:
            return False
        drafts = [_draft(self._interlock.table, question, each, now) for each in guilty]
        self._interlock.commit({}, drafts)
        return True


def _draft(table: Table, question: Question, found: Attribution, now: float) -> Draft:
    _, change = question.suspects[found.suspect.flag]
    key = next(
        (key for key in table.flags if key.name == found.suspect.flag), Key("default", found.suspect.flag)
    )
    detail = {
        **question.detail,
        "change": msgspec.to_builtins(change),
        "flag": found.suspect.flag,
        "variant": found.suspect.variant,
        "requests": found.exposed.requests,
        "failed": found.exposed.errors,
        "otherRequests": found.others.requests,
        "otherFailed": found.others.errors,
        "evidence": found.evidence,
    }
    return Draft(now, "change_blamed", f"FeatureFlag {key}", detail, reason=found.sentence)


def _suspect(flag: Flag) -> tuple[Suspect, Change] | None:
    """Return the change that gives users of a flag what they have, None where that is what is safe."""
    ramp, live = flag.state.ramp, flag.state.live
    if ramp is not None and (not ramp.over or live in (None, ramp.change)):
        return Suspect(flag.key.name, ramp.variant, ramp.generation), ramp.change
    if live is None:
        return None
    variant = flag.state.settings.variant or flag.served.default_variant or ""
    return Suspect(flag.key.name, variant, flag.state.generation), live


def _key(name: str) -> Key:
    namespace, _, rest = name.partition("/")
    return Key(namespace, rest)
