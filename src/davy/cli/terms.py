"""Who may approve waivers, and for how long they last: an optional file of the state directory."""

from pathlib import Path

import msgspec

from davy.errors import UsageError
from davy.policy.waivers import DAY_S, TERMS, Terms

FILE = "waivers.json"


class TermsFile(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What may stand in the file; `aliases` are accounts and the person behind each."""

    approvers: tuple[str, ...] = ()
    aliases: dict[str, str] = {}
    longest_days: float = TERMS.longest_s / DAY_S


def read_terms(home: Path) -> Terms:
    """Read the terms of a state directory, those that hold everywhere where it has none of its own.

    Raises:
        UsageError: the file cannot be read.
    """
    path = home / FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=TermsFile)
    except FileNotFoundError:
        return TERMS
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        hint = '{"approvers": ["ben"], "aliases": {"root": "anna"}, "longestDays": 30}'
        raise UsageError(f"{path}: {error}", hint=hint) from error
    if not 0 < found.longest_days <= 3650:
        raise UsageError(f"{path}: longestDays is {found.longest_days:g}: more than 0, at most 3650")
    return Terms(
        longest_s=found.longest_days * DAY_S, aliases=found.aliases, approvers=frozenset(found.approvers)
    )
