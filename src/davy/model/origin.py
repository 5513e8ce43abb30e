"""Where a version comes from and where it goes, as annotations say: the repository, the commit, the service.

They stand in the metadata of a pod template, which is the version's own, or in that of a Rollout, which all its
versions share. What stands in both is taken from the template.
"""

import re
from collections.abc import Mapping

import msgspec

from davy.model.rollout import PodTemplateSpec, Rollout

PREFIX = "davy.dev/"
NAMES = ("service", "environment", "target", "team", "repository", "commit", "kind", "remediates")
"""The annotations, without their prefix."""

KINDS = ("code", "config", "flag", "migration", "infra")
"""What a change may be of; that a rollout goes back is for the engine to see."""

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
"""The whole name of a commit; what is shorter may come to mean another one."""

LONGEST = 512

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.ASCII | re.IGNORECASE)
_SCP = re.compile(r"(?:[^@/:]+@)?([^@/:]+):(?!//)(.+)", re.ASCII)
_STANDARD_PORT = re.compile(r":(?:22|80|443|9418)$", re.ASCII)


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which change a version is; empty is what nobody said."""

    repository: str = ""
    commit: str = ""
    kind: str = ""
    remediates: str = ""


def annotated(rollout: Rollout, template: PodTemplateSpec) -> dict[str, str]:
    """Return what the annotations of a version say, by their names without prefix."""
    both = (rollout.metadata.annotations, template.metadata.annotations)
    found: dict[str, str] = {}
    for annotations in both:
        found |= {name: annotations[PREFIX + name] for name in NAMES if PREFIX + name in annotations}
    return found


def origin_of(rollout: Rollout, template: PodTemplateSpec) -> Origin:
    """Return which change a template is. A commit is one of a repository: neither counts without the other."""
    found = annotated(rollout, template)
    kind = found.get("kind", "")
    if not found.get("repository") or not COMMIT.fullmatch(found.get("commit", "")):
        return Origin(kind=kind)
    repository = repository_name(found["repository"])
    return Origin(repository, found["commit"], kind, found.get("remediates", ""))


def repository_name(written: str) -> str:
    """Return the one name of a repository, however its address is written: `github.com/acme/payments`.

    User, password, scheme, standard port and a `.git` at the end are left out; a name that is no address stays.
    """
    rest = written.strip()
    if scheme := _SCHEME.match(rest):
        host, slash, path = rest[scheme.end() :].partition("/")
        host = _STANDARD_PORT.sub("", host.rpartition("@")[2]).lower()
        rest = host + slash + path
    elif scp := _SCP.fullmatch(rest):
        rest = f"{scp[1].lower()}/{scp[2].lstrip('/')}"
    return rest.rstrip("/").removesuffix(".git") or written.strip()


def wrong(annotations: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the annotations that mean nothing: by their whole names, what is wrong and how to mend it."""
    found = {}
    for name in NAMES:
        value = annotations.get(PREFIX + name)
        if value is not None and (problem := _problem(name, value)):
            found[PREFIX + name] = (f"`{PREFIX}{name}` is {value[:80]!r}, {problem[0]}", problem[1])
    return found


def _problem(name: str, value: str) -> tuple[str, str] | None:
    match name:
        case "commit" | "remediates" if not COMMIT.fullmatch(value):
            return "which is not the whole name of a commit", "write all of it, as `git rev-parse HEAD` does"
        case "kind" if value not in KINDS:
            return "which no change is", f"write one of {', '.join(KINDS)}"
        case _ if not value.strip() or len(value) > LONGEST or not value.isprintable():
            return "which is no name", f"write 1 to {LONGEST} characters that can be printed, or leave it out"
        case _:
            return None
