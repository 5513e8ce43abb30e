"""Regular expressions as Go and Kubernetes have them: RE2's, so that none can make Davy wait."""

import re2

from davy.policy.gatekeeper.malformed import Malformed
from davy.policy.review import Json

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


def regexp(pattern: Json, path: str = "") -> "re2._Regexp[str]":
    """Compile one.

    Raises:
        Malformed: it is none.
    """
    try:
        return re2.compile(pattern, options=_OPTIONS)
    except (re2.error, TypeError) as error:
        raise Malformed(path, f"{pattern!r} is no regular expression: {error}") from error
