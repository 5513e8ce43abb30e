"""Witnesses, the real ones: a Git repository and one that is asked over HTTP."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.serve.witnessing import WITNESS, served

from davy.adapters.witness_file import (
    FILE,
    AnyWitness,
    GitWitness,
    HttpWitness,
    read_witnesses,
    write_witnesses,
)
from davy.adapters.witness_git import GitWitnessing, file_name
from davy.adapters.witness_http import HttpWitnessing
from davy.errors import DavyError, IntegrityError, NotPermitted, Undecided, UsageError
from davy.ledger import note
from davy.ledger.checkpoint import read
from davy.ledger.cosignature import witness_key
from davy.ledger.note import PrivateKey
from davy.ledger.witness import SplitView, Witness
from davy.testing.witness import KEY, WitnessContract, given

WITNESS_VKEY = str(witness_key(WITNESS))


def git(repository: Path, *arguments: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(repository.parent), "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": "x", f"GIT_{role}_EMAIL": "x@x.invalid"}
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def repository(directory: Path) -> Path:
    bare = directory / "witness.git"
    if not bare.exists():
        bare.mkdir(parents=True)
        git(bare, "init", "--bare", "--quiet")
    return bare


def pushing(directory: Path, *, branch: str = "davy-ledger") -> GitWitnessing:
    room = directory / "room"
    room.mkdir(exist_ok=True)
    witness = GitWitness(str(repository(directory)), branch)
    return GitWitnessing("ci", witness, room, {"PATH": os.environ["PATH"], "HOME": str(directory)})


class TestGit(WitnessContract):
    @pytest.fixture(autouse=True)
    def made(self, tmp_path: Path) -> None:
        repository(tmp_path)
        (tmp_path / "room").mkdir()

    def reach(self, directory: Path) -> Witness:
        return pushing(directory)


class TestHttp(WitnessContract):
    @pytest.fixture(autouse=True)
    def running(self) -> Iterator[None]:
        self.ports: dict[Path, int] = {}
        with ExitStack() as self.servers:
            yield

    @pytest.fixture(autouse=True)
    def began(self, running: None, tmp_path: Path) -> None:
        self.reach(tmp_path)

    def reach(self, directory: Path) -> Witness:
        if directory not in self.ports:
            self.ports[directory], _ = self.servers.enter_context(served(directory))
        url = f"http://127.0.0.1:{self.ports[directory]}"
        return HttpWitnessing("ci", HttpWitness(url, WITNESS_VKEY))

    def test_what_is_cosigned_names_the_witness_and_when(self, tmp_path: Path) -> None:
        signed = self.reach(tmp_path).give(given("abc"))
        assert len(note.verify(signed, [KEY.public, witness_key(WITNESS)])) == 2
        again = self.reach(tmp_path).give(given("abc", signed))
        assert [each.name for each in again.signatures] == [KEY.name, WITNESS.name]

    def test_it_goes_on_after_a_restart(self, tmp_path: Path) -> None:
        last = self.reach(tmp_path).give(given("abc"))
        self.servers.pop_all().close()
        self.ports.clear()
        with pytest.raises(SplitView, match="older copy"):
            self.reach(tmp_path).give(given("ab"))
        assert read(self.reach(tmp_path).give(given("abcd", last)).text).size == 4

    def test_a_ledger_that_it_does_not_know_is_told_what_to_do(self, tmp_path: Path) -> None:
        other = PrivateKey("davy.invalid/other", b"\5" * 32)
        with pytest.raises(NotPermitted, match=r"does not know davy\.invalid/other") as refused:
            self.reach(tmp_path).give(given("abc", key=other))
        assert str(other.public) in refused.value.hint

    def test_a_cosignature_of_somebody_else_is_not_believed(self, tmp_path: Path) -> None:
        self.reach(tmp_path)
        other = str(witness_key(PrivateKey(WITNESS.name, b"\6" * 32)))
        asked = HttpWitnessing("ci", HttpWitness(f"http://127.0.0.1:{self.ports[tmp_path]}/", other))
        with pytest.raises(IntegrityError, match="nobody who is trusted has signed it"):
            asked.give(given("abc"))


def test_every_checkpoint_is_a_commit_on_a_branch_that_others_do_not_touch(tmp_path: Path) -> None:
    bare = repository(tmp_path)
    blob = subprocess.run(
        ["git", "-C", bare, "hash-object", "-w", "--stdin"], input=b"theirs", capture_output=True, check=True
    ).stdout.decode()
    tree = subprocess.run(
        ["git", "-C", bare, "mktree", "-z"],
        input=f"100755 blob {blob.strip()}\tré\nadme\0".encode(),
        capture_output=True,
        check=True,
    ).stdout.decode()
    first = git(bare, "commit-tree", "-m", "theirs", tree.strip())
    git(bare, "update-ref", "refs/heads/ledgers", first)
    pushing(tmp_path, branch="ledgers").give(given("abc"))
    pushing(tmp_path, branch="ledgers").give(given("abc"))
    signed = pushing(tmp_path, branch="ledgers").give(given("abcd"))
    told = git(bare, "log", "--format=%an: %s", "ledgers").splitlines()
    assert told == [f"davy: {KEY.name}: 4 entries", f"davy: {KEY.name}: 3 entries", "x: theirs"]
    assert git(bare, "ls-tree", "--name-only", "-z", "ledgers").split("\0")[:2] == [
        "davy.invalid%2F0123abcd",
        "ré\nadme",
    ]
    assert git(bare, "show", f"ledgers:{file_name(KEY.name)}") == str(signed).strip()
    assert git(bare, "for-each-ref", "--format=%(refname)") == "refs/heads/ledgers"
    assert not list((tmp_path / "room").iterdir())


def test_ledgers_share_a_branch(tmp_path: Path) -> None:
    other = PrivateKey("davy.invalid/other", b"\5" * 32)
    for size in (1, 2):
        for key in (KEY, other):
            pushing(tmp_path).give(given("ab"[:size], key=key))
    with pytest.raises(SplitView, match="older copy"):
        pushing(tmp_path).give(given("a", key=other))


@pytest.mark.parametrize("there", ["no checkpoint", "a\n1\nx=\n\n— a b\n", "x" * 70000])
def test_what_is_there_and_is_no_checkpoint_is_told(there: str, tmp_path: Path) -> None:
    bare = repository(tmp_path)
    blob = subprocess.run(
        ["git", "-C", bare, "hash-object", "-w", "--stdin"],
        input=there.encode(),
        capture_output=True,
        check=True,
    ).stdout.decode()
    listed = f"100644 blob {blob.strip()}\t{file_name(KEY.name)}\0".encode()
    tree = subprocess.run(
        ["git", "-C", bare, "mktree", "-z"], input=listed, capture_output=True, check=True
    ).stdout.decode()
    git(bare, "update-ref", "refs/heads/davy-ledger", git(bare, "commit-tree", "-m", "x", tree.strip()))
    with pytest.raises(IntegrityError, match=r"is no (file of a )?checkpoint"):
        pushing(tmp_path).give(given("abc"))


def test_a_repository_that_is_not_there_or_gives_no_leave_is_told(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    gone = GitWitnessing("ci", GitWitness(str(tmp_path / "none.git")), tmp_path / "room", dict(os.environ))
    with pytest.raises(Undecided, match="the witness ci cannot be reached: git ls-remote: fatal"):
        gone.give(given("abc"))
    bare = repository(tmp_path)
    (bare / "hooks").mkdir(exist_ok=True)
    (bare / "hooks" / "pre-receive").write_text("#!/bin/sh\nexit 1\n")
    (bare / "hooks" / "pre-receive").chmod(0o755)
    with pytest.raises(Undecided, match=r"does not take it: .*pre-receive hook declined"):
        pushing(tmp_path).give(given("abc"))
    with pytest.raises(Undecided, match="cannot be worked in"):
        GitWitnessing("ci", GitWitness(str(bare)), tmp_path / "nowhere", dict(os.environ)).give(given("abc"))


def test_no_hook_and_no_configuration_of_the_caller_s_repository_counts(tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-push").write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    (hooks / "pre-push").chmod(0o755)
    (tmp_path / ".gitconfig").write_text(f"[core]\nhooksPath = {hooks}\n")
    room, bare = tmp_path / "room", repository(tmp_path)
    room.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_DIR": "/nonexistent"}
    GitWitnessing("ci", GitWitness(str(bare)), room, environment).give(given("abc"))
    assert git(bare, "rev-parse", "--verify", "davy-ledger")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("davy.invalid/ab", "davy.invalid%2Fab"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        (".git", "%2Egit"),
        ("a\nb\0c", "a%0Ab%00c"),
        ("é", "%C3%A9"),
        ("git~1", "git%7E1"),
    ],
)
def test_a_file_is_named_after_an_origin_without_leaving_its_directory(origin: str, name: str) -> None:
    assert file_name(origin) == name


def test_witnesses_are_kept_in_a_file(tmp_path: Path) -> None:
    assert read_witnesses(tmp_path) == {}
    kept: dict[str, AnyWitness] = {
        "ci": GitWitness("/srv/ci.git", "main", 5.0),
        "two": HttpWitness("https://w.invalid", WITNESS_VKEY),
    }
    write_witnesses(tmp_path, kept)
    assert read_witnesses(tmp_path) == kept


@pytest.mark.parametrize(
    "spoilt",
    [
        "{",
        '{"witnesses": {"a": {"kind": "git"}}}',
        '{"witnesses": {"a": {"kind": "carrier pigeon", "url": "x"}}}',
        '{"witnesses": {"../a": {"kind": "git", "url": "x"}}}',
        '{"witnesses": {"a": {"kind": "git", "url": "--upload-pack=touch /tmp/x"}}}',
        '{"witnesses": {"a": {"kind": "git", "url": "ext::sh -c whoami"}}}',
        '{"witnesses": {"a": {"kind": "git", "url": "https://me:canary@x.invalid/y"}}}',
        '{"witnesses": {"a": {"kind": "git", "url": "x", "branch": "-x"}}}',
        '{"witnesses": {"a": {"kind": "git", "url": "x", "every_s": 0.1}}}',
        '{"witnesses": {"a": {"kind": "http", "url": "ftp://x", "key": "k"}}}',
        '{"witnesses": {"a": {"kind": "git", "url": "x", "more": 1}}}',
    ],
)
def test_a_file_that_is_no_list_of_witnesses_is_refused(spoilt: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(spoilt)
    with pytest.raises(UsageError, match="is no list of witnesses") as refused:
        read_witnesses(tmp_path)
    assert "canary" not in refused.value.message


def test_a_name_that_cannot_be_one_is_refused_before_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no witness can have"):
        write_witnesses(tmp_path, {"A/b": GitWitness("x")})
    assert not (tmp_path / FILE).exists()


def test_a_password_in_the_answer_of_git_is_not_passed_on(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    config = tmp_path / ".gitconfig"
    config.write_text('[url "http://me:canary@127.0.0.1:1/"]\n    insteadOf = "w:"\n')
    witness = GitWitnessing(
        "ci", GitWitness("w:x.git"), tmp_path / "room", {**os.environ, "HOME": str(tmp_path)}
    )
    with pytest.raises(DavyError) as refused:
        witness.give(given("abc"))
    assert "canary" not in f"{refused.value.message} {refused.value.hint}"


def test_keys_and_authorities_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the key of the witness ci cannot be read"):
        HttpWitnessing("ci", HttpWitness("http://x", "nokey"))
    with pytest.raises(UsageError, match="no authority can be read"):
        HttpWitnessing("ci", HttpWitness("https://x", WITNESS_VKEY, str(tmp_path / "none")))
