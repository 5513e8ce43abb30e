"""The example service, for whoever measures something with it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import environ
from pathlib import Path

from bench.figure import Skipped
from davy.adapters.clock import Clock
from davy.adapters.embedded import EmbeddedPlatform
from davy.adapters.envoy_process import find_envoy
from davy.control.manifest_edits import with_images
from davy.errors import Undecided
from davy.model.images import ImageMap
from davy.model.loader import load
from davy.model.rollout import Rollout

EXAMPLES = Path(__file__).parents[1] / "examples" / "payments"


@dataclass(frozen=True, slots=True)
class Place:
    """A platform in a directory of its own, which knows what stands behind the example's images."""

    directory: Path
    platform: EmbeddedPlatform
    clock: Clock


def rollout() -> Rollout:
    """Read the example's rollout."""
    documents = load((EXAMPLES / "rollout.yaml").read_text(), "rollout.yaml")
    [found] = [each.value for each in documents if isinstance(each.value, Rollout)]
    return found


def version(manifest: Rollout, tag: str) -> Rollout:
    """Return the rollout at another version."""
    return with_images(manifest, {"*": f"ghcr.io/acme/payments:{tag}"})


@contextmanager
def place() -> Iterator[Place]:
    """Start a platform, and end everything of it afterwards."""
    try:
        find_envoy(environ.get("PATH", ""))
    except Undecided as error:
        raise Skipped(error.message) from error
    with tempfile.TemporaryDirectory(prefix="davy-bench-") as name:
        directory = Path(name)
        shutil.copy(EXAMPLES / "server.py", directory)
        shutil.copytree(EXAMPLES / "releases", directory / "releases")
        [images] = load((EXAMPLES / "images.yaml").read_text(), "images.yaml")
        assert isinstance(images.value, ImageMap)
        clock = Clock.at_speed(1.0)
        platform = EmbeddedPlatform(directory / "state", clock, environment=dict(environ), base=directory)
        platform.use_images(images.value)
        platform.start()
        try:
            yield Place(directory, platform, clock)
        finally:
            platform.shutdown()
