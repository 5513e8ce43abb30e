"""The end of the demo's story: what the record says of releases, and why it cannot be made to say otherwise."""

import sqlite3
import textwrap
import time
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import msgspec

from davy.adapters.ledger_key import public_key
from davy.cli.demo_report import DemoLedger
from davy.cli.ledger_prove import proof_of
from davy.cli.stage import LIMIT_S, LOOK_EVERY_S, NotTrue, Stage, hold
from davy.cli.story_history import follow
from davy.control.checkpoints import latest
from davy.errors import IntegrityError
from davy.ledger.canonical import canonical
from davy.ledger.checkpoint import read
from davy.ledger.note import Note, PublicKey
from davy.verifier import verify

HEADLINES = ("cfr_seed", "cfr_escaped", "impact", "lead_time", "lead_to_full", "deploy_freq")
"""The figures that are shown; `davy dora` prints all."""

CHANGES = 3
"""How many changes were merged: the first version, the bad one and the good one."""


def show_metrics(stage: Stage) -> dict[str, object]:
    """Compute the delivery metrics from the record, after Git was asked what each rollout brought."""
    from davy.cli.dora_table import headlines
    from davy.reports.document import as_data
    from davy.reports.projection import project
    from davy.reports.recompute import Recomputation
    from davy.reports.report import Query

    written = follow(stage)
    stage.say(f"   $ davy git follow --once\n   {written} entries: what was merged, and which rollout has it")
    store = stage.running.store
    bodies = store.bodies(0, store.head().size)
    report = Recomputation(project(bodies)).report(Query(services=("payments",)))
    figures = report.total.figures
    stage.say("   $ davy dora --service payments")
    for line in headlines(report, HEADLINES):
        stage.say("   " + "".join(part.text for part in line).rstrip())
    rate, lead = (as_data(name, figures[name]) for name in ("cfr_seed", "lead_time"))
    hold(rate["numerator"] == 1, f"{rate['numerator']} changes count as failed, not one")
    hold(lead["n"] == CHANGES, f"{lead['n']} changes have a lead time, not {CHANGES}")
    stage.say(
        f"   {rate['denominator']} attempts at {CHANGES} changes and a flag: 1.4.3 is built on 1.4.2, whose"
        " change users met again, mended"
    )
    return {name: as_data(name, figures[name]) for name in HEADLINES}


def show_proof(stage: Stage) -> dict[str, object]:
    """Verify the record, prove an entry of it, and try to cheat."""
    home = stage.home
    store, key = home / "davy.db", public_key(home)
    seq, body = _rollback(stage)
    proof = stage.workspace / "rollback.tlog-proof"
    proof.write_text(str(proof_of(stage.running.store, _signed(stage, seq), seq, PublicKey.read(key))))
    report = verify(str(store), keys=(key,))
    hold(not report.problems, "; ".join(report.problems))
    stage.ledger = DemoLedger(path=str(store), size=report.size, root=report.root.hex(), verified=True)
    stage.say(f"   $ davy ledger verify\n   ✔ {report.size} entries, root {report.root.hex()[:16]}…, signed")
    proven = verify(str(proof), keys=(key,))
    hold(not proven.problems, "; ".join(proven.problems))
    stage.say(f"   $ davy ledger prove {seq} > rollback.tlog-proof   (that the rollback is on record)")
    stage.say(f"   ✔ verified with nothing but that file ({proof.stat().st_size} bytes) and the public key\n")

    cheated = _cheat(stage.workspace, store, seq, body)
    found = verify(str(cheated), keys=(key,)).problems
    hold(bool(found), "a record that was changed verifies")
    stage.say(
        f"   a copy in which somebody made entry {seq} a promotion, triggers taken away, its hash made anew:"
    )
    stage.say("   $ davy ledger verify copy.db")
    stage.say(textwrap.fill(f"✖ {found[0]}", 110, initial_indent="   ", subsequent_indent="     "))
    stage.say(f"   exit {IntegrityError.exit_code}")
    return {"proof": proof.name, "cheat": {"problems": list(found), "exitCode": IntegrityError.exit_code}}


def _signed(stage: Stage, seq: int) -> Note:
    """Wait until the engine has signed for an entry, which takes it a second."""
    for _ in range(int(LIMIT_S / LOOK_EVERY_S)):
        note = latest(stage.running.store)
        if note is not None and read(note.text).size >= seq:
            return note
        time.sleep(LOOK_EVERY_S)
    raise NotTrue(f"nobody has signed for entry {seq}")


def _rollback(stage: Stage) -> tuple[int, bytes]:
    """Find the entry that says that a version was taken back."""
    store = stage.running.store
    bodies = store.bodies(0, store.head().size)
    seq = next(seq for seq, body in enumerate(bodies, 1) if b'"kind":"change_rolled_back"' in body)
    return seq, bodies[seq - 1]


def _cheat(workspace: Path, store: Path, seq: int, body: bytes) -> Path:
    """Make a copy in which the failure never happened, as well as one who can write the file could."""
    copy = workspace / "copy.db"
    with (
        closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(copy)) as db,
    ):
        source.backup(db)
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        forged = canonical({**msgspec.json.decode(body), "kind": "change_promoted"})
        leaf = sha256(b"\0" + forged).digest()
        values = ("change_promoted", forged, leaf, seq)
        db.execute("UPDATE ledger SET kind = ?, body = ?, leaf = ? WHERE seq = ?", values)
        db.commit()
    return copy
