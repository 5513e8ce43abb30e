"""What Prometheus is told of the flags of an engine: kills, gates, who has heard, what was answered."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from starlette.routing import BaseRoute

from davy.control.views import FlagView
from davy.serve.flag_counts import label


class FlagGauges:
    """A group without routes of its own: it only adds to `/metrics`.

    Args:
        flags: returns all flags as they are.
    """

    def __init__(self, flags: Callable[[], Iterable[FlagView]]) -> None:
        self._flags = flags

    def routes(self) -> Sequence[BaseRoute]:
        """Return none."""
        return ()

    def doubt(self) -> str:
        """Say nothing: whatever flags are, requests are answered."""
        return ""

    def close(self) -> None:
        """Hold nothing."""

    def metrics(self) -> str:
        """Write all samples."""
        flags = tuple(self._flags())
        lines: list[str] = []
        lines += _family(
            "davy_flag_killed",
            "gauge",
            "Whether a flag is killed.",
            ((_named(flag), int(flag.killed)) for flag in flags),
        )
        lines += _family(
            "davy_flag_gate_open",
            "gauge",
            "Whether the gate of a flag that has one is open.",
            ((_named(flag), int(flag.gate.state == "open")) for flag in flags if flag.gate.state != "none"),
        )
        lines += _family(
            "davy_flag_instances_missing",
            "gauge",
            "Instances that are connected and have not said that they have the version of a flag.",
            ((_named(flag), len(flag.missing)) for flag in flags),
        )
        lines += _family(
            "davy_flag_drill_overdue",
            "gauge",
            "Whether a drill of a flag is overdue.",
            ((_named(flag), int(flag.drill.overdue)) for flag in flags if flag.drill.every),
        )
        lines += _family(
            "davy_flag_answers_total", "counter", "How often instances answered a variant.", _answers(flags)
        )
        return "".join(f"{line}\n" for line in lines)


def _answers(flags: Iterable[FlagView]) -> Iterator[tuple[str, int]]:
    """Sum what was counted over the versions of the document: they would be too many series."""
    for flag in flags:
        sums: dict[tuple[str, str], int] = {}
        for row in flag.exposures:
            sums[row.variant, row.service] = sums.get((row.variant, row.service), 0) + row.count
        for (variant, service), count in sorted(sums.items()):
            yield f'{_named(flag)},variant="{label(variant)}",service="{label(service)}"', count


def _named(flag: FlagView) -> str:
    return f'flag="{label(flag.key)}"'


def _family(name: str, type_: str, text: str, samples: Iterable[tuple[str, int]]) -> list[str]:
    found = [f"{name}{{{labels}}} {value}" for labels, value in samples]
    return [f"# HELP {name} {text}", f"# TYPE {name} {type_}", *found] if found else []
