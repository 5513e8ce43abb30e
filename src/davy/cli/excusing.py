"""Read the waivers that a command is given as files."""

from collections.abc import Sequence

from davy.cli.manifests import read_manifests
from davy.control.admission import waivers_in
from davy.errors import UsageError
from davy.model.finding import BadManifest
from davy.model.loader import load_all
from davy.model.validate import validate
from davy.policy.waivers import Waiver


def read_waivers(sources: Sequence[str]) -> tuple[Waiver, ...]:
    """Return the waivers of files and directories; whether they count is for the policies to say.

    Raises:
        DavyError: something cannot be read, is no valid waiver, or there is none.
    """
    found: list[Waiver] = []
    for source in sources:
        loaded = load_all(read_manifests([source]))
        wrong = [*loaded.findings, *(each for document in loaded.documents for each in validate(document))]
        if any(finding.severity == "error" for finding in wrong):
            raise BadManifest(tuple(wrong))
        waivers = waivers_in(loaded.documents)
        if not waivers:
            raise UsageError(f"there is no waiver in {source}", hint="a waiver has `kind: Waiver`")
        found += waivers
    return tuple(found)
