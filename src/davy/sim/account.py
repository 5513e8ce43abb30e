"""A rollout as its entries tell it: what the record alone says of where it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from davy.ledger.entry import Entry
from davy.rollout.state import Aborted, RolloutState, Settled, Stepping


@dataclass(slots=True)
class Account:
    """What is known from entries: `phase` is under way, settled or aborted."""

    current: str = ""
    stable: str = ""
    phase: str = "settled"
    step: int = 0
    weights: Mapping[str, int] = field(default_factory=dict)

    def read(self, entry: Entry) -> None:
        """Read the next entry."""
        detail: Mapping[str, Any] = entry.detail
        match entry.kind:
            case "update_started":
                self.current, self.phase, self.step = detail["hash"], "under way", 0
            case "step_completed":
                self.step = detail["step"] + 1
            case "weight_set":
                self.weights = detail["weights"]
            case "change_promoted":
                self.stable, self.phase = detail["hash"], "settled"
            case "change_rolled_back" | "change_aborted_unexposed":
                self.phase = "aborted"
            case "stable_restored":
                self.current, self.phase = detail["hash"], "settled"

    def differs(self, state: RolloutState) -> str:
        """Say in what a stored state is not what the entries tell, or return an empty string."""
        told: dict[str, object] = {
            "current": self.current,
            "stable": self.stable,
            "phase": self.phase,
            "weights": self.weights,
        }
        kept: dict[str, object] = {
            "current": state.current,
            "stable": state.stable,
            "phase": phase(state),
            "weights": state.weights,
        }
        if isinstance(state.progress, Stepping):
            told["step"], kept["step"] = self.step, state.progress.index
        wrong = [name for name in kept if told[name] != kept[name]]
        return "; ".join(f"{name} is {kept[name]}, and by its entries {told[name]}" for name in wrong)


def phase(state: RolloutState) -> str:
    """Name the phase of a state as an account does."""
    match state.progress:
        case Aborted():
            return "aborted"
        case Settled():
            return "settled"
        case _:
            return "under way"
