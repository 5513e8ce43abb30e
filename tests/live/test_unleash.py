"""A real Unleash held to what Git declares and an engine says, and its real SDK governed by Davy's provider."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from openfeature.contrib.provider.unleash import UnleashProvider
from openfeature.evaluation_context import EvaluationContext
from tests.live.test_flags import Site
from tests.live.unleash_server import ADMIN, SDK, UnleashServer, running

from davy.adapters.flag_api import VendorUnavailable
from davy.adapters.sqlite import SqliteStore
from davy.adapters.unleash import Unleash
from davy.flags.vendor import FlagVendor
from davy.openfeature import DavyProvider
from davy.testing.flag_vendor import KEY, FlagVendorContract
from davy.testing.patience import until
from openfeature import api

pytestmark = pytest.mark.live

GATED = """
apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata: {name: checkout.discount-enabled}
spec:
  owner: checkout
  jira: PAY-123
  expiry: 2029-12-31
  variants: {"on": true, "off": false}
  safeValue: false
  defaultVariant: "on"
  rollout: {name: payments, weight: 50}
"""
SWITCH = """
apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata: {name: checkout.cards-enabled}
spec:
  owner: checkout
  jira: PAY-124
  expiry: 2029-12-31
  kind: kill-switch
  variants: {"on": true, "off": false}
  safeValue: false
  defaultVariant: "on"
  drillEvery: 720h
"""
SWITCHED = "checkout.cards-enabled"


@pytest.fixture(scope="module")
def server() -> Iterator[UnleashServer]:
    with running() as server:
        yield server


@pytest.fixture(autouse=True)
def _empty(server: UnleashServer) -> Iterator[None]:
    yield
    server.clear()


class TestUnleash(FlagVendorContract):
    secrets = (ADMIN, SDK, "guessed-token")
    many = 10  # flags are on one page

    @pytest.fixture(autouse=True)
    def _server(self, server: UnleashServer) -> None:
        self.server = server

    def vendor(self) -> FlagVendor:
        return Unleash(self.server.url, ADMIN, "default", "production", SDK)

    def refused(self) -> FlagVendor:
        return Unleash(self.server.url, "guessed-token", "default", "production")

    def add(self, key: str, *, on: bool) -> None:
        self.server.add(key, on=on)

    def test_the_log_says_who_toggled(self) -> None:
        self.add(KEY, on=True)
        vendor = self.vendor()
        vendor.switch_off(KEY, "why")
        assert [(each.actor, each.on) for each in vendor.toggles(0.0)][-2:] == [("ann", True), ("davy", False)]

    def test_all_pages_of_the_log_are_read(self) -> None:
        self.add(KEY, on=True)
        for number in range(101):
            self.server.toggle(KEY, on=number % 2 == 1)
        told = [each for each in self.vendor().toggles(0.0) if each.what.startswith("feature-environment")]
        assert [each.on for each in told[-102:]] == [number % 2 == 0 for number in range(102)]

    def test_without_a_token_of_sdks_the_admin_api_is_asked(self) -> None:
        self.add(KEY, on=True)
        vendor = Unleash(self.server.url, ADMIN, "default", "production")
        assert vendor.switch_off(KEY, "why") == "read back from the admin API"

    def test_what_sdks_get_all_the_same_is_an_error(self) -> None:
        self.add(KEY, on=True)
        other = Unleash(self.server.url, ADMIN, "default", "development", SDK, pause=lambda _: None)
        until(lambda: self.server.for_sdks(KEY))
        with pytest.raises(VendorUnavailable, match="hands it out as on"):
            other.switch_off(KEY, "why")

    def test_what_is_off_is_off_for_sdks(self) -> None:
        self.add(KEY, on=True)
        until(lambda: self.server.for_sdks(KEY))
        assert self.vendor().switch_off(KEY, "why") == "read back from the API of SDKs"
        assert not self.server.for_sdks(KEY)


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, Path]:
    files = {"admin": (tmp_path / "admin", ADMIN), "sdk": (tmp_path / "sdk", SDK)}
    for file, secret in files.values():
        file.write_text(f"{secret}\n")
        file.chmod(0o600)
    return {name: file for name, (file, _) in files.items()}


@pytest.fixture
def command(tmp_path: Path, server: UnleashServer, tokens: dict[str, Path]) -> list[str]:
    """What is typed for a sync, but for where the state directory is."""
    (tmp_path / "flags.yaml").write_text(f"{GATED}---\n{SWITCH}")
    return [
        *("flag", "sync", "unleash", "--url", server.url, "--flags", str(tmp_path / "flags.yaml")),
        *("--token-file", str(tokens["admin"]), "--client-token-file", str(tokens["sdk"])),
    ]


def davy(home: Path, *words: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "davy", *words, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=cwd)


def test_what_differs_is_told_mended_and_on_record_once(
    tmp_path: Path, server: UnleashServer, command: list[str]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    SqliteStore(home / "davy.db").close()
    server.add(KEY, on=True)
    server.add("theirs", on=False)
    looked = davy(home, *command, "-o", "json")
    found = {each["key"]: each["kind"] for each in json.loads(looked.stdout)["differences"]}
    assert looked.returncode == 1, looked.stderr
    assert found.keys() == {KEY, SWITCHED, "theirs"}
    assert until(lambda: server.for_sdks(KEY)), "a dry run touches nothing"
    mended = davy(home, *command, "--apply")
    assert mended.returncode == 1, "what Git does not declare is for people"
    assert "switched off, read back from the API of SDKs" in mended.stdout
    assert not server.for_sdks(KEY)
    server.call("DELETE", "/api/admin/projects/default/features/theirs")
    again = davy(home, *command, "--apply")
    assert (again.returncode, "nothing differs" in again.stderr) == (0, True), again.stderr
    store = SqliteStore(home / "davy.db")
    entries = [entry for entry in store.entries() if entry.subject == f"FeatureFlag default/{KEY}"]
    store.close()
    assert [(entry.actor, entry.detail["after"]["serves"]) for entry in entries][-2:] == [
        ("ann (unleash)", "on at the vendor"),
        ("davy (unleash)", "off at the vendor"),
    ]
    assert len({entry.id for entry in entries}) == len(entries)
    [described] = [
        each
        for each in server.call("GET", "/api/admin/projects/default/features")["features"]
        if each["name"] == KEY
    ]
    assert described["description"] == "owner: checkout\njira: PAY-123\nexpiry: 2029-12-31"


GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "govern-unleash.md"


def test_what_the_guide_shows_can_be_typed(tmp_path: Path, server: UnleashServer) -> None:
    home, flags = tmp_path / "home", tmp_path / "flags"
    home.mkdir()
    flags.mkdir()
    SqliteStore(home / "davy.db").close()
    shutil.copy(Path(__file__).parents[2] / "examples" / "payments" / "flags.yaml", flags)
    for name, secret in (("unleash.token", ADMIN), ("sdk.token", SDK)):
        (tmp_path / name).write_text(secret)
        (tmp_path / name).chmod(0o600)
    server.add(KEY, on=True)
    lines = re.findall(r"^\$ davy (.+)", GUIDE.read_text(), re.MULTILINE)
    looking, mending = (shlex.split(line.replace("https://unleash.example.com", server.url)) for line in lines)
    looked = davy(home, *looking, cwd=tmp_path)
    assert looked.returncode == 1, looked.stderr
    assert all(
        line.rstrip() in GUIDE.read_text() for line in looked.stdout.splitlines() if " described " not in line
    )
    assert davy(home, *mending, cwd=tmp_path).returncode == 0
    assert davy(home, *looking, cwd=tmp_path).returncode == 0
    assert not server.for_sdks(KEY)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """An engine with both flags."""
    site = Site(tmp_path / "home")
    _, said = site.davy("flag", "token", "new", "checkout", "--edge", "server", "--service", "checkout")
    found = re.search(r"davyf_\S+", said)
    assert found is not None, said
    site.token = found[0]
    site.up()
    (tmp_path / "switch.yaml").write_text(SWITCH)
    code, said = site.davy("apply", "-f", str(tmp_path / "switch.yaml"), "--reason", "declared")
    assert code == 0, said
    yield site
    site.down()


@contextmanager
def following(home: Path, command: list[str]) -> Iterator[None]:
    """Let a sync follow the engine while the block lasts."""
    words = [sys.executable, "-m", "davy", *command, "--apply", "--watch", "--home", str(home)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            yield
        finally:
            child.kill()


def test_a_kill_reaches_governed_instances_at_once_and_all_others_through_unleash(
    tmp_path: Path, server: UnleashServer, command: list[str], site: Site
) -> None:
    server.add(SWITCHED, on=True)
    inner = UnleashProvider(f"{server.url}/api", "checkout", SDK)
    inner.client.unleash_refresh_interval = 1
    until(lambda: server.for_sdks(SWITCHED))
    davys = DavyProvider.remote(f"http://127.0.0.1:{site.port}", site.token, service="checkout")
    api.set_provider_and_wait(davys.govern(inner))
    try:
        client = api.get_client()
        until(lambda: client.get_boolean_value(SWITCHED, False))
        with following(site.home, command):
            code, said = site.davy("flag", "kill", SWITCHED, "--reason", "it hurts", "--wait", "10s")
            assert code == 0, said
            details = client.get_boolean_details(SWITCHED, True)
            assert (details.value, details.reason) == (False, "DISABLED")
            assert details.flag_metadata["killed"] is True
            until(lambda: not server.for_sdks(SWITCHED))
            until(lambda: not inner.client.is_enabled(SWITCHED))
            until(lambda: "(unleash)" in site.davy("flag", "history", SWITCHED, "-o", "json")[1])
    finally:
        api.shutdown()


def test_a_flag_that_unleash_does_not_have_is_what_is_safe_and_not_what_a_caller_falls_back_to(
    server: UnleashServer,
) -> None:
    nowhere = "checkout.nowhere-enabled"
    inner = UnleashProvider(f"{server.url}/api", "checkout", SDK)
    text = json.dumps(
        {"flags": {nowhere: {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on",
                         "metadata": {"safe": "off"}}}}
    )  # fmt: skip
    api.set_provider_and_wait(DavyProvider.from_text(text).govern(inner))
    try:
        alone = inner.resolve_boolean_details(nowhere, True, EvaluationContext("user-17"))
        assert (alone.value, alone.reason) == (True, "TARGETING_MATCH"), "as if Unleash had it, and it were on"
        assert api.get_client().get_boolean_value(nowhere, True, EvaluationContext("user-17")) is False
    finally:
        api.shutdown()
