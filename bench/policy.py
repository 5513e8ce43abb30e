"""Everything about the speed of policies in one go; each part can be asked for by its own name."""

from bench import policy_admission, policy_check, policy_library, policy_pack
from bench.figure import Figure

PARTS = (policy_library, policy_pack, policy_check, policy_admission)
"""What is compared with a peer comes first: decisions before speed."""


def measure() -> list[Figure]:
    """Take the figures of all parts, one part after the other."""
    return [figure for part in PARTS for figure in part.measure()]
