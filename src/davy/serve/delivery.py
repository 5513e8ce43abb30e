"""What Prometheus is told of delivery: the metrics of the ledger, the ledger itself, rollouts as they are."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from starlette.routing import BaseRoute

from davy import __version__
from davy.control.checkpoints import Kept, latest
from davy.control.delivery import Delivery
from davy.control.views import RolloutView
from davy.errors import DavyError
from davy.ledger.checkpoint import read
from davy.ledger.log import Head
from davy.reports.gauges import Sample, exposition


class KeptLog(Kept, Protocol):
    """A ledger, and what is signed of it."""

    def head(self) -> Head:
        """Return the tree as it is now."""
        ...


class DeliveryMetrics:
    """A group without routes of its own: it only adds to `/metrics`.

    Args:
        delivery: follows the ledger.
        store: the ledger and what is signed of it.
        rollouts: returns all rollouts as they are.
    """

    def __init__(
        self, delivery: Delivery, store: KeptLog, rollouts: Callable[[], Iterable[RolloutView]]
    ) -> None:
        self._delivery, self._store, self._rollouts = delivery, store, rollouts

    def routes(self) -> Sequence[BaseRoute]:
        """Return none."""
        return ()

    def doubt(self) -> str:
        """Say nothing: whoever sends events need not wait for figures."""
        return ""

    def metrics(self) -> str:
        """Write all samples."""
        return exposition(self._samples())

    def close(self) -> None:
        """Stop following the ledger."""
        self._delivery.stop()

    def _samples(self) -> Iterator[Sample]:
        yield Sample("davy_build_info", {"version": __version__}, 1)
        yield Sample("davy_delivery_metrics_current", {}, 0 if self._delivery.trouble else 1)
        yield from self._delivery.samples
        try:
            yield Sample("davy_ledger_entries", {}, self._store.head().size)
            if (note := latest(self._store)) is not None:
                yield Sample("davy_ledger_checkpoint_entries", {}, read(note.text).size)
        except DavyError:
            return  # a store that cannot be read is missing from the metrics, and told of by health
        for view in self._rollouts():
            labels = {"namespace": view.namespace, "rollout": view.name}
            yield Sample("davy_rollout_status", {**labels, "status": view.status}, 1)
            if view.actual_weight is not None:
                yield Sample("davy_rollout_weight_percent", labels, view.actual_weight)
