"""What can be asked of a running engine: one value for each thing, sent as one line of JSON.

Who asks is not part of a request: the way in knows it (the peer of a Unix socket) and says so beside it.
"""

from typing import Any

import msgspec


class Request(msgspec.Struct, frozen=True, tag=True, tag_field="request", forbid_unknown_fields=True):
    """Base of everything that can be asked."""


class Apply(Request, frozen=True):
    """Accept manifests: `texts` are (file name, text) pairs, `directory` is what their paths are relative to.

    With `dry_run` it only says what would happen. `namespace` is where manifests go that do not say.
    """

    texts: tuple[tuple[str, str], ...]
    directory: str
    reason: str = ""
    dry_run: bool = False
    namespace: str = "default"


class List(Request, frozen=True):
    """List the rollouts of a namespace, of all of them when it is empty."""

    namespace: str = ""


class Get(Request, frozen=True):
    """Look at one rollout."""

    namespace: str
    name: str


class Manifest(Request, frozen=True):
    """Return a rollout's manifest as it stands, with its status, the way the Kubernetes API would."""

    namespace: str
    name: str


class Why(Request, frozen=True):
    """Say in one sentence why a rollout is as it is, and what that rests on."""

    namespace: str
    name: str


class Verdict(Request, frozen=True):
    """Say what the judge of a rollout says now."""

    namespace: str
    name: str


class SetImage(Request, frozen=True):
    """Give containers (`*` for all of them) another image."""

    namespace: str
    name: str
    images: dict[str, str]
    reason: str = ""


class Undo(Request, frozen=True):
    """Go back to the pod template of an earlier revision, the last one promoted where no number is given."""

    namespace: str
    name: str
    to_revision: int | None = None
    reason: str = ""


class Restart(Request, frozen=True):
    """Replace every replica, a few at a time."""

    namespace: str
    name: str
    reason: str = ""


class Scale(Request, frozen=True):
    """Give a rollout another number of replicas."""

    namespace: str
    name: str
    replicas: int
    reason: str = ""


class Promote(Request, frozen=True):
    """End the pause an update is in; with a waiver, pass over one step (`skip_step`) or over all (`full`)."""

    namespace: str
    name: str
    reason: str
    full: bool = False
    skip_step: bool = False
    waiver: str = ""


class Abort(Request, frozen=True):
    """Give the traffic back to the stable version."""

    namespace: str
    name: str
    reason: str


class Retry(Request, frozen=True):
    """Start an aborted update again."""

    namespace: str
    name: str
    reason: str = ""


class Pause(Request, frozen=True):
    """Freeze a rollout where it is."""

    namespace: str
    name: str
    reason: str = ""


class Resume(Request, frozen=True):
    """Let a frozen rollout go on."""

    namespace: str
    name: str
    reason: str = ""


class Delete(Request, frozen=True):
    """Take a rollout away, with its replicas and its listeners; the record of it stays."""

    namespace: str
    name: str
    reason: str


class DeletePolicy(Request, frozen=True):
    """Take a policy away that was applied."""

    kind: str
    name: str
    reason: str
    namespace: str = ""


class AskWaiver(Request, frozen=True):
    """Ask for a waiver of a rule for one object, until an instant or for so many seconds.

    `object` is the manifest that it is to be for; None is the object as the engine holds it. With `break_glass`
    it counts at once, for an hour at most.
    """

    rule: str
    kind: str
    namespace: str
    name: str
    reason: str
    ticket: str
    until: float | None = None
    for_s: float | None = None
    uses: int = 0
    object: dict[str, Any] | None = None
    break_glass: bool = False


class ApproveWaiver(Request, frozen=True):
    """Agree to a waiver that somebody else asks for."""

    id: str
    reason: str = ""


class RevokeWaiver(Request, frozen=True):
    """End a waiver early."""

    id: str
    reason: str


class ReviewWaiver(Request, frozen=True):
    """Say that one has looked at why glass was broken."""

    id: str
    reason: str = ""


class Waivers(Request, frozen=True):
    """List the waivers: all of them, or those that end `within_s` seconds from now and are in force."""

    within_s: float | None = None


class SetFlag(Request, frozen=True):
    """Set a flag in this environment: on, off, to a variant, for a share of the users.

    With `if_version` only if that is its version; `ticket` is where it is followed up.
    """

    key: str
    reason: str
    on: bool | None = None
    variant: str = ""
    share: int | None = None
    ticket: str = ""
    if_version: int | None = None


class KillFlag(Request, frozen=True):
    """Give everybody what is safe, at once."""

    key: str
    reason: str
    ticket: str = ""


class RestoreFlag(Request, frozen=True):
    """End a kill; only through an open gate."""

    key: str
    reason: str
    ticket: str = ""


class ApproveFlag(Request, frozen=True):
    """Agree to a change of a flag that somebody else asks for."""

    id: str
    reason: str = ""


class DrillFlag(Request, frozen=True):
    """Rehearse the kill of a kill switch."""

    key: str
    reason: str


class RampFlag(Request, frozen=True):
    """Begin the ramp of a flag, or begin it again."""

    key: str
    reason: str
    ticket: str = ""


class FlagStatus(Request, frozen=True):
    """Look at one flag."""

    key: str


class FlagList(Request, frozen=True):
    """List the flags; those with drills only, where that is asked for."""

    drills: bool = False


class FlagHistory(Request, frozen=True):
    """Read the record of one flag."""

    key: str
    after: int = 0
    limit: int = 1000


class FlagBlame(Request, frozen=True):
    """Say which changes of flags are at fault, of a service or of all, by what was counted lately."""

    service: str = ""
    since_s: float = 600.0


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody found in a repository, or at a vendor of flags: an entry but for who told it and when.

    `actor` is who did it, as the vendor knows them; of a repository that is its `source`.
    """

    at: float
    kind: str
    subject: str
    detail: dict[str, Any]
    reason: str
    source: str
    id: str
    actor: str = ""


class Found(Request, frozen=True):
    """Write down what was found: changes and what rollouts contain, and toggles at vendors of flags."""

    findings: tuple[Finding, ...]


class Record(Request, frozen=True):
    """Read the record from `after` on, of one rollout when it is named."""

    namespace: str = ""
    name: str = ""
    after: int = 0
    limit: int = 1000


class Emit(Request, frozen=True):
    """Write down events, as CloudEvents in JSON. What is left out of one is filled in.

    Without an `id` it is named by what it says, without a `time` it is now, without a `source` it is who asks.
    """

    events: tuple[dict[str, Any], ...]


class Query(Request, frozen=True):
    """Evaluate a PromQL query now, on what the engine has scraped."""

    query: str


class Health(Request, frozen=True):
    """Say how the engine itself is."""


Action = Undo | Restart | Scale | Promote | Abort | Retry | Pause | Resume
"""What a person does to one rollout."""

MOST_REPLICAS = 2**31 - 1
"""How many replicas a manifest can ask for."""

WaiverStep = AskWaiver | ApproveWaiver | RevokeWaiver | ReviewWaiver
"""What a person does about waivers."""

FlagStep = SetFlag | KillFlag | RestoreFlag | ApproveFlag | DrillFlag
"""What a person does to flags."""

FlagLook = FlagStatus | FlagList | FlagHistory | FlagBlame
"""What a person looks at of flags."""

AnyRequest = (
    Apply
    | List
    | Get
    | Manifest
    | Why
    | Verdict
    | SetImage
    | Action
    | Delete
    | DeletePolicy
    | WaiverStep
    | Waivers
    | FlagStep
    | RampFlag
    | FlagLook
    | Record
    | Emit
    | Found
    | Query
    | Health
)
