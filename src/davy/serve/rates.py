"""How much each of many may do in a minute: a bucket each, which fills evenly."""

import math


class Rates:
    """Counts what each does; who may do n a minute may do n at once, and then one every n-th of it."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}

    def wait_s(self, name: str, per_minute: int, now: float) -> int:
        """Count one more and return 0 or, where that is too many, whole seconds until there is room for it."""
        left, at = self._left.get(name, (float(per_minute), now))
        left = min(float(per_minute), left + (now - at) * per_minute / 60)
        if left < 1:
            self._left[name] = left, now
            return math.ceil((1 - left) * 60 / per_minute)
        self._left[name] = left - 1, now
        return 0
