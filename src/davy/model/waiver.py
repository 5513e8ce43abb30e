"""Davy's own Waiver as a file: who may pass which rule with which object, and until which instant.

It is read here, and made sense of by `davy.policy.waiver_file`: what it excuses is for policies to say.
"""

from davy.model.meta import Manifest
from davy.model.part import Int32, Part


class WaivedObject(Part, frozen=True):
    """The one object that a waiver is for; `digest` is of what it was granted for."""

    kind: str
    name: str
    digest: str
    namespace: str = ""


class WaiverSpec(Part, frozen=True, kw_only=True):
    """What was asked for, and what became of it. Instants are texts with a time and a zone."""

    rule: str
    object: WaivedObject
    reason: str
    ticket: str
    requester: str
    requested_at: str
    expires_at: str
    approver: str = ""
    approved_at: str = ""
    approval: str = ""
    uses: Int32 = 0
    used: Int32 = 0
    revoked_by: str = ""
    revoked_at: str = ""
    break_glass: bool = False
    reviewed_by: str = ""
    reviewed_at: str = ""


INSTANTS = ("requested_at", "expires_at", "approved_at", "revoked_at", "reviewed_at")
"""The fields that are instants; those that were not written did not happen."""


class Waiver(Manifest, frozen=True, kw_only=True):
    """Permission to break one rule with one object, as it is kept in a repository."""

    spec: WaiverSpec
    api_version: str = "davy.dev/v1alpha1"
    kind: str = "Waiver"
