"""`fix`: a diff first, and a file that is only ever the old one or the new one."""

import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from davy.cli.fix import replace_file
from davy.errors import UsageError

TOOTHLESS = """\
# mended by machine, comments and all
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: err-rate
spec:
  metrics:
  - name: error-rate   # of the canary
    interval: 30s
    count: 5
    failureLimit: 1
    provider:
      prometheus:
        address: http://prometheus:9090
        query: |
          sum(rate(http_requests_total{app="payments",status=~"5.."}[1m]))
          /
          sum(rate(http_requests_total{app="payments"}[1m])) > 0.02
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(TOOTHLESS)
    (tmp_path / "a.yaml").chmod(0o640)
    return tmp_path


def test_the_diff_is_one_that_git_takes_and_mends_the_same(run: Any, place: Path) -> None:
    ran = run("fix", "a.yaml")
    assert ran.exit_code == 1
    assert (place / "a.yaml").read_text() == TOOTHLESS
    subprocess.run(["git", "apply", "-"], input=ran.stdout, text=True, check=True, timeout=60)
    patched = (place / "a.yaml").read_text()
    (place / "a.yaml").write_text(TOOTHLESS)
    assert run("fix", "a.yaml", "--write").exit_code == 0
    assert (place / "a.yaml").read_text() == patched != TOOTHLESS


def test_writing_keeps_the_mode_and_what_is_mended_stays(run: Any, place: Path) -> None:
    ran = run("fix", ".", "--write")
    assert (ran.exit_code, ran.stdout) == (0, "a.yaml mended\n")
    assert stat.S_IMODE((place / "a.yaml").stat().st_mode) == 0o640
    assert [path.name for path in place.iterdir()] == ["a.yaml"]
    again = run("fix", ".", "--check")
    assert (again.exit_code, again.stdout, again.stderr) == (0, "", "nothing to mend\n")


def test_checking_names_the_files(run: Any, place: Path) -> None:
    ran = run("fix", "a.yaml", "--check")
    assert (ran.exit_code, ran.stdout) == (1, "a.yaml\n")
    assert (place / "a.yaml").read_text() == TOOTHLESS


def test_line_ends_and_a_byte_order_mark_stay(run: Any, place: Path) -> None:
    before = b"\xef\xbb\xbf" + TOOTHLESS.replace("\n", "\r\n").encode()
    (place / "a.yaml").write_bytes(before)
    run("fix", "a.yaml", "--write")
    after = (place / "a.yaml").read_bytes()
    assert after.startswith(b"\xef\xbb\xbf# mended by machine, comments and all\r\n")


def test_what_cannot_be_read_is_no_thing_to_mend(run: Any, place: Path) -> None:
    (place / "a.yaml").write_text("kind: [\n")
    ran = run("fix", "a.yaml")
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "DV001" in ran.stderr
    assert run("fix", "-").exit_code == 2


def test_a_link_keeps_pointing_to_what_was_mended(place: Path) -> None:
    (place / "link").symlink_to("a.yaml")
    replace_file(Path("link"), "new\n")
    assert (place / "link").is_symlink()
    assert (place / "a.yaml").read_text() == "new\n"


def test_a_file_that_cannot_be_written_is_as_it_was(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"a\.yaml cannot be written: No space left on device"):
        replace_file(Path("a.yaml"), "new")
    with pytest.raises(UsageError, match="cannot be written"):
        replace_file(Path("no/such/directory"), "x")
    assert (place / "a.yaml").read_text() == TOOTHLESS
    assert os.listdir(place) == ["a.yaml"]  # noqa: PTH208
