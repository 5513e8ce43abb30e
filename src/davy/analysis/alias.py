"""Whether a workload's own metrics are made up from the proxy's.

`http_requests_total` is what most queries ask for and what many small services do not export. Where a workload
exports none, the proxy's counts stand in. Where it does, they must not: the totals would double, and a ratio
would mix what the user got with what the application believes.

Many libraries export a counter only once it has counted something. So silence is believed only of a workload
that was read after the proxy had seen it answer.
"""

from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Witness:
    """What is known of one replica's own metrics.

    `asked_at` is when the last attempt to read them began that has come to its end, `answered` whether any
    attempt was answered at all (that there is no such page is an answer), `exports` what it has shown.
    """

    version: str
    asked_at: float | None = None
    answered: bool = False
    exports: frozenset[str] = field(default_factory=frozenset)


def aliased(
    families: Collection[str],
    before: frozenset[str],
    witnesses: Collection[Witness],
    answering_since: dict[str, float],
) -> frozenset[str]:
    """Say which of the families are to be made up for one workload from now on.

    One replica that exports a family rules it out for the whole workload, every version of it. A family that is
    made up already stays so while a new version has not been heard. `answering_since` says when the proxy first
    saw each version answer.
    """
    exported = frozenset[str]().union(*(witness.exports for witness in witnesses))
    candidates = frozenset(families) - exported
    silent = any(_is_silent(version, since, witnesses) for version, since in answering_since.items())
    return candidates if silent else candidates & before


def _is_silent(version: str, since: float, witnesses: Collection[Witness]) -> bool:
    """Say whether every replica of a version was read since it answers users, and one of them could be."""
    replicas = [witness for witness in witnesses if witness.version == version]
    read = all(replica.asked_at is not None and replica.asked_at >= since for replica in replicas)
    return read and any(replica.answered for replica in replicas)
