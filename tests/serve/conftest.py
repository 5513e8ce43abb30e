"""A stand-in for the engine, and a directory with a name short enough for a socket."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serve.hooking import SHARED

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


@pytest.fixture(scope="session", autouse=True)
def _shared() -> Iterator[None]:
    yield
    SHARED.stop()
