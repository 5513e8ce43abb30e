"""`davy git follow` with an engine and without one, on real repositories."""

from pathlib import Path
from typing import Any

import pytest
from tests.cli.test_whole import Quiet, world
from tests.control.repositories import NAME, Repository

from davy.adapters.sqlite import SqliteStore
from davy.ledger.entry import Draft, Entry

__all__ = ["world"]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "shop")
    made.commit("begin")
    made.topic("topic", "one", "two")
    return made


def entries(home: Path, *drafts: Draft) -> list[Entry]:
    store = SqliteStore(home / "davy.db")
    store.commit({}, list(drafts))
    found = list(store.entries())
    store.close()
    return found


def started(commit: str, name: str = "default/shop#1.1") -> Draft:
    change = {"repo": f"git@github.com:{NAME.partition('/')[2]}.git", "commit": commit}
    return Draft(1.7e9, "update_started", "Rollout default/shop", {"change": change, "rollout": name})


def test_without_an_engine_it_writes_into_the_record_of_the_state_directory(
    run: Any, home: Path, repository: Repository
) -> None:
    entries(home, started(repository.head))
    ran = run("git", "follow", "--repo", f"{NAME}={repository.directory}", "--once")
    assert (ran.exit_code, ran.stderr) == (0, "")
    lines = [line.split(maxsplit=1)[1] for line in ran.stdout.splitlines()]
    merge = repository.head
    assert lines[1:] == [
        f"change_created  Change {NAME}@{merge}  Merge pull request #7 from acme/topic",
        f"change_merged  Change {NAME}@{merge}  Merge pull request #7 from acme/topic",
        f"change_contained  Rollout default/shop  default/shop#1.1 brings {merge[:12]}",
    ]
    found = entries(home)
    assert [entry.kind for entry in found][1:] == [line.split()[1] for line in ran.stdout.splitlines()]
    assert all(entry.authenticated.startswith("this machine, ") for entry in found[1:])
    assert run("git", "follow", "--repo", f"{NAME}={repository.directory}", "--once").stdout == ""


def test_with_an_engine_it_tells_the_engine(run: Any, world: Quiet, repository: Repository) -> None:
    ran = run("git", "follow", str(repository.directory), "--once")
    assert (ran.exit_code, ran.stderr) == (0, "")
    told = run("record").stdout
    assert "is merged" in told
    assert f"by {repository.directory}: Merge pull request #7" in told


def test_it_goes_on_until_somebody_ends_it_and_fetches_where_it_is_told_to(
    run: Any, home: Path, repository: Repository, waiting: Any, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    repository.git("clone", "--quiet", str(repository.directory), str(clone))

    def then(waits: int) -> None:
        if waits == 1:
            repository.commit("another")
        if waits == 2:
            raise KeyboardInterrupt

    waiting.then = then
    home.mkdir(exist_ok=True)
    ran = run("git", "follow", "--fetch", "--every", "1m", str(clone))
    assert ran.exit_code == 130
    assert ran.stdout.splitlines()[-1].endswith("  another")
    assert waiting.seconds == 120.0


def test_what_cannot_be_decided_is_told_once_and_ends_in_3(
    run: Any, home: Path, repository: Repository, waiting: Any, tmp_path: Path
) -> None:
    entries(home, started("2" * 40))
    repo = f"{NAME}={repository.directory}"

    def then(waits: int) -> None:
        if waits == 3:
            raise KeyboardInterrupt

    waiting.then = then
    ran = run("git", "follow", "--repo", repo)
    assert ran.stderr.count("default/shop#1.1 cannot be placed: there is no commit 222222222222 here") == 1
    assert "git fetch" in ran.stderr
    ran = run("git", "follow", "--repo", repo, "--once", "--fetch")
    assert ran.exit_code == 3
    assert "git fetch failed: fatal: " in ran.stderr


def test_what_is_on_record_and_says_something_else_is_told(
    run: Any, home: Path, repository: Repository
) -> None:
    merge = repository.head
    other = Draft(1.0, "change_blamed", "Change", {}, source=NAME, id=f"git:{merge}:created", received=1.0)
    entries(home, other)
    ran = run("git", "follow", "--repo", f"{NAME}={repository.directory}", "--once")
    assert ran.exit_code == 0
    assert "is on record, and says something else there" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--repo", "shop"], "'shop' is no repository"),
        (["--repo", "=x"], "'=x' is no repository"),
        (["nowhere"], "nowhere is no directory"),
        (["."], "git rev-parse failed"),
        (["REPO", "--branch", "other"], "there is no branch 'other'"),
        (["REPO", "--since", "--all"], "'--all' is no name of a commit"),
        (["REPO", "REPO"], "two repositories are called"),
        (["REPO", "--every", "soon"], "--every is 'soon'"),
        (["REPO", "--every", "0s"], "it takes some time"),
        (["REPO", "--once"], "there is no ledger in"),
    ],
)
def test_what_cannot_be_followed_is_refused(
    run: Any,
    repository: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    told: str,
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    words = [str(repository.directory) if word == "REPO" else word for word in arguments]
    ran = run("--home", str(tmp_path / "no-home"), "git", "follow", *words)
    assert ran.exit_code == 2
    assert told in ran.stderr


def test_a_repository_that_wants_a_program_run_for_a_fetch_gets_none_run(
    run: Any, home: Path, repository: Repository, tmp_path: Path
) -> None:
    entries(home)
    ran_by_it = tmp_path / "ran"
    program = tmp_path / "pack"
    program.write_text(f"#!/bin/sh\ntouch {ran_by_it}\n")
    program.chmod(0o755)
    for name, value in {
        "protocol.allow": "always",
        "protocol.ext.allow": "always",
        "remote.origin.url": f"ext::{program}",
        "remote.origin.uploadpack": str(program),
        "core.sshCommand": str(program),
        "core.fsmonitor": str(program),
    }.items():
        repository.git("config", name, value)
    for url in (f"ext::{program}", str(repository.directory)):
        repository.git("config", "remote.origin.url", url)
        ran = run("git", "follow", "--repo", f"{NAME}={repository.directory}", "--once", "--fetch")
        assert "Traceback" not in ran.output
        assert not ran_by_it.exists(), url
