"""The file that says who may tell what over HTTP, held to what makes sense."""

import re
from collections.abc import Iterator

from davy.control.hooks.schemes import SCHEMES
from davy.control.hooks.source import Source, SourcesFile
from davy.model.finding import BadManifest, Finding
from davy.model.settings import Settings, load_settings

_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_LISTS = {"repos": "repository", "services": "service", "sources": "source of CloudEvents"}


def read_sources(text: bytes, file: str) -> tuple[Source, ...]:
    """Read a file of sources, all of it or nothing.

    Raises:
        BadManifest: there is an error in it; every finding has its place.
    """
    settings = load_settings(text, file, SourcesFile)
    findings = tuple(_findings(settings))
    if findings:
        raise BadManifest(findings)
    return settings.value.sources


def _findings(settings: Settings[SourcesFile]) -> Iterator[Finding]:
    names = [source.name for source in settings.value.sources]
    if not names:
        yield settings.finding("DV008", "sources", "`sources` is empty: nobody could tell anything")
    for number, source in enumerate(settings.value.sources):
        path = f"sources[{number}]"
        if not _NAME.fullmatch(source.name):
            title = f"`{path}.name` is {source.name!r}: small letters, digits and `-`, 63 at most"
            yield settings.finding("DV008", f"{path}.name", title)
        if source.name in names[:number]:
            yield settings.finding("DV008", f"{path}.name", f"there is a source {source.name!r} already")
        if source.scheme not in SCHEMES:
            title, fix = f"`{path}.scheme` is {source.scheme!r}", f"write one of {', '.join(SCHEMES)}"
            yield settings.finding("DV008", f"{path}.scheme", f"{title}, which means nothing", fix=fix)
        else:
            yield from _of_source(settings, path, source)


def _of_source(settings: Settings[SourcesFile], path: str, source: Source) -> Iterator[Finding]:
    scheme = SCHEMES[source.scheme]
    if not source.secrets:
        yield settings.finding("DV008", f"{path}.secrets", f"`{path}.secrets` is empty: anybody could be it")
    for number, kind in enumerate(source.kinds):
        if kind not in scheme.says:
            title, fix = (
                f"{source.scheme} does not say {kind!r}",
                f"write some of {', '.join(sorted(scheme.says))}",
            )
            yield settings.finding("DV008", f"{path}.kinds[{number}]", title, fix=fix)
    for needed in sorted(scheme.about):
        if not getattr(source, needed):
            title = f"`{path}.{needed}` is missing or empty: it could speak of no {_LISTS[needed]}"
            yield settings.finding("DV008", f"{path}.{needed}", title)
    if source.service and source.service_from:
        title = "either all of it is about one service, or the service is in what comes"
        yield settings.finding("DV008", f"{path}.serviceFrom", title)
    if source.per_minute < 1:
        title = f"`{path}.perMinute` is {source.per_minute}: at least 1"
        yield settings.finding("DV008", f"{path}.perMinute", title)
    if source.workflows and source.scheme != "circleci":
        yield settings.finding("DV008", f"{path}.workflows", "only CircleCI has workflows")
