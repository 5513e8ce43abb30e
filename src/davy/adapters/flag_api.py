"""The HTTP API of a vendor of flags as far as a sync needs it: a question, its answer as JSON, or an error."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from davy.adapters.http import Response, redacted, request
from davy.adapters.private_file import NotPrivate, read_private
from davy.errors import DavyError, NotFound, NotPermitted, Undecided, UsageError

MAX_BYTES = 64 << 20
"""The largest answer that is read: all flags of a project with all their rules."""

TIMEOUT_S = 30.0

_LARGEST_TOKEN = 1 << 14
_LONGEST_REASON = 300

Answer = TypeVar("Answer")


class VendorUnavailable(Undecided):
    """A vendor of flags gave no answer that can be used."""

    code = "flag-vendor-unavailable"


def read_token(path: Path) -> str:
    """Read a token from a file that nobody else may read.

    Raises:
        NotPermitted: others may.
        UsageError: it cannot be read, or there is none in it.
    """
    try:
        token = read_private(path, str(path), largest=_LARGEST_TOKEN, follow=True).decode().strip()
    except NotPrivate as error:
        raise NotPermitted(f"{path} {error.why}", hint=error.mend) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', 'it is no text')}") from error
    if not token or any(not "!" <= character <= "~" for character in token):
        raise UsageError(f"there is no token in {path}", hint="the file holds the token and nothing else")
    return token


class FlagApi:
    """Asks a server.

    Args:
        url: where it is, as in `https://flags.example.com`.
        authorization: what goes into the header of that name.
        vendor: what to call it.
    """

    def __init__(self, url: str, authorization: str, vendor: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise UsageError(
                f"{redacted(url)} is no address of {vendor}", hint="--url https://flags.example.com"
            )
        self.host = parts.netloc
        self._base, self._authorization, self._vendor = url.rstrip("/"), authorization, vendor

    def read(self, kind: type[Answer], path: str, query: Mapping[str, str] | None = None) -> Answer:
        """Return what is at a path; fields that are not named are not looked at.

        Raises:
            DavyError: it could not be had, or is not what the API says.
        """
        answer = self._asked("GET", path + (f"?{urlencode(query)}" if query else ""))
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise VendorUnavailable(f"{self._vendor} answered with something else than its API says") from error

    def send(self, method: str, path: str, body: Any = None, media_type: str = "application/json") -> None:
        """Send something.

        Raises:
            DavyError: it was not taken.
        """
        self._asked(method, path, body, media_type)

    def _asked(
        self, method: str, path: str, body: Any = None, media_type: str = "application/json"
    ) -> Response:
        content = None if body is None else msgspec.json.encode(body)
        sent = {"Authorization": self._authorization, "Content-Type": media_type}
        answer = request(
            method, self._base + path, headers=sent, body=content, timeout_s=TIMEOUT_S, max_bytes=MAX_BYTES
        )
        if not 200 <= answer.status < 300:
            raise self._refusal(method, path.partition("?")[0], answer)
        return answer

    def _refusal(self, method: str, path: str, answer: Response) -> DavyError:
        said = f"{self._vendor} answered {method} {path} with {answer.status}"
        if answer.status in (401, 403):
            return NotPermitted(said, hint="the token of --token-file may not do that there")
        if answer.status == 404:
            return NotFound(said, hint="--project and --environment are names that exist there")
        if answer.status == 429:
            wait = answer.headers.get("retry-after", "")
            return VendorUnavailable(f"{said}: too many requests" + (f"; again in {wait} s" if wait else ""))
        if answer.status < 500:
            return UsageError(f"{said}: {self._shown(answer.body)}")
        return VendorUnavailable(said)

    def _shown(self, body: bytes) -> str:
        """Cut what a server says of what was wrong, and never repeat the token."""
        text = " ".join(body.decode("utf-8", "replace").split()).replace(self._authorization, "…")
        return "".join(each if each.isprintable() else " " for each in text)[:_LONGEST_REASON]
