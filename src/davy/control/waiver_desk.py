"""Where people ask for waivers, agree to them and look at them."""

import re
from difflib import get_close_matches
from typing import assert_never

from davy.control import requests, views
from davy.control.catalog import KINDS
from davy.control.holdings import Holdings
from davy.control.ports import Clock
from davy.control.reviewing import as_object
from davy.control.sound_policies import RULE as SOUND
from davy.control.waiving import Waiving
from davy.errors import NotFound, UsageError
from davy.model.instant import lasting, written
from davy.model.key import Key
from davy.policy.granting import Wish
from davy.policy.pack import RULES
from davy.policy.review import Kind, Object
from davy.policy.truthful_waivers import RULE as TRUTHFUL
from davy.policy.waiver_file import document_of
from davy.policy.waivers import Terms, Waiver, overdue, short, standing


class WaiverDesk:
    """Answers requests about waivers."""

    def __init__(self, waiving: Waiving, holdings: Holdings, clock: Clock) -> None:
        self._waiving, self._holdings, self._clock = waiving, holdings, clock

    def step(self, request: requests.WaiverStep, actor: str) -> views.WaiverStepView:
        """Take a step in the life of a waiver.

        Raises:
            DavyError: it is refused; nothing was changed.
        """
        with self._holdings.gate:
            match request:
                case requests.AskWaiver():
                    wish = self._wish(request, actor)
                    waiver = self._waiving.request(wish, break_glass=request.break_glass)
                    said = _asked(waiver)
                case requests.ApproveWaiver(id=id_, reason=reason):
                    waiver = self._waiving.approve(id_, actor, reason)
                    said = f"waiver {id_} is approved by {actor}: {waiver.about} as {short(waiver.digest)}"
                case requests.RevokeWaiver(id=id_, reason=reason):
                    waiver = self._waiving.revoke(id_, actor, reason)
                    said = f"waiver {id_} is revoked: {waiver.rule} counts again for {waiver.whom}"
                case requests.ReviewWaiver(id=id_, reason=reason):
                    waiver = self._waiving.review(id_, actor, reason)
                    said = f"waiver {id_} is reviewed by {actor}"
                case _:
                    assert_never(request)
            shown = view(waiver, self._clock.now(), self._waiving.terms)
            return views.WaiverStepView(message=said, waiver=shown, generation=self._waiving.generation)

    def list(self, request: requests.Waivers) -> views.WaiverList:
        """List waivers, the first to end first."""
        now = self._clock.now()
        found = sorted(self._waiving.waivers, key=lambda each: (each.expires_at, each.id))
        shown = [view(each, now, self._waiving.terms) for each in found]
        if request.within_s is not None:
            shown = [
                each for each in shown if each.state == "in force" and each.seconds_left <= request.within_s
            ]
        return views.WaiverList(items=tuple(shown), generation=self._waiving.generation)

    def _wish(self, request: requests.AskWaiver, actor: str) -> Wish:
        """Make sense of what somebody asks for.

        Raises:
            UsageError: it does not say until when, or which object.
        """
        if (request.until is None) == (request.for_s is None):
            raise UsageError("a waiver ends at one time", hint="--for 48h, or --until 2026-03-01T12:00:00Z")
        _check_rule(request.rule.strip())
        now = self._clock.now()
        until = now + request.for_s if request.for_s is not None else request.until
        assert until is not None
        return Wish(
            rule=request.rule,
            subject=self._subject(request),
            reason=request.reason,
            ticket=request.ticket,
            requester=actor,
            until=until,
            uses=request.uses,
        )

    def _subject(self, request: requests.AskWaiver) -> Object:
        """Return the object that a waiver is to be for."""
        key = Key(request.namespace, request.name)
        if request.object is not None:
            return _named(request.object, request.kind, key)
        if request.kind == "Rollout":
            return as_object(self._holdings.find(key.namespace, key.name).manifest)
        for held in self._holdings.catalog.objects:
            if (held.kind, held.key) == (request.kind, key):
                return as_object(held)
        raise NotFound(
            f"this engine holds no {request.kind} {key}",
            hint=f"-f FILE names the manifest that it is for; held are {', '.join(KINDS)}",
        )


def view(waiver: Waiver, now: float, terms: Terms) -> views.WaiverView:
    """Show a waiver as it stands."""
    wrong = standing(waiver, waiver.digest, now, terms)
    return views.WaiverView(
        id=waiver.id,
        state=_state(waiver, wrong, now),
        standing=wrong,
        rule=waiver.rule,
        object_kind=waiver.kind,
        namespace=waiver.namespace,
        name=waiver.name,
        digest=waiver.digest,
        reason=waiver.reason,
        ticket=waiver.ticket,
        requester=waiver.requester,
        approver=waiver.approver,
        expires_at=written(waiver.expires_at),
        seconds_left=max(0.0, waiver.expires_at - now),
        uses=waiver.uses,
        used=waiver.used,
        break_glass=waiver.break_glass,
        reviewed_by=waiver.reviewed_by,
        review_overdue=overdue(waiver, now, terms),
        manifest=document_of(waiver),
    )


def _state(waiver: Waiver, wrong: str, now: float) -> str:
    """Say in a word or two how a waiver stands."""
    if not wrong:
        return "in force"
    if waiver.revoked_by:
        return "revoked"
    if waiver.expired_at or now >= waiver.expires_at:
        return "expired"
    if not waiver.approver:
        return "waiting"
    return "used up" if waiver.uses and waiver.used >= waiver.uses else "void"


def _asked(waiver: Waiver) -> str:
    left = lasting(round(waiver.expires_at - waiver.requested_at))
    if waiver.break_glass:
        return (
            f"GLASS BROKEN: {waiver.id} lets {waiver.about} pass for {left}; it is on record, "
            "and somebody else has to review it within a day"
        )
    what = f"{waiver.about} as {short(waiver.digest)}"
    return f"waiver {waiver.id} asks for {what} for {left}; it waits for approval"


def _check_rule(rule: str) -> None:
    """Turn away what is misspelt; the rules of others, this engine may never have met.

    Raises:
        UsageError: it is an id of Davy's, and no rule has it.
    """
    if re.fullmatch(r"DV[0-9]+", rule):
        raise UsageError(f"{rule} is no rule but a manifest that is wrong", hint="mend the manifest")
    if re.fullmatch(r"PD[0-9]+", rule) and rule not in RULES and rule not in (TRUTHFUL, SOUND):
        close = ", ".join(get_close_matches(rule, RULES)) or "docs/reference/policy-pack.md has them"
        raise UsageError(f"there is no rule {rule} in Davy's pack", hint=f"rules like it: {close}")


def _named(found: Object, kind: str, key: Key) -> Object:
    """Make sure that a manifest is the one that is meant.

    Raises:
        UsageError: it is another.
    """
    metadata = found.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    namespace = (metadata.get("namespace") if isinstance(metadata, dict) else None) or "default"
    if (Kind.of(found).kind, name, namespace) != (kind, key.name, key.namespace):
        raise UsageError(
            f"the manifest is {Kind.of(found).kind} {namespace}/{name}, and {kind} {key} is meant",
            hint="--kind, --scope and --namespace say which object",
        )
    return found
