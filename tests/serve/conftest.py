"""A stand-in for the engine, and a directory with a name short enough for a socket."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from davy.control import requests, views
from davy.testing.scripted import Scripted


def said(request: requests.AnyRequest, actor: str) -> views.AnyView:
    return views.ActionView(namespace="default", name=type(request).__name__, message=actor)


@pytest.fixture
def engine() -> Scripted:
    return Scripted(said)


@pytest.fixture
def home() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="davy-"))
    yield directory
    shutil.rmtree(directory)
