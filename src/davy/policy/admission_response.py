"""What an API server is answered: a decision as an AdmissionReview, in the form that Gatekeeper has."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from davy.policy.admission_request import API_VERSION
from davy.policy.decision import Decision

LONGEST_MESSAGE = 16 * 1024
"""Characters of a refusal; what is above it is counted."""


@dataclass(frozen=True, slots=True)
class Edition:
    """Which rules answered, so that an answer can be held against them later."""

    generation: int = 0
    digest: str = ""


def answer(uid: str, decision: Decision, edition: Edition) -> dict[str, Any]:
    """Say what was decided: every denial in the message, everything else as warnings."""
    denials = [each for each in decision.violations if each.action == "deny"]
    warnings = [each.sentence for each in decision.violations if each.action == "warn"]
    warnings += [each.sentence for each in decision.excused] + list(decision.warnings)
    audit = {"generation": str(edition.generation), "digest": edition.digest}
    if decision.excused:
        audit["waivers"] = ",".join(sorted({each.waiver.id for each in decision.excused}))
    dry = [each.sentence for each in decision.violations if each.action == "dryrun"]
    if dry:
        audit["dryrun"] = _bounded(dry)
    lines = [_one_line(each) for each in warnings]
    if denials:
        return _answer(uid, _refusal(_bounded([each.sentence for each in denials])), lines, audit)
    return _answer(uid, {"code": 299 if lines else 200}, lines, audit)


def passed(uid: str, reason: str, edition: Edition) -> dict[str, Any]:
    """Allow what nothing may stand in the way of, e.g. an abort; the audit log of the cluster says why."""
    audit = {"generation": str(edition.generation), "digest": edition.digest, "passed": reason}
    return _answer(uid, {"code": 200}, [], audit)


def refused(uid: str, sentence: str) -> dict[str, Any]:
    """Deny what could not be judged."""
    return _answer(uid, _refusal(_bounded([f"[davy] {sentence}"])), [], {})


def encoded(review: dict[str, Any]) -> bytes:
    """Spell an answer; in ASCII, since a policy may say anything."""
    return json.dumps(review).encode()


def _refusal(message: str) -> dict[str, Any]:
    return {"reason": "Forbidden", "code": 403, "message": message}


def _answer(uid: str, status: dict[str, Any], warnings: Sequence[str], audit: dict[str, str]) -> dict[str, Any]:
    response: dict[str, Any] = {"uid": uid, "allowed": status["code"] != 403, "status": status}
    if warnings:
        response["warnings"] = list(warnings)
    if audit:
        response["auditAnnotations"] = audit
    return {"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response}


def _bounded(sentences: Sequence[str]) -> str:
    """Write one sentence a line, as many as fit."""
    kept: list[str] = []
    left = LONGEST_MESSAGE
    for sentence in sentences:
        if len(sentence) + 1 > left:
            kept.append(sentence[: max(0, left - 1)] + "…")
            kept += [f"… and {len(sentences) - len(kept)} more"] if len(sentences) > len(kept) else []
            break
        kept.append(sentence)
        left -= len(sentence) + 1
    return "\n".join(kept)


def _one_line(text: str) -> str:
    """Make a text what a Warning header can carry: an API server drops the others without a word."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
