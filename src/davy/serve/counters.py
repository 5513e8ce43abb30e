"""Counters and a histogram, in the text that Prometheus reads. They belong to one thread, an event loop's."""

from collections import Counter
from collections.abc import Mapping
from itertools import accumulate

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Counters:
    """What an admission server did, by the outcome of its reviews."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self._buckets = [0] * (len(BOUNDS_S) + 1)
        self._total_s = 0.0

    def add(self, outcome: str, seconds: float) -> None:
        """Count one review."""
        self.outcomes[outcome] += 1
        self._total_s += seconds
        self._buckets[sum(seconds > bound for bound in BOUNDS_S)] += 1

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Write everything that was counted, with gauges by name: what each is for, and what it is now."""
        lines = [
            "# HELP davy_admission_reviews_total Reviews that were answered, by what came of them.",
            "# TYPE davy_admission_reviews_total counter",
        ]
        lines += [
            f'davy_admission_reviews_total{{outcome="{name}"}} {count}'
            for name, count in sorted(self.outcomes.items())
        ]
        lines += [
            "# HELP davy_admission_review_seconds How long it took to answer, once a review had been read.",
            "# TYPE davy_admission_review_seconds histogram",
        ]
        bounds = [*(f"{bound:g}" for bound in BOUNDS_S), "+Inf"]
        lines += [
            f'davy_admission_review_seconds_bucket{{le="{bound}"}} {count}'
            for bound, count in zip(bounds, accumulate(self._buckets), strict=True)
        ]
        lines.append(f"davy_admission_review_seconds_sum {self._total_s:.6f}")
        lines.append(f"davy_admission_review_seconds_count {sum(self._buckets)}")
        for name, (purpose, now) in gauges.items():
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += [f"# HELP {name} {purpose}", f"# TYPE {name} {kind}", f"{name} {now:g}"]
        return "\n".join(lines) + "\n"
