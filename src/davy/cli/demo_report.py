"""What the demo reports: one object, for whoever checks it by machine."""

import msgspec

from davy.control.views import API_VERSION


class DemoStep(msgspec.Struct, frozen=True, rename="camel"):
    """One chapter of the story: whether it came true, in how many real seconds, and what was seen."""

    name: str
    ok: bool
    seconds: float
    detail: dict[str, object]


class DemoRollout(msgspec.Struct, frozen=True, rename="camel"):
    """One release; the seconds are real ones, whatever the speed of the clock.

    `seconds_first_error_to_zero` runs from the first failed request of a user to the moment in which the data
    plane had acknowledged that the version gets no traffic; None where no request failed.
    """

    name: str
    version: str
    outcome: str
    weight_at_abort: int | None
    bad_requests: int
    requests: int
    seconds_first_error_to_zero: float | None


class DemoStop(msgspec.Struct, frozen=True, rename="camel"):
    """What a bad version cost its users until it was stopped, by what they got.

    `weight` is where it was stopped, in percent, 100 where it never was. Of the `requests` that users sent from
    the release on, until the version answered for the last time, `bad_requests` failed; `seconds` are real,
    from the first that failed to that last answer.
    """

    stopped: bool
    weight: int
    bad_requests: int
    requests: int
    seconds: float


class DemoComparison(msgspec.Struct, frozen=True, rename="camel"):
    """The same bad version twice at the same time: stopped by the judge, and by a threshold in its place."""

    version: str
    judge: DemoStop
    limit: float
    threshold: DemoStop


class DemoLedger(msgspec.Struct, frozen=True, rename="camel"):
    """The record at the end: where it is, how many entries it has, its root, and whether it verifies."""

    path: str
    size: int
    root: str
    verified: bool


class DemoFlag(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of the flag that waits for the canary, by what users got; None or empty: it came to nothing.

    The bad canary's code has `callers_default` where it knows nothing of the flag. `evidence` is the digest of
    what opened the gate, `opened_after` the version whose canary passed, with `opened_at_weight` percent of the
    users. `killed_by` is the version whose abort killed the flag; from that abort on, in real seconds,
    `confirmed_after_seconds` passed until the last of `confirmed_by_instances` had said that it evaluates by
    the kill, and `last_discount_after_seconds` until the last request was sent that still had the discount.
    """

    key: str = "checkout.discount-enabled"
    rollout: str = "default/payments"
    callers_default: bool = True
    requests_during_bad_canary: int | None = None
    requests_with_discount_during_bad_canary: int | None = None
    requests_with_discount_before_opened: int | None = None
    opened_after: str = ""
    opened_at_weight: int | None = None
    evidence: str = ""
    requests_with_discount_after_opened: int | None = None
    killed_by: str = ""
    killed_because: str = ""
    confirmed_by_instances: int | None = None
    confirmed_after_seconds: float | None = None
    last_discount_after_seconds: float | None = None
    requests_with_discount_after_confirmed: int | None = None


class DemoReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag="DemoReport", tag_field="kind"):
    """The whole story."""

    api_version: str = API_VERSION
    ok: bool
    speed: float
    seed: int
    seconds: float
    steps: tuple[DemoStep, ...]
    rollouts: tuple[DemoRollout, ...]
    comparison: DemoComparison | None
    ledger: DemoLedger | None
    flags: DemoFlag
