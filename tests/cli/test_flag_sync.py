"""`davy flag sync` against a server that speaks LaunchDarkly's API, with an engine and without one."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.apps import launchdarkly, split
from tests.cli.conftest import Run, Shelf, Waiting
from tests.cli.flag_view import flag_view

from davy.adapters.sqlite import SqliteStore
from davy.control import requests, views
from davy.testing.scripted import Scripted

KEY, SWITCHED = "checkout.discount-enabled", "payments.fraud-check-enabled"
FLAGS = Path(__file__).parents[2] / "examples" / "payments" / "flags.yaml"
NOW = 1_772_446_000.0

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def there() -> launchdarkly.LaunchDarkly:
    """A LaunchDarkly where somebody has turned the discount on."""
    found = launchdarkly.LaunchDarkly()
    found.add(KEY)
    found.toggle(KEY, on=True, email="ann@example.com", comment="for the sale")
    return found


@pytest.fixture
def url(there: launchdarkly.LaunchDarkly) -> Iterator[str]:
    with launchdarkly.serving(there) as url:
        yield url


@pytest.fixture
def sync(run: Run, home: Path, url: str) -> Any:
    """Run a sync with what it needs; what is added comes after that."""
    token = home / "token"
    token.write_text(launchdarkly.TOKEN)
    token.chmod(0o600)
    SqliteStore(home / "davy.db").close()

    def invoke(*more: str) -> Result:
        where = ("--url", url, "--token-file", str(token), "--project", "shop", "--flags", str(FLAGS))
        return run("flag", "sync", "launchdarkly", *where, *more, wall=lambda: NOW)

    return invoke


def on(there: launchdarkly.LaunchDarkly, key: str = KEY) -> bool:
    return bool(there.flags[key]["environments"]["production"]["on"])


class WithFlags(Shelf):
    """An engine that has flags, in production unless it is told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.flags = [flag_view(KEY), flag_view(SWITCHED)]
        self.environment = "production"
        self.found: list[requests.Finding] = []

    def answer(self, request: requests.AnyRequest, actor: str) -> views.AnyView:
        if isinstance(request, requests.FlagList):
            return views.FlagListView(items=tuple(self.flags), environment=self.environment)
        if isinstance(request, requests.Found):
            self.found += request.findings
        return super().answer(request, actor)


@pytest.fixture
def shelf() -> WithFlags:
    return WithFlags()


def test_a_dry_run_tells_and_touches_nothing(sync: Any, there: launchdarkly.LaunchDarkly, home: Path) -> None:
    result = sync()
    assert result.exit_code == 1
    assert "no canary of default/payments has passed yet" in result.stdout
    assert "--apply mends" in result.stderr
    assert on(there)
    assert SWITCHED not in there.flags
    store = SqliteStore(home / "davy.db")
    assert store.entries() == ()
    store.close()


def test_what_differs_is_mended_and_toggles_are_on_record_once(
    sync: Any, there: launchdarkly.LaunchDarkly, home: Path
) -> None:
    result = sync("--apply", "-o", "json")
    assert result.exit_code == 0, result.stderr
    body = json.loads(result.stdout)
    done = {(each["key"], each["kind"]): each["done"] for each in body["differences"]}
    assert done[KEY, "closed"] == "switched off, read back from the REST API"
    assert done[SWITCHED, "missing"] == "created, off"
    assert [each["outcome"] for each in body["toggles"]] == ["written", "written"]
    assert not on(there)
    assert "owner: payments" in there.flags[SWITCHED]["description"]
    assert there.log[-1]["comment"] == "no canary of default/payments has passed yet"
    again = sync("--apply")
    assert (again.exit_code, "nothing differs" in again.stderr) == (0, True)
    store = SqliteStore(home / "davy.db")
    first, second = store.entries()
    store.close()
    assert (first.kind, first.subject) == ("flag_changed", f"FeatureFlag default/{KEY}")
    assert (first.actor, first.reason) == ("ann@example.com (launchdarkly)", "for the sale")
    assert (first.source, first.id) == ("launchdarkly/shop", f"toggle:{there.log[0]['_id']}")
    assert (first.detail["service"], first.detail["environment"]) == ("payments", "production")
    assert (second.actor, second.detail["vendor"]) == (
        "token davy (launchdarkly)",
        {"event": "updateOn", "on": False},
    )


def test_the_webhook_and_the_sync_tell_one_event(
    sync: Any, there: launchdarkly.LaunchDarkly, home: Path
) -> None:
    from tests.serve.hooking import NOW as DELIVERED
    from tests.serve.hooking import Secrets, taken

    from davy.control.hooks.delivery import Delivery
    from davy.control.hooks.desk import Desk
    from davy.control.hooks.sources_file import read_sources

    spec = {"name": "shop", "scheme": "launchdarkly", "secrets": [{"name": "a", "key": "b"}]}
    file = json.dumps({"sources": [{**spec, "services": ["*"], "service": "payments"}]}).encode()
    store = SqliteStore(home / "davy.db")
    desk = Desk(read_sources(file, "hooks"), Secrets({("a", "b"): "secret"}), store, lambda: DELIVERED)
    body, signature = there.webhook(0, "secret")
    delivery = Delivery({"x-ld-signature": signature}, body, DELIVERED)
    found = desk.sender("launchdarkly", delivery)
    assert found is not None
    assert [each.outcome for each in taken(desk, found, delivery).events] == ["written"]
    store.close()
    result = sync("--apply", "-o", "json")
    assert [each["outcome"] for each in json.loads(result.stdout)["toggles"]] == ["known", "written"]


def test_an_engine_says_what_may_be_on(
    sync: Any, there: launchdarkly.LaunchDarkly, engine: Scripted, shelf: WithFlags
) -> None:
    assert sync("--apply").exit_code == 0
    assert on(there), "its gate is open"
    assert shelf.found[0].subject == f"FeatureFlag shop/{KEY}"
    assert shelf.found[0].actor == "ann@example.com (launchdarkly)"
    shelf.flags[0] = flag_view(KEY, killed=True, why=f"{KEY} is killed by ada: it hurts")
    result = sync("--apply", "-o", "json")
    assert [each["kind"] for each in json.loads(result.stdout)["differences"]] == ["killed"]
    assert not on(there)
    assert there.log[-1]["comment"] == f"{KEY} is killed by ada: it hurts"


def test_an_engine_of_another_environment_is_no_judge(sync: Any, engine: Scripted, shelf: WithFlags) -> None:
    shelf.environment = "staging"
    result = sync()
    assert (result.exit_code, "the engine serves staging" in result.stderr) == (2, True)


def test_a_kill_is_followed_within_a_moment_and_trouble_is_told_once(
    sync: Any,
    there: launchdarkly.LaunchDarkly,
    engine: Scripted,
    shelf: WithFlags,
    waiting: Waiting,
) -> None:
    seen: list[bool] = []

    def then(waits: int) -> None:
        seen.append(on(there))
        match waits:
            case 1:
                shelf.flags[0] = flag_view(KEY, killed=True, why="it hurts")
            case 3:
                shelf.environment = "staging"
            case 6:
                raise KeyboardInterrupt

    waiting.then = then
    result = sync("--apply", "--watch")
    assert seen[:2] == [True, False], "one look after the kill"
    assert result.stderr.count("the engine serves staging") == 1
    assert "no longer watching" in result.stderr
    assert result.exit_code == 130


def test_while_no_engine_runs_a_watch_switches_nothing_off(
    sync: Any, there: launchdarkly.LaunchDarkly, waiting: Waiting
) -> None:
    def then(waits: int) -> None:
        if waits == 3:
            raise KeyboardInterrupt

    waiting.then = then
    result = sync("--apply", "--watch")
    assert result.stderr.count("no engine listens") == 1
    assert on(there), "an engine that restarts knows which gates are open; files do not"


def test_what_fails_is_told_and_keeps_nothing_else_from_being_done(
    sync: Any, there: launchdarkly.LaunchDarkly
) -> None:
    there.approvals = True
    result = sync("--apply")
    assert result.exit_code == 1
    assert "FAILED: LaunchDarkly took it" in result.stdout
    assert SWITCHED in there.flags


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--watch",), "--apply --watch"),
        (("--since", "ever"), "--since 'ever' is no duration"),
        (("--environment", "prodution"), "did you mean 'production'"),
        (("--project", "shoe"), "404"),
        (("--url", "ftp://x"), "no address"),
        (("--client-token-file", "x"), "is for unleash"),
        (("--token-file", "nowhere"), "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_told(sync: Any, words: tuple[str, ...], why: str) -> None:
    result = sync(*words)
    assert result.exit_code == 2
    assert why in result.stderr


def test_split_is_held_to_git_as_well(run: Run, home: Path) -> None:
    there = split.Split()
    there.add(KEY, on=True)
    token = home / "token"
    token.write_text(split.TOKEN)
    token.chmod(0o600)
    SqliteStore(home / "davy.db").close()
    with split.serving(there) as url:
        where = ("--url", url, "--token-file", str(token), "--flags", str(FLAGS), "--apply")
        result = run("flag", "sync", "split", *where, "--project", split.WORKSPACE, wall=lambda: NOW)
        missing = run("flag", "sync", "split", *where)
    assert result.exit_code == 0, result.stderr
    assert there.definitions[KEY]["killed"]
    assert there.comments == ["no canary of default/payments has passed yet"]
    assert (missing.exit_code, "which workspace" in missing.stderr) == (2, True)


def shown(vendor: str) -> list[list[str]]:
    """Return the words of the syncs that a guide shows."""
    guide = Path(__file__).parents[2] / "docs" / "how-to" / f"govern-{vendor}.md"
    lines = re.findall(r"^\$ davy (.+)", guide.read_text(), re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("vendor", ["launchdarkly", "split"])
def test_what_the_guides_show_can_be_typed(
    vendor: str, run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: Any = launchdarkly.LaunchDarkly() if vendor == "launchdarkly" else split.Split()
    serving: Any = launchdarkly.serving if vendor == "launchdarkly" else split.serving
    there.add(KEY, on=True)
    shutil.copytree(FLAGS.parent, tmp_path / "flags", ignore=lambda _, names: {*names} - {FLAGS.name})
    token = tmp_path / f"{vendor}.token"
    token.write_text(launchdarkly.TOKEN if vendor == "launchdarkly" else split.TOKEN)
    token.chmod(0o600)
    monkeypatch.chdir(tmp_path)
    SqliteStore(home / "davy.db").close()
    looking, mending = shown(vendor)
    with serving(there) as url:
        looked = run(*looking, "--url", url, wall=lambda: NOW)
        mended = run(*mending, "--url", url, wall=lambda: NOW)
        again = run(*looking, "--url", url, wall=lambda: NOW)
    assert [looked.exit_code, mended.exit_code, again.exit_code] == [1, 0, 0], looked.output
    guide = (Path(__file__).parents[2] / "docs" / "how-to" / f"govern-{vendor}.md").read_text()
    assert looked.stdout.splitlines()[1].rstrip() in guide


def test_an_unleash_has_to_be_named(run: Run, home: Path) -> None:
    token = home / "token"
    token.write_text("token")
    result = run("flag", "sync", "unleash", "--token-file", str(token), "--flags", str(FLAGS))
    assert (result.exit_code, "where is that Unleash?" in result.stderr) == (2, True)
