"""The engine under fire: what is killed, what hangs, what a disk refuses; docs/reference/faults.md tells it."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

import msgspec
import pytest
from tests.live.site import Site, failed
from tests.live.strace import injected

from davy.adapters.spool import FileSpool
from davy.control import requests
from davy.errors import DavyError, Undecided
from davy.ledger.entry import Entry
from davy.testing.patience import until

pytestmark = pytest.mark.live

HELD = "[{setWeight: 20}, {pause: {}}]"
"""A plan that stops half-way, for a person to say what happens next."""

ENDS = ("change_rolled_back", "change_aborted_unexposed", "change_promoted")
SYNCS, WRITES = "fsync,fdatasync", "pwrite64"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "home")
    site.up()
    yield site
    site.down()


@pytest.fixture
def canary(site: Site) -> Site:
    """A site with a canary that has a fifth of the traffic and waits for a person."""
    site.apply(steps=HELD)
    site.release("two")
    until(lambda: weight(site) == 20 and site.get().status == "Paused", why=site.get)
    return site


def weight(site: Site) -> int | None:
    return site.get().actual_weight


def store(site: Site) -> list[Path]:
    return [site.home / "davy.db", site.home / "davy.db-wal"]


def engine(site: Site) -> int:
    assert site.process is not None
    return site.process.pid


def pod(site: Site, revision: int = 0) -> int:
    """Find the process of the first replica of a revision, the newest being 0."""
    name = site.get().revisions[revision].pods[0].name
    for path in (site.home / "platform" / "replicas").glob("*.json"):
        record = msgspec.json.decode(path.read_bytes())
        if record["name"] == name:
            number: int = record["process"]["pid"]
            return number
    raise AssertionError(name)


def envoy(site: Site) -> int:
    number: int = msgspec.json.decode((site.home / "platform/gateway/envoy-process.json").read_bytes())["pid"]
    return number


def all_well(site: Site, known: tuple[Entry, ...], *kinds: str) -> None:
    """Restart the engine after a kill, and hold it to what it had promised before.

    What was seen of the record is still there, its numbers have no gap, and the state agrees with it.
    """
    site.kill()
    site.up()
    after = site.entries()
    assert after[: len(known)] == known
    assert [entry.seq for entry in after] == list(range(1, len(after) + 1))
    found = [entry.kind for entry in after]
    for kind in kinds:
        assert kind in found, found
    ended = [
        kind for kind in found if kind in ("change_rolled_back", "change_aborted_unexposed", "change_promoted")
    ]
    status = site.get().status
    assert status == ("Healthy" if ended[-1] == "change_promoted" else "Degraded"), (status, found)
    if status == "Degraded":
        assert weight(site) == 0


def abort(site: Site) -> None:
    site.ask(requests.Abort("default", "pay", "a test"))


# What is killed and what hangs:


def test_an_envoy_that_is_killed_is_back_with_the_same_split(canary: Site) -> None:
    users, before = canary.users(), envoy(canary)
    until(users.exchanges)
    os.kill(before, signal.SIGKILL)
    until(lambda: envoy(canary) != before)
    until(lambda: len([one for one in users.exchanges()[-50:] if one.status == 200]) == 50)
    back = monotonic()
    assert weight(canary) == 20
    canary.ask(requests.Promote("default", "pay", "a test"))
    until(lambda: canary.get().status == "Healthy", why=canary.get)
    assert not failed([one for one in users.stop() if one.sent_s > back])
    all_well(canary, canary.entries())


def test_an_envoy_that_hangs_holds_a_promotion_and_gets_an_abort_when_it_goes_on(canary: Site) -> None:
    os.kill(envoy(canary), signal.SIGSTOP)
    try:
        abort(canary)
        until(lambda: "has not acknowledged" in canary.get().trouble, why=canary.get)
        assert canary.get().status == "Degraded"
        assert weight(canary) == 20, "what users get is what Envoy acknowledged"
    finally:
        os.kill(envoy(canary), signal.SIGCONT)
    until(lambda: weight(canary) == 0, why=canary.get)
    all_well(canary, canary.entries(), "human_action")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_replica_that_is_killed_or_hangs_is_left_out_and_the_others_answer(site: Site, number: int) -> None:
    site.apply(steps=HELD)
    before = pod(site)
    os.kill(before, number)
    until(lambda: any(not each.ready or each.restarts for each in site.get().revisions[0].pods), why=site.get)
    users = site.users()
    until(lambda: len(users.exchanges()) > 100)
    if number == signal.SIGSTOP:
        os.kill(before, signal.SIGCONT)
    until(lambda: site.get().status == "Healthy", why=site.get)
    assert not failed(users.stop())


def test_a_canary_that_hangs_altogether_loses_its_traffic_until_it_goes_on(canary: Site) -> None:
    stopped = pod(canary)
    os.kill(stopped, signal.SIGSTOP)
    until(lambda: weight(canary) == 0, why=canary.get)
    assert canary.get().status == "Paused"
    users = canary.users()
    until(lambda: len(users.exchanges()) > 100)
    assert not failed(users.stop())
    os.kill(stopped, signal.SIGCONT)
    until(lambda: weight(canary) == 20, why=canary.get)
    abort(canary)
    assert weight(canary) == 0
    all_well(canary, canary.entries(), "human_action")


# What a disk does:


@pytest.mark.parametrize(
    ("calls", "fault"), [(SYNCS, "error=EIO"), (WRITES, "error=ENOSPC"), (WRITES, "error=EIO")]
)
def test_a_disk_that_refuses_holds_everything_but_an_abort(canary: Site, calls: str, fault: str) -> None:
    users = canary.users()
    until(lambda: [entry.kind for entry in canary.entries()].count("change_exposed") == 2, why=canary.entries)
    known = canary.entries()
    with injected(engine(canary), store(canary), calls, fault):
        with pytest.raises(DavyError, match="cannot be used") as caught:
            canary.ask(requests.Promote("default", "pay", "a test"))
        assert isinstance(caught.value, Undecided)
        assert weight(canary) == 20
        abort(canary)
        assert weight(canary) == 0
        assert "not written down yet" in canary.get().trouble
        assert canary.entries() == known
    until(lambda: not canary.get().trouble, why=canary.get)
    kinds = [entry.kind for entry in canary.entries()[len(known) :]]
    assert kinds[:2] == ["ledger_gap", "human_action"]
    assert not failed(users.stop())
    all_well(canary, canary.entries(), "ledger_gap")


def test_an_engine_that_is_killed_before_the_disk_gives_in_has_noted_the_abort(canary: Site) -> None:
    known = canary.entries()
    with injected(engine(canary), store(canary), f"{SYNCS},{WRITES}", "error=EIO"):
        abort(canary)
        assert weight(canary) == 0
        canary.kill()
    [term] = [path for path in (canary.home / "terms").iterdir() if path.name.isdigit()]
    assert FileSpool(term / "spool").take()
    canary.up()
    all_well(canary, known, "ledger_gap", "human_action")


@pytest.mark.parametrize(
    ("calls", "error", "nth"),
    [(SYNCS, "EIO", 1), (SYNCS, "EIO", 3), (WRITES, "ENOSPC", 1), (WRITES, "ENOSPC", 4), (WRITES, "EIO", 9)],
)
def test_one_fault_in_a_release_costs_nothing(site: Site, calls: str, error: str, nth: int) -> None:
    site.apply()
    users = site.users()
    with injected(engine(site), store(site), calls, f"error={error}:when={nth}") as log:
        refused = False
        try:
            site.release("two")
        except Undecided:
            refused = True
        until(lambda: "(INJECTED)" in log.read_text(), why=site.get)
    if refused:
        assert site.get().status == "Healthy", "it was refused, and nothing was begun"
        site.release("two")
    until(lambda: site.get().status == "Healthy" and site.get().step == 4, seconds=60, why=site.get)
    assert not failed(users.stop())
    all_well(site, site.entries(), "change_promoted")


def test_an_engine_that_is_killed_in_the_middle_of_a_write_goes_on(site: Site) -> None:
    site.apply()
    known = site.entries()
    for call, nth in ((WRITES, 1), (SYNCS, 1), (WRITES, 3)):
        assert site.process is not None
        with injected(engine(site), store(site), call, f"signal=SIGKILL:when={nth}"):
            with suppress(DavyError):
                site.ask(requests.Pause("default", "pay", "a test"))
            assert site.process.wait(20) == -signal.SIGKILL
        site.up()
        after = site.entries()
        assert after[: len(known)] == known
        assert [entry.seq for entry in after] == list(range(1, len(after) + 1))
        paused = [entry for entry in after[len(known) :] if entry.kind == "human_action"]
        assert (site.get().message == "manually paused") == (len(paused) % 2 == 1), (
            "no entry without its change"
        )
        if site.get().message == "manually paused":
            site.ask(requests.Resume("default", "pay", "a test"))
        known = site.entries()
    all_well(site, known)


def test_a_slow_disk_makes_it_slow_and_nothing_else(canary: Site) -> None:
    users = canary.users()
    with injected(engine(canary), store(canary), SYNCS, "delay_exit=400000"):
        began = monotonic()
        abort(canary)
        assert weight(canary) == 0
        assert monotonic() - began < 20
        assert not canary.health().troubles
    assert not failed(users.stop())
    all_well(canary, canary.entries(), "human_action")


# What gives no answer:


@pytest.fixture
def silent() -> Iterator[int]:
    """A server that takes every connection and never says a word; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peers: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    peers.append(listener.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for peer in peers:
            peer.close()


def test_a_provider_that_hangs_holds_its_canary_and_keeps_nobody_from_aborting(site: Site, silent: int) -> None:
    template = f"""
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: hung}}
spec:
  metrics:
  - name: hung
    interval: 10s
    count: 3
    successCondition: result[0] <= 0.02
    failureCondition: result[0] > 0.02
    provider: {{prometheus: {{address: "http://127.0.0.1:{silent}", query: 'sum(rate(errors[1m]))'}}}}
"""
    site.apply(
        ("hung.yaml", template),
        steps="[{setWeight: 20}, {analysis: {templates: [{templateName: hung}]}}, {setWeight: 100}]",
    )
    users = site.users()
    site.release("two")
    until(lambda: any(run.phase == "Running" for run in site.get().revisions[0].runs), why=site.get)
    assert weight(site) == 20
    abort(site)
    assert weight(site) == 0
    assert not failed(users.stop())
    all_well(site, site.entries(), "human_action")
