"""Who may tell what over HTTP: the sources of a file, each with the services it can speak for."""

from fnmatch import fnmatchcase

from davy.model.part import Int32, Part


class SecretKey(Part, frozen=True):
    """A key of a secret: the file `secrets/NAMESPACE/NAME/KEY` of the state directory."""

    name: str
    key: str
    namespace: str = "default"


class Source(Part, frozen=True, kw_only=True):
    """One sender, and what it may say.

    Args:
        name: what people call it; it is in the record.
        scheme: how it proves who it is, and how what it sends is read.
        secrets: any of these proves it; there are two while a secret is being changed.
        services: the services it may speak of; `*` stands for anything.
        repos: the repositories it may speak of, as in `github.com/acme/*`.
        sources: for CloudEvents: which values of the attribute `source` are its own.
        kinds: the kinds of entries that it may say, all of its scheme where it is empty.
        service: the service of everything that it says.
        service_from: where in what it sends the service is, as in `labels.app`.
        environment: the environment of everything that it says, where it does not say one.
        branches: which branches are released from; the default branch of the repository where it is empty.
        workflows: for CircleCI: which workflows deploy.
        deployment_exposes: whether a deployment is an exposure to all users, and a promotion.
        per_minute: how many deliveries it may make.
    """

    name: str
    scheme: str
    secrets: tuple[SecretKey, ...]
    services: tuple[str, ...] = ()
    repos: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    service: str = ""
    service_from: str = ""
    environment: str = ""
    branches: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    deployment_exposes: bool = False
    per_minute: Int32 = 600

    def releases(self, branch: str, default: str) -> bool:
        """Say whether a branch is one that is released from."""
        return covers(self.branches, branch) if self.branches else branch == default

    def wants(self, environment: str) -> bool:
        """Say whether deployments to an environment are of interest."""
        return not self.environment or environment in ("", self.environment)


class SourcesFile(Part, frozen=True):
    """What stands in the file of sources."""

    sources: tuple[Source, ...]


def covers(patterns: tuple[str, ...], name: str) -> bool:
    """Say whether one of some patterns is for a name."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
