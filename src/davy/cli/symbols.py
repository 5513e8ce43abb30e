"""The symbols of Argo's tree, and words for screens and readers that cannot show them."""

from dataclasses import dataclass

_LOOKS = {
    "✔": "good",
    "✖": "bad",
    "⚠": "wait",
    "?": "wait",
    "◌": "busy",
    "◷": "busy",
    "॥": "wait",
    "•": "faint",
}

_STATUS = {
    "Healthy": "✔",
    "Running": "◌",
    "Progressing": "◌",
    "Pending": "◷",
    "Paused": "॥",
    "Successful": "✔",
    "Degraded": "✖",
    "Failed": "✖",
    "Error": "⚠",
    "Inconclusive": "?",
    "Unknown": "?",
    "ScaledDown": "•",
}
_POD = {"Running": "✔", "Pending": "◌", "Terminating": "◌", "ContainerCreating": "◌", "Failed": "✖"}
_STEP = {"done": "✔", "active": "◌", "paused": "॥", "aborted": "✖", "pending": "•"}
_WORDS = {"✔": "ok", "✖": "failed", "?": "inconclusive", "⚠": "error"}
_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")

BAR_WIDTH = 10
"""How many columns a bar has between its ends."""


@dataclass(frozen=True, slots=True)
class Symbols:
    """What the tree is drawn with. Without symbols (`ascii_only`) words say all that they said."""

    ascii_only: bool = False

    @property
    def branches(self) -> tuple[str, str, str, str]:
        """A child with siblings below it, the last child, and what goes below each of them."""
        return ("|--", "`--", "|  ", "   ") if self.ascii_only else ("├──", "└──", "│  ", "   ")

    def kind(self, symbol: str) -> str:
        """Return what goes before a name; the KIND column says the same in words."""
        return "" if self.ascii_only and symbol != "#" else f"{symbol} "

    def role(self, role: str) -> str:
        """Return the part that an image plays; a side of an experiment is written as Argo does."""
        return role if self.ascii_only else role.replace("experiment:", "Σ:")

    def count(self, symbol: str, number: int) -> str:
        """Return a count of measurements that ended one way."""
        return f"{_WORDS[symbol] if self.ascii_only else symbol} {number}"

    def status(self, status: str) -> tuple[str, str]:
        """Return a status with its symbol, and its look."""
        return self._with(_STATUS.get(status, "?"), status)

    def pod(self, status: str) -> tuple[str, str]:
        """Return a replica's status with its symbol, and its look; what is not known is a warning."""
        return self._with(_POD.get(status, "⚠"), status)

    def step(self, state: str) -> tuple[str, str]:
        """Return the mark of a step, and its look."""
        symbol = _STEP.get(state, "?")
        return (f"{state:<8}" if self.ascii_only else symbol), _LOOKS[symbol]

    def bar(self, part: float) -> str:
        """Draw how much of something there is, between nothing and all of it."""
        eighths = round(8 * BAR_WIDTH * min(1.0, max(0.0, part)))
        if self.ascii_only:
            return f"[{'#' * (eighths // 8):<{BAR_WIDTH}}]"
        return f"▕{'█' * (eighths // 8) + _EIGHTHS[eighths % 8]:<{BAR_WIDTH}}▏"

    def text(self, sentence: str) -> str:
        """Return a sentence whose parts are set apart."""
        return sentence.replace(" · ", ", ") if self.ascii_only else sentence

    def _with(self, symbol: str, word: str) -> tuple[str, str]:
        return (word if self.ascii_only else f"{symbol} {word}"), _LOOKS[symbol]
