"""The engine asks what CI and admission ask: may this be done? A no is on record, and so is a waiver's yes.

An abort is never asked about, nor is scaling up: what gives users back something that works waits for nobody.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

import msgspec

from davy.control import admission
from davy.control.analysis_gates import AnalysisGates, Name
from davy.control.catalog import Catalog
from davy.control.flag_lifetimes import FlagLifetimes
from davy.control.governance import Governance, is_policy
from davy.control.judging import how_to_waive, is_unchanged, name_in, object_of
from davy.control.reviewing import as_object, user
from davy.control.rulebook import Rulebook, name_of
from davy.control.waiving import Change, Waiving
from davy.errors import Refused
from davy.ledger.entry import Draft
from davy.ledger.log import UNWRITABLE
from davy.ledger.store import Store
from davy.model.loader import load_all
from davy.policy import ruleset, waiver_file
from davy.policy.decision import Decision
from davy.policy.engine import Point, Policy, Violation
from davy.policy.inventory import Inventory
from davy.policy.review import Kind, Object, Review
from davy.policy.waivers import Waiver
from davy.policy.waivers import apply as excuse

SKIPPING = "PD043"
"""The rule that nothing passes over what an update has still to show; a waiver for it has to be named."""


class Denied(Refused):
    """Policies refuse the change; nothing of it was done."""

    code = "denied"


class Enforcing:
    """Holds changes to the policies of an engine. Whoever calls holds the gate."""

    def __init__(self, store: Store, catalog: Catalog, rulebook: Rulebook, waiving: Waiving) -> None:
        self._store, self._catalog, self._rulebook, self._waiving = store, catalog, rulebook, waiving
        self._documents: tuple[Object, ...] = ()
        self._policies: tuple[Policy, ...] = ()
        self._shown: dict[int, tuple[object, Object]] = {}
        self._read()  # before anybody waits for the gate

    def governance(self, now: float) -> Governance:
        """Return what governs at this moment."""
        policies = self._read()
        return Governance(
            rules=policies,
            documents=self._documents,
            inventory=self._inventory() if policies else Inventory(),
            waivers=self._waiving.waivers,
            point=Point.ENGINE,
            now=now,
            terms=self._waiving.terms,
            settled=True,
        )

    def allow(self, review: Review, action: str, actor: str, now: float, *, skips: str | None = None) -> Change:
        """Let a change by, and return what to write down of the waivers on whose strength.

        Args:
            review: what is to change.
            action: how people call it.
            actor: who wants it.
            now: the time.
            skips: where something is passed over, the id of the waiver that somebody names for it.

        Raises:
            Denied: policies refuse it; that is on record.
            NotFound: there is no waiver of that id.
        """
        governance = self.governance(now)
        if skips is not None:
            self._waiving.find(skips)
            governance = replace(governance, waivers=self._named(skips))
        decision = governance.decide(review)
        if skips is not None:
            decision = self._also(decision, review, action, governance)
        if not decision.allowed:
            self.deny(decision, review, action, actor, now)
        waivers = [each.waiver for each in decision.excused]
        return self._waiving.using(waivers, action, actor, now)

    def for_manifests(self, actor: str, now: float) -> Governance:
        """Return what governs manifests that somebody applies, Davy's own gates included."""
        return replace(
            self.governance(now),
            policies=[AnalysisGates(), FlagLifetimes(now)],
            inventory=self._inventory(),
            user=user(actor),
        )

    def held_under_the_names_of(
        self, texts: Iterable[admission.Text], namespace: str
    ) -> list[admission.Text] | None:
        """Return what is held under the names in some texts, as texts; None where nobody would ask for it."""
        if not self._read() and not self._waiving.waivers:
            return None
        known: dict[Name | str, Object] = {
            name_in(as_object(held)): as_object(held) for held in self._catalog.objects
        }
        known |= {_place(policy): policy for policy in self._documents}
        named = [_place(object_of(document, namespace)) for document in load_all(texts, raw=True).raw]
        found = [known[name] for name in dict.fromkeys(named) if name in known]
        return [("held", msgspec.json.encode({"kind": "List", "items": found}))] if found else []

    def used_by(
        self,
        decisions: Iterable[tuple[Review, Decision]],
        action: str,
        actor: str,
        now: float,
        *,
        ahead: int = 0,
    ) -> Change:
        """Return what to write down of the waivers that let changes by; what stays as it is uses none."""
        changes = [decision for review, decision in decisions if not is_unchanged(review)]
        waivers = [each.waiver for decision in changes for each in decision.excused]
        return self._waiving.using(waivers, action, actor, now, ahead=ahead)

    def note_refusals(self, decisions: Iterable[tuple[Review, Decision]], actor: str, now: float) -> None:
        """Put it on record that manifests were refused, each with the rules that it breaks."""
        for review, decision in decisions:
            if denying := [each for each in decision.violations if each.action == "deny"]:
                self.note(_subject(review), denying, "apply", actor, now)

    def deny(self, decision: Decision, review: Review, action: str, actor: str, now: float) -> None:
        """Put it on record that a change was refused.

        Raises:
            Denied: always.
        """
        denying = [each for each in decision.violations if each.action == "deny"]
        self.note(_subject(review), denying, action, actor, now)
        said = "; ".join(each.sentence for each in denying)
        raise Denied(
            f"policies refuse to {action} {review.name}: {said}",
            hint=how_to_waive(denying[0], review) or "mend the policy: what nobody can evaluate refuses",
        )

    def note(self, subject: str, denying: Sequence[Violation], action: str, actor: str, now: float) -> None:
        """Put a refusal on record; where nothing can be written down it is one all the same."""
        detail: dict[str, object] = {
            "action": action,
            "rules": sorted({each.rule for each in denying}),
            "sentences": [each.sentence for each in denying],
            "generation": self._waiving.generation,
        }
        with suppress(*UNWRITABLE):
            self._store.commit({}, [Draft(now, "policy_denied", subject, detail, actor)])

    def _named(self, id_: str) -> tuple[Waiver, ...]:
        """Return the waivers that count where something is passed over: of that rule the one that is named."""
        return tuple(each for each in self._waiving.waivers if each.rule != SKIPPING or each.id == id_)

    def _also(self, decision: Decision, review: Review, action: str, governance: Governance) -> Decision:
        """Hold that something is passed over against a change, whatever the policies of this engine are."""
        refused = any(each.rule == SKIPPING and each.action == "deny" for each in decision.violations)
        if refused or any(each.violation.rule == SKIPPING for each in decision.excused):
            return decision
        own = Violation(
            policy="davy/engine",
            rule=SKIPPING,
            message=f"{SKIPPING}: {action} passes over what the update has still to show",
            source="Davy",
        )
        found = excuse(
            [own], governance.waivers, subject=review.subject, now=governance.now, terms=governance.terms
        )
        return Decision(
            (*decision.violations, *found.active),
            (*decision.excused, *found.excused),
            tuple(dict.fromkeys((*decision.warnings, *found.warnings))),
        )

    def _read(self) -> tuple[Policy, ...]:
        """Compile the policies, once for as long as they stay what they are."""
        documents = self._rulebook.documents
        if documents != self._documents:
            self._policies, self._documents = (ruleset.read(documents),), documents
        return (*self._rulebook.rules.policies, *self._policies)

    def _inventory(self) -> Inventory:
        """Return what is held, as policies may look at it."""
        shown = {}
        for held in self._catalog.objects:
            known = self._shown.get(id(held))
            shown[id(held)] = known if known and known[0] is held else (held, as_object(held))
        self._shown = shown
        return Inventory([*(found for _, found in shown.values()), *self._documents])


def _place(found: Object) -> Name | str:
    """Name what an object takes the place of here: a policy that of its name, whatever its version."""
    return name_of(found) if is_policy(Kind.of(found)) else name_in(found)


def policies_in(objects: Iterable[Object]) -> list[Object]:
    """Return the policies among some objects."""
    return [found for found in objects if is_policy(Kind.of(found))]


def waivers_in(objects: Iterable[Object]) -> list[Waiver]:
    """Return the waivers among some objects; those that are none were refused where they were read."""
    return [waiver_file.read(found) for found in objects if waiver_file.is_waiver(found)]


def _subject(review: Review) -> str:
    """Name an object as entries do."""
    where = f"{review.namespace}/{review.name}" if review.namespace else review.name
    return f"{review.kind.kind} {where}"
