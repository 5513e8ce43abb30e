"""`davy git follow`: write down what is merged in Git repositories, and which of it rollouts bring to users."""

from collections.abc import Sequence
from pathlib import Path

import click

from davy.adapters.git_history import GitHistory
from davy.cli.engine_ledger import Ledger
from davy.cli.entries import sentence
from davy.cli.options import common, store
from davy.cli.setting import Setting, talk
from davy.cli.watch import leaving
from davy.control.following.follower import Follower
from davy.errors import DavyError, Undecided, UsageError
from davy.ledger.entry import Draft
from davy.model.duration import BadDuration, parse_duration
from davy.model.origin import repository_name


@click.command("follow")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--repo", "named", multiple=True, metavar="NAME=PATH", help="A repository, and what versions call it."
)
@click.option("--branch", default="main", show_default=True, help="The branch that is released from.")
@click.option("--since", default="", metavar="REV", help="Begin after this commit, where nothing is on record.")
@click.option("--once", is_flag=True, help="Look once, and end.")
@click.option(
    "--every", default="10s", show_default=True, metavar="DURATION", help="How long between two looks."
)
@click.option("--fetch", is_flag=True, help="Fetch from the origin before each look.")
@store
@common
@click.pass_obj
def command(
    setting: Setting,
    paths: tuple[Path, ...],
    named: tuple[str, ...],
    branch: str,
    since: str,
    every: str,
    store: str,
    *,
    once: bool,
    fetch: bool,
) -> None:
    """Write down what is merged to a branch of Git repositories, and which of it each rollout brings to users.

    PATH is a clone, bare or not; without one it is the working directory. A version says by its annotations
    davy.dev/repository and davy.dev/commit where it comes from: the name of the repository is the address that
    it was cloned from (github.com/acme/payments), or NAME. It goes to the engine where one runs, and into the
    record of the state directory where none does. Where it had come to is read off the record.
    """
    seconds = _seconds(every)
    found = [("", path) for path in paths] + [_named(each) for each in named]
    followed = [_follow(name, path, branch, since) for name, path in found or [("", Path())]]
    _refuse_equal([follower.name for _, follower in followed])
    ledger = Ledger(setting, store)
    undecided: dict[str, DavyError] = {}
    with leaving("what was found is on record"):
        while True:
            undecided = _look(ledger, followed, undecided, fetch=fetch)
            if once:
                break
            setting.pace.sleep(seconds)
    if undecided:
        raise Undecided(f"{len(undecided)} of what was looked for could not be decided")


def _look(
    ledger: Ledger,
    followed: Sequence[tuple[GitHistory, Follower]],
    before: dict[str, DavyError],
    *,
    fetch: bool,
) -> dict[str, DavyError]:
    """Look once at every repository, and return what could not be decided; it is told when it is new."""
    undecided: dict[str, DavyError] = {}
    for history, follower in followed:
        if fetch:
            try:
                history.fetch()
            except Undecided as error:
                undecided[f"{follower.name}: {error}"] = error
    for entries in ledger.fresh():
        for _, follower in followed:
            follower.read(entries)
    for _, follower in followed:
        for drafts in follower.find():
            _write(ledger, follower, drafts)
        for placed in follower.place():
            if isinstance(placed, DavyError):
                undecided[str(placed)] = placed
            else:
                _write(ledger, follower, placed)
    for text, trouble in undecided.items():
        if text not in before:
            talk(f"davy: {text}" + (f"\n  {trouble.hint}" if trouble.hint else ""))
    return undecided


def _write(ledger: Ledger, follower: Follower, drafts: Sequence[Draft]) -> None:
    """Write entries down and print those that are new; what contradicts the record is told."""
    for draft, told in zip(drafts, ledger.write(drafts), strict=True):
        if told.outcome == "written":
            click.echo(f"#{told.seq}  {draft.kind}  {draft.subject}  {_about(draft)}".rstrip())
        elif told.outcome == "refused":
            talk(f"davy: #{told.seq}: {draft.id} of {draft.source} is on record, and says something else there")
    follower.told(drafts)


def _about(draft: Draft) -> str:
    """Say what matters of an entry to whoever watches."""
    return sentence(draft.kind, draft.detail) if draft.kind == "change_contained" else draft.reason


def _follow(name: str, path: Path, branch: str, since: str) -> tuple[GitHistory, Follower]:
    history = GitHistory(path)
    history.tip(branch)
    begin = history.resolve(since) if since else ""
    return history, Follower(history, name or history.name, branch, begin)


def _named(text: str) -> tuple[str, Path]:
    """Read NAME=PATH.

    Raises:
        UsageError: it is something else.
    """
    name, equals, path = text.partition("=")
    if not name.strip() or not equals or not path:
        raise UsageError(f"{text!r} is no repository", hint="--repo github.com/acme/payments=./payments")
    return repository_name(name), Path(path)


def _refuse_equal(names: Sequence[str]) -> None:
    """Refuse two repositories of one name: each would take the other's changes for its own.

    Raises:
        UsageError: there are two.
    """
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two repositories are called {name}", hint="--repo NAME=PATH gives them others")


def _seconds(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except BadDuration as error:
        raise UsageError(f"--every is {text!r}: {error}", hint="--every 10s") from error
    if seconds <= 0:
        raise UsageError(f"--every is {text!r}: it takes some time between two looks", hint="--every 10s")
    return seconds
