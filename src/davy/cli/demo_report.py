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


class DemoLedger(msgspec.Struct, frozen=True, rename="camel"):
    """The record at the end: where it is, how many entries it has, its root, and whether it verifies."""

    path: str
    size: int
    root: str
    verified: bool


class DemoReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag="DemoReport", tag_field="kind"):
    """The whole story."""

    api_version: str = API_VERSION
    ok: bool
    speed: float
    seed: int
    seconds: float
    steps: tuple[DemoStep, ...]
    rollouts: tuple[DemoRollout, ...]
    ledger: DemoLedger | None
