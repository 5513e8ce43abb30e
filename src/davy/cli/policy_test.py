"""`davy policy test`: run the suites of tests that policies come with, as `gator verify` does."""

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import click

from davy.cli.options import common
from davy.cli.paint import visible
from davy.errors import NotFound, Refused, UsageError
from davy.model.loader import load_raw
from davy.policy.gatekeeper.malformed import Malformed
from davy.policy.gatekeeper.suite import EVERYTHING, GROUP, Chosen, Test, is_suite, only, suite
from davy.policy.gatekeeper.verify import Outcome, verify
from davy.policy.review import Object

SUFFIXES = (".yaml", ".yml")
BELOW = "/..."
Tests = tuple[Test, ...] | Malformed
"""The tests of a file, or why they cannot be read."""

MARKS = {"passed": "PASS", "failed": "FAIL", "skipped": "SKIP"}


@click.command("test")
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option("--run", "wanted", metavar="TEST//CASE", help="Run only what fits these regular expressions.")
@click.option("-v", "--verbose", is_flag=True, help="Name what passes and what is skipped, too.")
@common
def command(paths: tuple[str, ...], wanted: str | None, verbose: bool) -> None:
    """Run the suites in files and directories; PATH/... is a directory with all below it.

    A suite holds examples beside what is expected of each (test.gatekeeper.sh/v1alpha1, as for gator verify).
    Exits 1 when an example is judged otherwise, and 2 when there is no suite to run.
    """
    chosen = _chosen(wanted)
    suites = list(_suites(paths))
    if not any(chosen.test(test) for _, tests in suites for test in _runnable(tests)) and wanted:
        raise UsageError(f"no test fits {wanted!r}", hint="names are matched as they are written in the suites")
    failed = [path for path, tests in suites if not _play(path, tests, chosen, verbose)]
    click.echo("FAIL" if failed else "PASS")
    if failed:
        count = (
            f"1 suite of {len(suites)} fails"
            if len(failed) == 1
            else f"{len(failed)} suites of {len(suites)} fail"
        )
        raise Refused(count, hint="" if verbose else "-v names every case")


def _chosen(wanted: str | None) -> Chosen:
    try:
        return EVERYTHING if wanted is None else only(wanted)
    except Malformed as error:
        raise UsageError(error.message, hint=error.fix) from error


def _runnable(tests: Tests) -> tuple[Test, ...]:
    return () if isinstance(tests, Malformed) else tests


def _play(path: Path, tests: Tests, chosen: Chosen, verbose: bool) -> bool:
    """Run one suite and tell of it in the lines of gator; says whether all went as expected."""
    began = perf_counter()
    good = not isinstance(tests, Malformed)
    if isinstance(tests, Malformed):
        click.echo(f"  {visible(str(tests))}")
    for test in _runnable(tests):
        started = perf_counter()
        opened = not test.skip and chosen.test(test)
        if verbose and opened:
            click.echo(f"=== RUN   {visible(test.name)}")
        case_started = started
        for outcome in verify(test, lambda name: _objects(path.parent / name), chosen):
            ended = perf_counter()
            _tell(outcome, ended - (case_started if outcome.case else started), verbose)
            good &= outcome.state != "failed"
            case_started = ended
    click.echo(f"{'ok' if good else 'FAIL'}\t{path}\t{perf_counter() - began:.3f}s")
    return good


def _tell(outcome: Outcome, took_s: float, verbose: bool) -> None:
    """Tell of a test or a case: always of what failed, of the others only to whoever wants to know."""
    indent = "    " if outcome.case else ""
    name = visible(outcome.case or outcome.test)
    if verbose and outcome.state == "skipped":
        click.echo(f"{indent}=== SKIP  {name}")
    if outcome.state == "skipped" or not (verbose or outcome.state == "failed"):
        return
    if verbose and outcome.case:
        click.echo(f"{indent}=== RUN   {name}")
    click.echo(f"{indent}--- {MARKS[outcome.state]}: {name}\t({took_s:.3f}s)")
    for line in outcome.error.splitlines():
        click.echo(f"{indent * 2 or '  '}{visible(line)}")


def _suites(paths: tuple[str, ...]) -> Iterator[tuple[Path, Tests]]:
    """Find the files that hold a suite, each once; a path without any is a mistake."""
    met: set[Path] = set()
    for written in paths:
        found = [(path, tests) for path in _files(written) if (tests := _tests(path)) is not None]
        if not found:
            raise UsageError(
                f"there is no suite in {written}", hint=f"{written}/... looks in all below it, too"
            )
        yield from ((path, tests) for path, tests in found if path.resolve() not in met)
        met.update(path.resolve() for path, _ in found)


def _files(written: str) -> list[Path]:
    """List the files that may hold suites."""
    below = written.endswith(BELOW)
    path = Path(written.removesuffix(BELOW) or ".") if below else Path(written)
    if path.is_dir():
        found = path.rglob("*") if below else path.iterdir()
        return sorted(file for file in found if file.suffix in SUFFIXES and file.is_file())
    if not path.exists():
        raise NotFound(
            f"there is no file or directory {path}", hint="name suites, or directories that hold some"
        )
    return [path]


def _tests(path: Path) -> Tests | None:
    """Read the tests of all suites of a file, or say why they cannot be read; None where there is no suite."""
    if GROUP.encode() not in _content(path):
        return None
    try:
        found = [document for document in _objects(path) if is_suite(document)]
        return tuple(test for document in found for test in suite(document)) if found else None
    except Malformed as error:
        return error


def _objects(path: Path) -> list[Object]:
    """Read the documents of a file.

    Raises:
        Malformed: it cannot be read, or is not YAML.
    """
    try:
        return [document.value for document in load_raw(_content(path), str(path))]
    except UsageError as error:
        raise Malformed("", error.message) from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
