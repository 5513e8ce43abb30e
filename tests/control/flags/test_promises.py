"""What holds whatever is done to flags, in whatever order, and wherever an engine dies."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.control.flags.conftest import FLAG, KEY, SWITCH, SWITCHED, FlagLab

from davy.adapters.memory_store import MemoryStore
from davy.control import requests
from davy.errors import DavyError
from davy.flags.evidence import Evidence
from davy.ledger.store import StoreUnavailable
from davy.model.key import Key


class Died(BaseException):
    """The process ends here."""


class Mortal(MemoryStore):
    """A store under which a process dies, before or after a write, or which is full."""

    fate = ""

    def commit(self, changes: Any, drafts: Any) -> Any:
        fate, self.fate = self.fate, "full" if self.fate == "full" else ""
        if fate == "full":
            raise StoreUnavailable("the disk is full")
        if fate == "dies before":
            raise Died
        written = super().commit(changes, drafts)
        if fate == "dies after":
            raise Died
        return written


KEYS = st.sampled_from([KEY, SWITCHED])
DEEDS = st.one_of(
    st.builds(requests.SetFlag, KEYS, st.just("x"), on=st.booleans(), variant=st.just(""), share=st.none()),
    st.builds(requests.SetFlag, KEYS, st.just("x"), share=st.integers(0, 100)),
    st.builds(requests.KillFlag, KEYS, st.just("x")),
    st.builds(requests.RestoreFlag, KEYS, st.just("x")),
    st.builds(requests.DrillFlag, st.just(SWITCHED), st.just("x")),
    st.builds(
        requests.SetImage,
        st.just("default"),
        st.just("payments"),
        st.sampled_from([{"app": f"app:{n}"} for n in range(2, 5)]),
        st.just("x"),
    ),
    st.builds(requests.Abort, st.just("default"), st.just("payments"), st.just("x")),
    st.builds(requests.Promote, st.just("default"), st.just("payments"), st.just("x")),
    st.builds(requests.Retry, st.just("default"), st.just("payments"), st.just("x")),
    st.sampled_from(
        ["turn", "turns", "acknowledge", "approve", "declare", "restart", "good", "bad", "unknown"]
    ),
)
FATES = st.sampled_from(["", "", "", "", "dies before", "dies after", "full"])


class History:
    """Does things to an engine that may die at any of them, and knows what it was told to be done."""

    def __init__(self, directory: Path) -> None:
        self.lab = FlagLab(directory)
        self.lab.store = Mortal()
        self.lab.start()
        self.lab.apply("payments")
        self.lab.turns(4)
        self.lab.declare(FLAG, SWITCH)
        self.tickets = 0
        self.promised: set[str] = set()
        self.dead: set[str] = set()
        self.versions = dict.fromkeys((KEY, SWITCHED), 0)
        self.document = 0

    def do(self, deed: Any, fate: str) -> None:
        store = self.lab.store
        assert isinstance(store, Mortal)
        store.fate = fate
        try:
            self._do(deed)
        except Died:
            store.fate = ""
            self.lab.start()
            self.dead -= {key for key in self.dead if self._restored(key)}
        except DavyError:
            pass
        store.fate = ""
        self.check()

    def _do(self, deed: Any) -> None:
        lab = self.lab
        match deed:
            case "turn":
                lab.turns(1)
            case "turns":
                lab.turns(8, 20.0)
            case "acknowledge":
                lab.acknowledge()
            case "restart":
                lab.start()
            case "declare":
                lab.declare(FLAG.replace("PAY-123", f"PAY-{lab.clock.time:.0f}"))
            case "approve":
                for key in (KEY, SWITCHED):
                    for proposal in lab.flag(key).proposals:
                        lab.ask(requests.ApproveFlag(proposal.id), "ben (uid 8)")
                        self._settled(key)
            case "good" | "bad" | "unknown":
                lab.provider.value = {"good": (0.0,), "bad": (0.5,), "unknown": ()}[deed]
            case requests.SetFlag() | requests.KillFlag() | requests.RestoreFlag():
                self.tickets += 1
                ticket = f"T-{self.tickets}"
                before = lab.flag(deed.key)
                after = lab.ask(msgspec.structs.replace(deed, ticket=ticket)).flag
                if after.version > before.version:
                    self.promised.add(ticket)
                self._settled(deed.key)
            case _:
                lab.ask(deed)

    def _settled(self, key: str) -> None:
        (self.dead.add if self.lab.flag(key).killed else self.dead.discard)(key)

    def _restored(self, key: str) -> bool:
        """Say whether somebody restored a flag last, who was never told that it was done."""
        entries = [entry for entry in self.lab.entries("flag_changed") if entry.detail["flag"] == key]
        done = [entry.detail["action"] for entry in entries if entry.detail["action"] in ("killed", "restored")]
        return done[-1:] == ["restored"]

    def check(self) -> None:
        """Hold the engine to every promise."""
        lab = self.lab
        document = lab.engine.flags.document()
        assert document.version >= self.document, "versions of the document only grow"
        self.document = document.version
        flags = msgspec.json.decode(document.text)["flags"]
        for key in (KEY, SWITCHED):
            seen = lab.flag(key)
            assert seen.version >= self.versions[key], "versions of a flag only grow"
            self.versions[key] = seen.version
            if key in self.dead:
                assert flags[key]["metadata"]["killed"] is True, "a kill wins until somebody restores"
            if seen.killed:
                assert not flags[key].get("targeting")
                assert flags[key]["defaultVariant"] == "off"
        self.check_gate(flags[KEY])

    def check_gate(self, served: dict[str, Any], artifact: str = "") -> None:
        """An open gate has evidence, and that is in the record."""
        if served["metadata"].get("gate") == "open":
            proofs = {_evidence(entry).digest for entry in self.lab.entries("flag_gate_opened")}
            assert served["metadata"]["gateEvidence"] in proofs
            assert self.lab.entries("analysis_finished")
        elif not served["metadata"].get("killed"):
            assert served["metadata"]["gate"] == "closed"
            assert served["defaultVariant"] == "off"

    def end(self) -> None:
        """When there is room again, nothing that was promised is missing, and it is there once."""
        self.lab.turns(2)
        self.lab.start()
        self.check()
        written = [entry.detail.get("ticket") for entry in self.lab.entries("flag_changed")]
        proposed = [entry.detail.get("ticket") for entry in self.lab.entries("flag_change_proposed")]
        assert self.promised <= {*written, *proposed}
        told = [ticket for ticket in written if ticket]
        assert len(told) == len(set(told))


def _evidence(entry: Any) -> Evidence:
    detail = entry.detail
    rollout = Key(*detail["rollout"].split("/"))
    found = Evidence(
        rollout, detail["artifact"], detail["revision"], detail["weight"], tuple(detail["runs"]), entry.at
    )
    assert found.digest == detail["evidence"], "whoever has the entry can tell the digest"
    return found


@given(st.lists(st.tuples(DEEDS, FATES), max_size=25))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_toggle_is_lost_no_gate_opens_without_evidence_and_a_kill_wins(deeds: list[tuple[Any, str]]) -> None:
    with TemporaryDirectory() as directory:
        history = History(Path(directory))
        for deed, fate in deeds:
            history.do(deed, fate)
        history.end()
