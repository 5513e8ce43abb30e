"""Trees of code on the disk: what is read of them, what is kept, what a change is about."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from davy.adapters.lint_cache import LintCache
from davy.adapters.lint_scan import Scanned, scan_tree
from davy.adapters.source_tree import SourceTree
from davy.errors import UsageError

READS = "client.get_boolean_value({}, False)\n"


def write(top: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, ns=(1_700_000_000_000_000_000, 1_700_000_000_000_000_000))


def git(top: Path, *arguments: str) -> None:
    told = ("-c", "user.name=a", "-c", "user.email=a@example", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *told, *arguments], cwd=top, check=True, capture_output=True)


def keys(scanned: Scanned) -> list[str]:
    return sorted(key for scan in scanned.scans for usage in scan.usages for key in usage.keys or ("?",))


def scan(top: Path, cache: Path | None = None, since: str = "") -> Scanned:
    return scan_tree(SourceTree([str(top)]), cache=cache, since=since, settle_ns=0)


def test_what_git_ignores_and_what_is_vendored_is_not_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.py": READS.format("'a.own'"),
            "made/b.py": READS.format("'a.made'"),
            "node_modules/c.js": "client.getBooleanValue('a.vendored', false)",
            "notes.txt": READS.format("'a.text'"),
            ".gitignore": "made/\n",
        },
    )
    assert keys(scan(tmp_path)) == ["a.made", "a.own"]
    git(tmp_path, "init", "-q")
    assert keys(scan(tmp_path)) == ["a.own"]
    assert keys(scan_tree(SourceTree([str(tmp_path / "made" / "b.py")]))) == ["a.made"]


def test_links_binaries_and_what_is_too_large_are_left_alone(tmp_path: Path) -> None:
    write(
        tmp_path, {"large.py": READS.format("'a.large'") + "#" * 500, "b/other.py": READS.format("'b.other'")}
    )
    (tmp_path / "binary.py").write_bytes(b"\0" + READS.format("'a.binary'").encode())
    (tmp_path / "link.py").symlink_to("large.py")
    (tmp_path / "loop").symlink_to(".")
    tree = SourceTree([str(tmp_path)], largest=300)
    scanned = scan_tree(tree)
    assert keys(scanned) == ["b.other"]
    assert [(Path(each.file).name, each.why) for each in scanned.unread] == [
        ("large.py", "larger than 300 bytes")
    ]
    os.mkfifo(tmp_path / "pipe.py")
    assert keys(scan(tmp_path)) == ["a.large", "b.other"]


def test_what_is_not_there_or_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        SourceTree([str(tmp_path / "none")])
    tree = SourceTree([str(tmp_path)])
    assert tree.read(str(tmp_path)) == b""
    assert tree.read(str(tmp_path / "none.py")) == b""
    assert [each.why for each in tree.unread] == ["Is a directory", "No such file or directory"]


def test_a_cache_changes_nothing_and_forgets_what_changed(tmp_path: Path) -> None:
    top, cache = tmp_path / "code", tmp_path / "cache" / "a.scan"
    write(
        top,
        {
            "flags.py": "KEY = 'a.imported'\n",
            "wrap.py": "def is_on(key):\n    return client.get_boolean_value(key, False)\n",
            "a.py": "from flags import KEY\n" + READS.format("KEY"),
            "b.py": "from wrap import is_on\nis_on('a.wrapped')\n",
            "c.py": "nothing = 1\n",
        },
    )
    found = scan(top, cache)
    assert keys(found) == ["?", "a.imported", "a.wrapped"]
    assert scan(top, cache) == found == scan(top)
    write(top, {"flags.py": "KEY = 'a.renamed!'\n", "c.py": "from wrap import is_on\nis_on('c.new')\n"})
    assert keys(scan(top, cache)) == ["?", "a.renamed!", "a.wrapped", "c.new"]
    assert scan(top, cache) == scan(top)


@pytest.mark.parametrize("damage", [b"", b"x" * 40, None])
def test_a_cache_that_is_not_whole_is_thrown_away(tmp_path: Path, damage: bytes | None) -> None:
    top, cache = tmp_path / "code", tmp_path / "a.scan"
    write(top, {"a.py": READS.format("'a.own'")})
    whole = scan(top, cache)
    kept = cache.read_bytes()
    cache.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]) if damage is None else damage)
    assert scan(top, cache) == whole
    assert cache.read_bytes() == kept


def test_a_cache_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    write(tmp_path / "code", {"a.py": READS.format("'a.own'")})
    (tmp_path / "file").write_text("")
    assert keys(scan(tmp_path / "code", tmp_path / "file" / "a.scan")) == ["a.own"]
    assert LintCache(tmp_path / "file").facts(b"") is None


def test_a_change_is_about_its_files_and_what_they_need(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "flags.py": "KEY = 'a.imported'\n",
            "wrap.py": "def is_on(key):\n    return client.get_boolean_value(key, False)\n",
            "old.py": READS.format("'a.old'"),
            "changed.py": READS.format("'a.before'"),
            "gone.py": READS.format("'a.gone'"),
        },
    )
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "all")
    write(
        tmp_path,
        {
            "changed.py": "from flags import KEY\n" + READS.format("KEY"),
            "new.py": "from wrap import is_on\nis_on('a.wrapped')\n",
        },
    )
    (tmp_path / "gone.py").unlink()
    assert keys(scan(tmp_path, since="HEAD")) == ["a.imported", "a.wrapped"]
    cache = tmp_path / ".git" / "a.scan"
    scan(tmp_path, cache)
    assert keys(scan(tmp_path, cache, since="HEAD")) == ["a.imported", "a.wrapped"]
    with pytest.raises(UsageError, match="there is no commit"):
        scan(tmp_path, since="nope")


def test_runs_at_the_same_time_leave_a_whole_cache(tmp_path: Path) -> None:
    write(tmp_path / "code", {f"m{number}.py": READS.format(f"'a.n{number}'") for number in range(40)})
    command = [sys.executable, "-m", "davy", "flag", "refs", "a.n7", "code", "-o", "json"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    running = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE) for _ in range(4)
    ]
    told = [each.communicate()[0] for each in running]
    assert [each.returncode for each in running] == [0] * 4
    assert len(set(told)) == 1
    (cache,) = (tmp_path / "cache" / "davy" / "flags").iterdir()
    assert LintCache(cache)._kept.facts
