"""A witness that answers over HTTP on the loopback interface."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from davy.adapters.seen_checkpoints import FILE, SeenCheckpoints
from davy.control.cosigning import Cosigning
from davy.ledger.note import PrivateKey, PublicKey
from davy.serve.http import Http
from davy.serve.server import Server
from davy.serve.witness import WitnessGroup
from davy.testing.witness import KEY

WITNESS = PrivateKey("witness.invalid/ci", b"\3" * 32)
KNOWN: Mapping[str, PublicKey] = {KEY.name: KEY.public}


@contextmanager
def served(directory: Path, **more: float) -> Iterator[tuple[int, list[str]]]:
    """Yield the port of a witness that remembers in a directory, and the faults that it tells of."""
    seen, faults = SeenCheckpoints(directory / FILE), list[str]()
    cosigning = Cosigning(lambda: KNOWN, seen, WITNESS, lambda: 1_700_000_000.0)
    group = WitnessGroup(cosigning.add, seen.sizes, lambda number, trace: faults.append(trace), **more)  # type: ignore[arg-type]
    try:
        with Server(Http([group]), None, "127.0.0.1", 0) as server:
            yield server.port, faults
    finally:
        seen.close()
