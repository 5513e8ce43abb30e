"""What an image stands for on a machine without containers: a directory or a commit, and a command.

The order is: the annotation `davy.dev/command` of the pod template, the ImageMap, the container's own command
when this machine has the program. Nothing is guessed: an image that none of them explains is refused, with the
line to add.
"""

import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from davy.adapters.builds import Builds, Recipe
from davy.adapters.pod_template import container_of
from davy.errors import Refused, Undecided
from davy.model.images import ImageMap, ImageSource
from davy.model.key import Key
from davy.model.pod import Container, PodTemplateSpec
from davy.rollout.platform import Launch

COMMAND_ANNOTATION = "davy.dev/command"

# https://github.com/opencontainers/distribution-spec: a tag can neither be an option nor leave its directory
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40,64}", re.ASCII)
_GIT_WITHIN_S = 30.0


class ImageNotMapped(Refused):
    """Nothing says what an image runs."""

    code = "image-not-mapped"


class Images:
    """Finds out how images are started here.

    Args:
        builds: makes a directory of a commit.
        base: where an image that is not mapped runs, and what relative paths are relative to.
        environment: what Git is run with, and where programs are looked for.
    """

    def __init__(self, builds: Builds, *, base: Path, environment: Mapping[str, str]) -> None:
        self._builds = builds
        self._base = base.resolve()
        self._environment = {**environment, "GIT_TERMINAL_PROMPT": "0"}
        self._maps: dict[Key, ImageMap] = {}

    def use(self, images: ImageMap) -> None:
        """Take in an ImageMap, in the place of one of its name."""
        self._maps = {**self._maps, images.key: images}

    def resolve(self, template: PodTemplateSpec) -> Launch:
        """Say how the image of a pod template is started.

        Git is asked which commit a ref is now, so that a moved tag is a new revision; the files are fetched
        and built when the first replica starts.

        Raises:
            Refused: nothing says what the image runs, or what says it cannot be followed.
            Undecided: Git does not answer.
        """
        container = container_of(template)
        annotated = _annotated(template)
        found = self._find(container.image)
        if found is None:
            return self._unmapped(container, annotated)
        argv = annotated or (*(container.command or found.source.command), *container.args)
        if not argv:
            raise ImageNotMapped(
                f"the ImageMap says where image {container.image} is, but not what it runs",
                hint=f'add under "{found.pattern}": command: [./program, --port, "$(PORT)"]',
            )
        return self._place(found, argv)

    def _find(self, image: str) -> "_Found | None":
        """Find the entry for an image; one without `*` comes before one with, a longer one before a shorter."""
        name, tag = _split(image)
        entries = [
            _Found(pattern, source, name, tag)
            for images in self._maps.values()
            for pattern, source in images.spec.images.items()
        ]
        matching = [entry for entry in entries if entry.matches]
        return max(matching, key=lambda entry: ("*" not in entry.pattern, len(entry.pattern)), default=None)

    def _unmapped(self, container: Container, annotated: tuple[str, ...]) -> Launch:
        argv = annotated or (*container.command, *container.args)
        if not annotated and not (container.command and self._has(container.command[0])):
            name, _ = _split(container.image)
            raise ImageNotMapped(
                f"nothing says what image {container.image or '(none)'} runs on this machine",
                hint=f'add to an ImageMap: "{name}:*": '
                '{source: {dir: "./releases/{tag}"}, command: [./program, --port, "$(PORT)"]}',
            )
        return Launch(argv=argv, directory=str(self._base))

    def _has(self, program: str) -> bool:
        """Say whether this machine has a program; a path with a slash is looked for from the base directory."""
        if "/" in program:
            return (self._base / program).is_file()
        return shutil.which(program, path=self._environment.get("PATH", "")) is not None

    def _place(self, found: "_Found", argv: tuple[str, ...]) -> Launch:
        source = found.source.source
        if source.dir:
            directory = self._base / found.fill(source.dir)
            if not directory.is_dir():
                raise Refused(
                    f"image {found.image} stands for the directory {directory}, which is not there",
                    hint=f'make it, or mend the entry "{found.pattern}" of the ImageMap',
                )
            return Launch(argv=argv, directory=str(directory))
        if not source.git:
            raise Refused(
                f"image {found.image} stands for neither a directory nor a Git repository",
                hint=f'add under "{found.pattern}": source: {{dir: ./releases/{{tag}}}}',
            )
        repository = self._base / source.git
        recipe = Recipe(str(repository), self._commit(repository, found), found.source.build)
        return Launch(argv=argv, directory=self._builds.directory(recipe), digest=recipe.digest)

    def _commit(self, repository: Path, found: "_Found") -> str:
        ref = found.fill(found.source.source.ref or "HEAD")
        if ref.startswith("-"):
            raise Refused(
                f"image {found.image} stands for the Git ref {ref!r}, which Git would take for an option"
            )
        if not repository.is_dir():
            raise Refused(f"image {found.image} stands for the Git repository {repository}, which is not there")
        command = ["git", "-C", str(repository), "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"]
        try:
            answer = subprocess.run(
                command,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=_GIT_WITHIN_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Undecided(f"Git cannot be asked about {repository}: {error}", hint="install git") from error
        commit = answer.stdout.strip()
        if not _COMMIT.fullmatch(commit):
            said = answer.stderr.strip().splitlines()
            raise Refused(
                f"image {found.image} stands for {ref} of {repository}, which is not a commit there",
                hint=said[0] if said else f"git -C {repository} tag {ref}",
            )
        return commit


class _Found(NamedTuple):
    """An entry of an ImageMap beside the image that was looked for."""

    pattern: str
    source: ImageSource
    name: str
    tag: str

    @property
    def image(self) -> str:
        return f"{self.name}:{self.tag}"

    @property
    def matches(self) -> bool:
        """Whether the entry is for this image; `*` stands for any part of the tag."""
        name, tag = _split(self.pattern)
        parts = (re.escape(part) for part in tag.split("*"))
        return name == self.name and re.fullmatch(".*".join(parts), self.tag) is not None

    def fill(self, text: str) -> str:
        """Put the tag into a path or a ref.

        Raises:
            Refused: it is no tag, and could lead anywhere.
        """
        if "{tag}" in text and not _TAG.fullmatch(self.tag):
            raise Refused(f"image {self.image} has no proper tag, and its ImageMap makes a path or a ref of it")
        return text.replace("{tag}", self.tag)


def _annotated(template: PodTemplateSpec) -> tuple[str, ...]:
    text = template.metadata.annotations.get(COMMAND_ANNOTATION, "")
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise Refused(f"the annotation {COMMAND_ANNOTATION} is not a command line: {error}") from error


def _split(image: str) -> tuple[str, str]:
    """Split a reference into name and tag; `latest` where there is none, `sha256-…` for a digest."""
    name, _, digest = image.partition("@")
    head, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    if digest:
        return f"{head}{slash}{last}", digest.replace(":", "-")
    return f"{head}{slash}{last}", tag if colon else "latest"
