"""What a decision is made from, and what it is: values, so that it can be tested, stored and taken again."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from davy.model.rollout import RolloutAnalysis
from davy.rollout.platform import Desired, Seen
from davy.rollout.state import RolloutState


class Verdict(StrEnum):
    """What an analysis run says of the new version; only `PASSED` moves traffic up."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    UNKNOWN = "unknown"


class RunView(msgspec.Struct, frozen=True):
    """An analysis run as a rollout sees it.

    `finite` says whether it ends by itself; of one that does not, `passing` says whether all that counts has
    been measured with success by now.
    """

    verdict: Verdict
    message: str = ""
    finite: bool = True
    passing: bool = False


class Word(msgspec.Struct, frozen=True):
    """What the judge of a canary says of its traffic; that it wants all of it back is an alarm.

    `may_grow` says that the canary may get more now, `baked` that it had everything for long enough. `doubted`
    says that errors rose since it has everything, and that halves of the traffic are to tell why. `blind` says
    that it knows nothing of what users get now, since no counters come, or none with requests of the canary.
    `reason` is one sentence: why, or what is waited for.
    """

    may_grow: bool
    reason: str
    baked: bool = False
    doubted: bool = False
    blind: bool = False


class Look(msgspec.Struct, frozen=True):
    """All that a decision may know of the world.

    `runs` holds the analysis runs of this rollout by name, `requests` how many requests of users each hash has
    answered so far, `alarm` the guard's or the judge's sentence when it wants the traffic back, else an empty
    string. `word` is what the judge says of more traffic, None where there is no judge.
    """

    seen: Seen
    runs: Mapping[str, RunView] = {}
    requests: Mapping[str, int] = {}
    alarm: str = ""
    word: Word | None = None


class RunKind(StrEnum):
    """What part of a rollout an analysis run belongs to, in the words of Argo's `rollout-type` label."""

    STEP = "Step"
    BACKGROUND = "Background"
    PRE_PROMOTION = "PrePromotion"
    POST_PROMOTION = "PostPromotion"
    EXPERIMENT = "Experiment"


class RunRequest(msgspec.Struct, frozen=True):
    """An analysis run that is to be started, once, under this name."""

    name: str
    kind: RunKind
    analysis: RolloutAnalysis
    step: int | None = None


class Event(msgspec.Struct, frozen=True):
    """Something worth a line in the record; the loop writes it down before it acts."""

    kind: str
    detail: dict[str, object]


class Decision(msgspec.Struct, frozen=True):
    """What happens next.

    Of the analysis runs, `start` are new and all that are neither in `start` nor in `active` have to end.
    `wake_at` is the clock's time at which to ask again even if nothing happens, None for never.
    """

    state: RolloutState
    desired: Desired
    start: tuple[RunRequest, ...] = ()
    active: frozenset[str] = frozenset()
    events: tuple[Event, ...] = ()
    wake_at: float | None = None
