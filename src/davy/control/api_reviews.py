"""Answer reviews by the rules that hold now: what passes at once, what is judged, what uses a waiver up.

The rules are swapped as a whole, and an answer is by one set of them. A set that cannot be read never takes the
place of one that could.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from davy.control.governance import Governance
from davy.control.rules_in_force import Rules
from davy.policy import admission_response
from davy.policy.admission_request import Request
from davy.policy.admission_response import Edition
from davy.policy.decision import Decision
from davy.policy.passage import Trusted, as_signed_in, passage
from davy.policy.review import Kind, Review
from davy.policy.waivers import Waiver

_NAMESPACE = Kind("", "v1", "Namespace")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to an API server, and what it was in one word: `allowed`, `denied`, `passed` or another."""

    outcome: str
    body: dict[str, Any]


@dataclass(slots=True)
class Reviewing:
    """Answers reviews, from many threads at once.

    Args:
        trusted: who passes whatever they do.
        now: tells the time, in seconds since 1970 UTC.
        rules: what judges; None while nothing was read yet, and then only what is let through is allowed.
    """

    trusted: Trusted
    now: Callable[[], float]
    rules: Rules | None = None
    _uses: dict[str, set[str]] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def edition(self) -> Edition:
        """Which rules are in force."""
        return Edition() if self.rules is None else self.rules.edition

    def let_through(self, request: Request) -> Reply | None:
        """Answer what no policy is asked about; it takes no time, and needs no rules."""
        reason = passage(request.review, self.trusted)
        if not reason:
            return None
        return Reply("passed", admission_response.passed(request.uid, reason, self.edition))

    def judge(self, request: Request) -> Reply:
        """Ask the policies."""
        rules = self.rules
        if rules is None:
            return refusal(request.uid, "the rules have not been read yet, so nothing is allowed", "unready")
        if unknown := _unknown_namespace(request.review, rules.governance):
            sentence = (
                f"nothing is known of the namespace {unknown} yet, so nothing is allowed there: try again"
            )
            return refusal(request.uid, sentence, "unready")
        review = self._in_its_namespace(as_signed_in(request.review), rules.governance)
        decision = self._decided(rules.governance, review)
        outcome = "allowed" if decision.allowed else "denied"
        return Reply(outcome, admission_response.answer(request.uid, decision, rules.edition))

    def _in_its_namespace(self, review: Review, governance: Governance) -> Review:
        if not review.namespace or review.kind == _NAMESPACE:
            return review
        return replace(review, namespace_object=governance.inventory.namespace(review.namespace))

    def _decided(self, governance: Governance, review: Review) -> Decision:
        """Decide, and use waivers up with it; a dry run and a denial use nothing.

        Another review may take the last use in between: then this one is decided again, without it.
        """
        governance = replace(governance, now=self.now())
        if not any(waiver.uses for waiver in governance.waivers):
            return governance.decide(review)
        while True:
            left = replace(governance, waivers=self._with_uses(governance.waivers, review.uid))
            decision = left.decide(review)
            limited = {each.waiver.id: each.waiver for each in decision.excused if each.waiver.uses}
            if review.dry_run or not decision.allowed or self._use(limited.values(), review.uid, governance):
                return decision

    def _with_uses(self, waivers: Sequence[Waiver], uid: str) -> tuple[Waiver, ...]:
        """Add to what waivers say of their use what was used here since; the same request counts once."""
        with self._guard:
            uses = {name: len(uids - {uid}) for name, uids in self._uses.items()}
        return tuple(
            msgspec.structs.replace(waiver, used=waiver.used + uses[waiver.id])
            if uses.get(waiver.id)
            else waiver
            for waiver in waivers
        )

    def _use(self, waivers: Any, uid: str, governance: Governance) -> bool:
        known = {waiver.id: waiver.used for waiver in governance.waivers}
        with self._guard:
            for waiver in waivers:
                if known[waiver.id] + len(self._uses.get(waiver.id, set()) - {uid}) >= waiver.uses:
                    return False
            for waiver in waivers:
                self._uses.setdefault(waiver.id, set()).add(uid)
        return True


def _unknown_namespace(review: Review, governance: Governance) -> str:
    """Name the namespace of a review where others are known and it is not: labels say what is production."""
    inventory = governance.inventory
    if review.kind == _NAMESPACE or not review.namespace or not inventory.knows_namespaces:
        return ""
    return "" if inventory.namespace(review.namespace) else review.namespace


def refusal(uid: str, sentence: str, outcome: str) -> Reply:
    """Deny something without having judged it."""
    return Reply(outcome, admission_response.refused(uid, sentence))
