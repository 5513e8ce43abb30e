"""Every error a person can meet.

    DavyError
    ├── Refused            exit 1    a verdict of no: denied, aborted, differs
    ├── UsageError         exit 2    what was asked for makes no sense, or a text cannot be read
    │   ├── NotFound       exit 2    a name that nothing answers to
    │   └── (BadManifest)  exit 2    lives in davy.model.finding: a refusal with a place in a file
    ├── Undecided          exit 3    could not decide: metrics missing, provider or engine unreachable
    ├── NotPermitted       exit 5    known, and not allowed to
    ├── Conflict           exit 6    the state moved on, or someone else holds it
    ├── IntegrityError     exit 7    the record does not verify
    ├── StillPending       exit 8    not finished, and nobody asked to wait
    ├── TimedOut           exit 9    waited as long as was asked for
    └── Bug                exit 70   our fault

The codes are a public contract (docs/reference/exit-codes.md); 0 is done, 130 is interrupted.
"""

from typing import ClassVar


class DavyError(Exception):
    """Base of every error raised on purpose; catch this one at the edges.

    Args:
        message: what happened and why, in one sentence without a full stop.
        hint: how to mend it, or an empty string.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Refused(DavyError):
    """A gate, a rule or the state of a rollout said no."""

    code = "refused"
    exit_code = 1


class UsageError(DavyError):
    """What was asked for makes no sense, or a text cannot be read."""

    code = "usage"
    exit_code = 2


class NotFound(UsageError):
    """A name was given that nothing answers to."""

    code = "not-found"


class Undecided(DavyError):
    """The answer is neither yes nor no, since something that knows it cannot be asked."""

    code = "undecided"
    exit_code = 3


class NotPermitted(DavyError):
    """The caller is known, and may not do this."""

    code = "not-permitted"
    exit_code = 5


class Conflict(DavyError):
    """The state moved on since it was looked at, or someone else holds it."""

    code = "conflict"
    exit_code = 6


class IntegrityError(DavyError):
    """The record does not verify."""

    code = "integrity"
    exit_code = 7


class StillPending(DavyError):
    """It is not finished, and nobody asked to wait."""

    code = "pending"
    exit_code = 8


class TimedOut(DavyError):
    """It did not finish within the time that was given."""

    code = "timed-out"
    exit_code = 9


class Bug(DavyError):
    """Something that cannot happen did."""

    code = "bug"
    exit_code = 70
