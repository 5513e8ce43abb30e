"""What an engine holds in memory: its rollouts, beside the manifests that were accepted."""

import msgspec

from davy.control.catalog import Catalog
from davy.control.gate import Gate
from davy.control.held import Held, Watch
from davy.errors import NotFound
from davy.ledger.store import Store
from davy.model.key import Key
from davy.rollout.state import RolloutState


class Holdings:
    """The rollouts of one store, where each of them was left.

    Whoever looks at one more closely or changes it holds the gate. The table itself is never changed, only
    another put in its place, so that it can be walked through without.
    """

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self.gate, self.catalog = Gate(), catalog
        states, watches = store.load("rollout"), store.load("watch")
        self.rollouts: dict[Key, Held] = {}
        for key, manifest in catalog.rollouts.items():
            state = msgspec.json.decode(states[str(key)], type=RolloutState)
            watch = watches.get(str(key))
            found = msgspec.json.decode(watch, type=Watch).taken_up() if watch else None
            self.rollouts[key] = Held(manifest, state, found)

    def find(self, namespace: str, name: str) -> Held:
        """Find a rollout.

        Raises:
            NotFound: there is none of that name; the hint lists those there are.
        """
        held = self.rollouts.get(Key(namespace, name))
        if held is None:
            known = ", ".join(key.name for key in sorted(self.rollouts) if key.namespace == namespace)
            raise NotFound(
                f'rollout "{name}" not found in namespace "{namespace}"',
                hint=f"known there: {known}" if known else "davy apply -f FILE makes one",
            )
        return held

    def put(self, *held: Held) -> None:
        """Take rollouts in, or others in their place."""
        self.rollouts = self.rollouts | {each.key: each for each in held}

    def drop(self, key: Key) -> None:
        """Forget a rollout."""
        self.rollouts = {each: held for each, held in self.rollouts.items() if each != key}
