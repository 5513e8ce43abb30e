"""What is known about a new version: three values, because not knowing is neither good nor bad."""

from enum import StrEnum


class Evidence(StrEnum):
    """Evidence of a metric, a run or a guard; `UNKNOWN` never moves traffic up."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNKNOWN = "unknown"
