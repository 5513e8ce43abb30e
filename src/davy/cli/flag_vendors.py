"""The vendors of flags that a sync knows, by name, and what each is made of."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from davy.errors import UsageError
from davy.flags.vendor import FlagVendor


class There(msgspec.Struct, frozen=True):
    """Where flags are at a vendor.

    Args:
        url: of its API; empty is the vendor's own.
        token_file: holds a token for it.
        project: as the vendor calls it; of Split the workspace.
        environment: as the vendor calls it.
        client_token_file: holds a token as SDKs have it, None where there is none.
    """

    url: str
    token_file: Path
    project: str
    environment: str
    client_token_file: Path | None = None


def _unleash(there: There) -> FlagVendor:
    from davy.adapters.flag_api import read_token
    from davy.adapters.unleash import Unleash

    if not there.url:
        raise UsageError("where is that Unleash?", hint="--url https://unleash.example.com")
    client = read_token(there.client_token_file) if there.client_token_file else ""
    token = read_token(there.token_file)
    return Unleash(there.url, token, there.project or "default", there.environment, client)


def _launchdarkly(there: There) -> FlagVendor:
    from davy.adapters.flag_api import read_token
    from davy.adapters.launchdarkly import LaunchDarkly

    url = there.url or "https://app.launchdarkly.com"
    return LaunchDarkly(url, read_token(there.token_file), there.project or "default", there.environment)


def _split(there: There) -> FlagVendor:
    from davy.adapters.flag_api import read_token
    from davy.adapters.split import Split

    if not there.project:
        raise UsageError("which workspace of Split?", hint="--project ID; the URL of its page has it")
    url = there.url or "https://api.split.io"
    return Split(url, read_token(there.token_file), there.project, there.environment)


VENDORS: dict[str, Callable[[There], FlagVendor]] = {
    "unleash": _unleash,
    "launchdarkly": _launchdarkly,
    "split": _split,
}
"""What makes each of them."""


def vendor(name: str, there: There) -> FlagVendor:
    """Return one of them; what only one of them knows is refused for the others.

    Raises:
        DavyError: something that it needs is missing, or the token cannot be read.
    """
    if there.client_token_file is not None and name != "unleash":
        raise UsageError(f"--client-token-file is for unleash, and this is {name}", hint="leave it out")
    return VENDORS[name](there)
