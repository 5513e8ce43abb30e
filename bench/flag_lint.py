"""A million lines of code in eight languages read for flags: whole, again, and what a change is about.

The code is what is installed beside us (Python, JavaScript) and as much again that is written here in the other
languages; about one file in a hundred evaluates flags. Two ways of others go over the same files in the same
run: parsing everything with tree-sitter, and looking for one word. Figures are medians, with a warm page cache.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.figure import Figure, median
from bench.startup import run

LINES = 1_000_000
RUNS = 5
CHANGED = 20
CASES = Path(__file__).parents[1] / "tests" / "cases" / "flag_scan"

PLAIN = {
    "ts": (
        "export function total{n}(items: Item[]): number {{",
        "  let sum = 0;",
        "  for (const item of items) {{",
        "    sum += item.price * item.count;",
        "  }}",
        "  return sum > {n} ? sum : {n};",
        "}}",
        "",
    ),
    "tsx": (
        "export const Row{n} = (props: Props) => {{",
        "  const name = props.name ?? 'row {n}';",
        '  return <li className="row">{{name}}</li>;',
        "}};",
        "",
    ),
    "go": (
        "func total{n}(items []Item) (int, error) {{",
        "\tsum := 0",
        "\tfor _, item := range items {{",
        "\t\tsum += item.Price * item.Count",
        "\t}}",
        "\treturn sum + {n}, nil",
        "}}",
        "",
    ),
    "java": (
        "  public int total{n}(List<Item> items) {{",
        "    int sum = 0;",
        "    for (Item item : items) {{",
        "      sum += item.getPrice() * item.getCount();",
        "    }}",
        "    return sum + {n};",
        "  }}",
        "",
    ),
    "cs": (
        "  public int Total{n}(List<Item> items) {{",
        "    var sum = 0;",
        "    foreach (var item in items) {{",
        "      sum += item.Price * item.Count;",
        "    }}",
        "    return sum + {n};",
        "  }}",
        "",
    ),
    "rb": (
        "  def total_{n}(items)",
        "    items.map {{ |item| item.price * item.count }}.sum + {n}",
        "  end",
        "",
    ),
}
FRAME = {
    "ts": ("", ""),
    "tsx": ("", ""),
    "go": ("package shop\n\n", ""),
    "java": ("class Shop {n} {{\n", "}\n"),
    "cs": ("class Shop {n} {{\n", "}\n"),
    "rb": ("module Shop{n}\n", "end\n"),
}


def measure() -> list[Figure]:
    """Write the code, then read it."""
    with tempfile.TemporaryDirectory(prefix="davy-bench-") as directory:
        top = Path(directory, "code")
        lines, files, hits = write_code(top)
        return list(_figures(top, Path(directory, "cache"), lines, files, hits))


def _figures(top: Path, cache: Path, lines: int, files: int, hits: int) -> Iterator[Figure]:
    from davy.adapters.lint_scan import Scanned, scan_tree
    from davy.adapters.source_tree import SourceTree

    def scan(cache: Path | None = None, since: str = "") -> Scanned:
        return scan_tree(SourceTree([str(top)]), cache=cache, since=since)

    scan()  # reads the files once, and imports the grammars
    whole, whole_wall = timed(scan)
    scan(cache)
    cached, cached_wall = timed(lambda: scan(cache))
    change(top)
    diff, diff_wall = timed(lambda: scan(cache, "HEAD"))
    bare, bare_wall = timed(lambda: scan(None, "HEAD"))
    command = [
        sys.executable,
        "-m",
        "davy",
        "flag",
        "refs",
        "checkout.discount",
        "--no-cache",
        "--changed",
        "HEAD",
    ]
    processes = [run([*command, str(top)]) for _ in range(RUNS)]
    in_process, on_wall = (median([each[index] for each in processes]) for index in (0, 1))
    parsed, _ = timed(lambda: parse_everything(top), runs=1)
    searched, _ = timed(lambda: search(top), runs=3)
    about = f"{lines} lines, {files} files, {hits} with flags"
    yield Figure(f"{about}: processor", whole, "s", RUNS, 2.0)
    yield Figure("the same: wall", whole_wall, "s", RUNS)
    yield Figure("as it was, with the cache: processor", cached, "s", RUNS, 0.5)
    yield Figure("as it was, with the cache: wall", cached_wall, "s", RUNS)
    yield Figure(f"{CHANGED} files changed since a commit: processor", diff * 1000, "ms", RUNS, 200)
    yield Figure(f"{CHANGED} files changed since a commit: wall", diff_wall * 1000, "ms", RUNS)
    yield Figure("the same without a cache: processor", bare * 1000, "ms", RUNS, 200)
    yield Figure("the same without a cache: wall", bare_wall * 1000, "ms", RUNS)
    yield Figure("davy flag refs --changed, whole process: processor", in_process, "ms", RUNS)
    yield Figure("the same: wall", on_wall, "ms", RUNS)
    yield Figure("tree-sitter parses everything: processor", parsed, "s", 1)
    yield Figure("every file read, and searched for one word: processor", searched, "s", 3)


def timed(work: Callable[[], object], runs: int = RUNS) -> tuple[float, float]:
    """Return median seconds of the processor and on the wall."""
    taken = []
    for _ in range(runs):
        wall, processor = time.perf_counter(), used()
        work()
        taken.append((used() - processor, time.perf_counter() - wall))
    return median([each[0] for each in taken]), median([each[1] for each in taken])


def used() -> float:
    """Return seconds of the processor that this process has had, and Git for it."""
    return sum(os.times()[:4])


def write_code(top: Path) -> tuple[int, int, int]:
    """Write a repository of code; return how many lines and files it has, and how many files read flags."""
    lines = files = hits = 0
    for number, text in enumerate(_installed()):
        if lines > LINES * 0.7:
            break
        name, content = text
        _write(top / "installed" / f"{number % 50}" / f"m{number}{name[-3:]}", content)
        lines, files = lines + content.count(b"\n"), files + 1
    ends = list(PLAIN)
    while lines < LINES:
        end = ends[files % len(ends)]
        before, after = FRAME[end]
        body = "\n".join("\n".join(PLAIN[end]).format(n=files * 40 + index) for index in range(40))
        content = (before.format(n=files) + body + after).encode()
        _write(top / "own" / end / f"{files % 20}" / f"f{files}.{end}", content)
        lines, files = lines + content.count(b"\n"), files + 1
    cases = [each for path in sorted(CASES.rglob("*.case")) for each in _case(path)]
    batch = 0
    while hits * 100 < files:
        batch += 1
        for name, content in cases:
            _write(top / "flags" / f"{batch}" / name, content)
            lines, files, hits = lines + content.count(b"\n"), files + 1, hits + 1
    _git(top, "init", "-q")
    _git(top, "add", "-A")
    _git(top, "-c", "user.name=b", "-c", "user.email=b@example", "commit", "-qm", "all")
    return lines, files, hits


def change(top: Path) -> None:
    """Change some files, flags among them."""
    for path in (
        sorted(top.glob("flags/*/python/app/*.py"))[: CHANGED // 2]
        + sorted(top.glob("own/ts/*/*.ts"))[: CHANGED // 2]
    ):
        path.write_text(path.read_text() + "\n")


def parse_everything(top: Path) -> int:
    """Parse every file, and do nothing with it."""
    from davy.adapters.source_tree import SourceTree
    from davy.flags.lint.languages import parser_of
    from davy.flags.lint.prefilter import language_of

    count = 0
    for name in SourceTree([str(top)]).names:
        language = language_of(name)
        if language is not None:
            count += parser_of(language)[0].parse(Path(name).read_bytes()).root_node.child_count
    return count


def search(top: Path) -> int:
    """Read every file, and look for one word."""
    from davy.adapters.source_tree import SourceTree

    return sum(b"checkout.discount" in Path(name).read_bytes() for name in SourceTree([str(top)]).names)


def _installed() -> Iterator[tuple[str, bytes]]:
    """Yield code of others that is installed here."""
    for path in sorted(Path(sysconfig.get_path("purelib")).rglob("*")):
        if path.suffix in (".py", ".js", ".ts") and path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if len(content) < 200_000 and b"eature" not in content:
                yield path.name, content


def _case(path: Path) -> Iterator[tuple[str, bytes]]:
    name, lines = "", list[str]()
    for line in [*path.read_text().splitlines(), "== "]:
        if line.startswith("== "):
            if name and lines:
                yield f"{path.parent.name}/{name}", "\n".join(lines).encode()
            name, lines = line[3:], []
        else:
            lines.append(line)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _git(top: Path, *arguments: str) -> None:
    git = shutil.which("git")
    assert git is not None
    subprocess.run([git, *arguments], cwd=top, check=True, capture_output=True)
