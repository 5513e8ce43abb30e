"""Taking a rollout away: first what is remembered of it, then what runs; the record of it stays.

What was forgotten and still runs is noted in the store, so that it is stopped even if the engine is killed
between the two.
"""

from collections.abc import Iterable

from davy.control.turn import World
from davy.errors import DavyError
from davy.ledger.lease import Fenced
from davy.ledger.store import Record
from davy.model.key import Key

_BUCKET = "leaving"


def forgetting(key: Key, runs: Iterable[Key]) -> dict[Record, bytes | None]:
    """Return what to write to the store so that a rollout and its analysis runs are forgotten there."""
    gone: list[Record] = [("object", f"Rollout/{key}"), ("rollout", str(key)), ("watch", str(key))]
    gone += [("run", str(run)) for run in runs]
    return {**dict.fromkeys(gone), (_BUCKET, str(key)): b"{}"}


def leaving(world: World) -> set[Key]:
    """Name the rollouts that were forgotten and may still run."""
    return {Key(*name.split("/")) for name in world.store.load(_BUCKET)}


def take_away(world: World, key: Key) -> str:
    """Stop what still runs of a rollout and take its listeners away; return what went wrong, or nothing.

    Raises:
        Fenced: another engine has taken over, and does it.
    """
    try:
        world.platform.forget(key)
        world.store.commit({(_BUCKET, str(key)): None}, [])
    except Fenced:
        raise
    except DavyError as error:
        return error.message
    return ""
