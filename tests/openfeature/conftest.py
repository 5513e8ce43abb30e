"""OpenFeature's state is one for the whole process: each test gets it empty and leaves it so."""

from collections.abc import Iterator

import pytest

from openfeature import api


@pytest.fixture(autouse=True)
def _empty_api() -> Iterator[None]:
    yield
    api.shutdown()
