"""Davy's own ImageMap: which source and command stand behind an image where there are no containers."""

from collections.abc import Mapping

from davy.model.meta import Manifest
from davy.model.part import Part


class Source(Part, frozen=True):
    """Where the files are: a Git repository at a ref, or a directory. `{tag}` is the tag of the image."""

    git: str = ""
    ref: str = ""
    dir: str = ""


class ImageSource(Part, frozen=True):
    """How an image is run as a process.

    `build` runs once for each resolved commit; `command` is used where the container has none. `{tag}` is the
    tag of the image, `$(PORT)` is expanded by the platform.
    """

    source: Source
    build: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


class ImageMapSpec(Part, frozen=True):
    """Image references to sources; `*` in a reference stands for the tag."""

    images: Mapping[str, ImageSource]


class ImageMap(Manifest, frozen=True, kw_only=True):
    """What stands behind images on a machine that runs no containers."""

    spec: ImageMapSpec
    api_version: str = "davy.dev/v1alpha1"
    kind: str = "ImageMap"
