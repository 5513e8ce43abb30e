"""One exposition, scraped by a real Prometheus 2.x and by Davy's own scraper, and both asked the same.

Prometheus scrapes by its own clock. Davy's scraper then has a clock that is put to the instants at which
Prometheus scraped, and is shown the page that Prometheus saw there. So what both have stored has to be equal to
the last bit, and what they answer to 1e-9.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.live.exposition_pages import MISSING, PAGES, UNREADABLE, Pages
from tests.live.prometheus import Prometheus, serving
from tests.live.promql_answers import asked, compare, ours, theirs
from tests.live.promql_grammar import placed, queries

from davy.adapters.scrape import Scraper
from davy.adapters.targets import Target, TargetHealth
from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.matching import Matcher, MatchOperator
from davy.analysis.promql.series import SeriesStore
from davy.model.key import Key
from davy.testing.patience import until

Ask: TypeAlias = Callable[..., Any]

pytestmark = pytest.mark.live

KEY = Key("shop", "pages")
POD, HASH = "pages-0", "5d4f9c"
EVERY_S = 0.2
LOOKBACK_S = 2.0
OWN = 'job="pages",__name__!~"scrape_.*"'
"""What a scraper says of itself (how long it took) is its own affair; `up` is not."""

SCRAPING = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 1s}}
scrape_configs:
- job_name: pages
  metrics_path: /in-turn
  honor_timestamps: false
  static_configs:
  - targets: ["127.0.0.1:{port}"]
    labels: {{namespace: shop, pod: pages-0, rollouts_pod_template_hash: 5d4f9c, app_kubernetes_io_name: pages}}
"""
CASES = Path(__file__).parent.parent / "cases" / "promql_scraped_queries.txt"
QUERIES = tuple(
    line for line in CASES.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")
)
ASKED_ONLY = "global: {evaluation_interval: 1s}\n"


@dataclass(frozen=True)
class Scrape:
    """One that Prometheus made: when, and which page it read, None where that failed."""

    at_ms: int
    page: int | None


class PutClock:
    """A clock that stands where it was put."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def now(self) -> float:
        return self.at_s

    def real_seconds(self, seconds: float) -> float:
        return seconds * 4  # slower than the wall, so that the shortest interval is a short one here


@dataclass(frozen=True)
class Both:
    """What scraped the same: a Prometheus that scrapes no more, an engine, and when the scrapes were."""

    prometheus: Prometheus
    engine: Engine
    scrapes: tuple[Scrape, ...]

    @property
    def start_s(self) -> float:
        """When the first scrape was."""
        return self.scrapes[0].at_ms / 1000

    @property
    def instantly(self) -> tuple[Ask, Ask]:
        """How to ask either at an instant."""
        return (
            partial(asked, lambda *question: ours(self.engine.instant(*question))),
            partial(asked, lambda *question: theirs(self.prometheus.instant(*question))),
        )

    @property
    def ranging(self) -> tuple[Ask, Ask]:
        """How to ask either over a range."""
        return (
            partial(asked, lambda *question: ours(self.engine.range(*question))),
            partial(asked, lambda *question: theirs(self.prometheus.range(*question))),
        )


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    directory = tmp_path_factory.mktemp("scraped")
    pages = Pages()
    with pages.served():
        with serving(directory, SCRAPING.format(port=pages.port)):
            until(lambda: pages.shown > PAGES + 1, seconds=60.0)
        # started again, it has what it scraped and scrapes no more
        with serving(directory, ASKED_ONLY, f"--query.lookback-delta={LOOKBACK_S:g}s") as prometheus:
            scrapes = scrapes_of(prometheus)
            store = of_the_target(scraped_by_davy(pages, scrapes))
            engine = Engine(store, lookback_s=LOOKBACK_S, prometheus_2=True, subquery_step_s=1.0)
            yield Both(prometheus, engine, scrapes)


def scrapes_of(prometheus: Prometheus) -> tuple[Scrape, ...]:
    """Read from what Prometheus has stored when it scraped and what it saw."""
    _, looked = theirs(prometheus.instant('up{job="pages"}[1h]', time.time()))
    _, numbered = theirs(prometheus.instant('page_number{job="pages"}[1h]', time.time()))
    (up,), (numbers,) = looked, numbered
    seen = {at_ms: round(number) for at_ms, number in numbers[1]}
    scrapes: list[Scrape] = []
    for at_ms, _ in up[1]:
        broken = bool(scrapes) and scrapes[-1].page == UNREADABLE - 1  # it has no number that could be stored
        scrapes.append(Scrape(at_ms, seen.get(at_ms, UNREADABLE if broken else None)))
    return tuple(scrapes)


def scraped_by_davy(pages: Pages, scrapes: Iterable[Scrape]) -> SeriesStore:
    """Let Davy's scraper read the same page at the same instant, scrape by scrape."""
    store, clock, name = SeriesStore(), PutClock(), f"{KEY}/{POD}"
    target = Target(KEY, HASH, POD, pages.port, {"app.kubernetes.io/name": "pages"}, path="/chosen")
    scraper = Scraper(
        store, clock, lambda _: "", lambda: [target], workloads_every_s=EVERY_S / 2, timeout_s=20.0
    )
    go_on: Callable[[], object] = scraper.start
    for scrape in scrapes:
        before = scraper.health().targets.get(name)
        pages.chosen = scrape.page
        clock.at_s = scrape.at_ms / 1000
        go_on()
        go_on = scraper.kick
        until(partial(_changed, scraper, name, before))
    scraper.stop()
    assert not scraper.health().troubles
    return store


def _changed(scraper: Scraper, name: str, before: TargetHealth | None) -> bool:
    now = scraper.health().targets.get(name)
    return now is not None and now.up is not None and now != before


def of_the_target(store: SeriesStore) -> SeriesStore:
    """Leave out what the scraper says of the proxy, since there is none here."""
    left = SeriesStore()
    for series in store.select([Matcher("job", MatchOperator.EQUAL, "pages")]):
        for at_ms, value in zip(*series.columns, strict=True):
            left.append(series.labels, at_ms, value)
    return left


def test_both_have_stored_the_same(both: Both) -> None:
    at_s = both.scrapes[-1].at_ms / 1000
    mine, other = (ask(f"{{{OWN}}}[1h]", at_s) for ask in both.instantly)
    assert len(other[1]) > 70
    assert len({scrape.page for scrape in both.scrapes}) > PAGES / 2  # a busy machine may miss some
    compare(mine, other)


def test_series_end_for_both_at_the_same_scrape(both: Both) -> None:
    for scrape in both.scrapes:
        mine, other = (ask(f"{{{OWN}}}", scrape.at_ms / 1000) for ask in both.instantly)
        compare(mine, other)
        assert scrape.page not in (None, UNREADABLE) or len(mine[1]) == 1  # that is `up`


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_has_the_same_answer(both: Both, query: str) -> None:
    for page in (0, 7, 26, UNREADABLE, MISSING + 1, PAGES - 1):
        for shift_s in (0.0, 0.001, -0.1):
            at_s = both.scrapes[page].at_ms / 1000 + shift_s
            compare(*(ask(query, at_s) for ask in both.instantly))
    between = (both.scrapes[2].at_ms / 1000, both.scrapes[-1].at_ms / 1000 + 3.0, 0.7)
    compare(*(ask(query, *between) for ask in both.ranging))


many = settings(
    max_examples=int(os.environ.get("PROMQL_EXAMPLES", "300")),
    derandomize="PROMQL_EXAMPLES" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
"""The same queries each time, unless somebody asks for more of them: PROMQL_EXAMPLES=5000 ./dev test …"""

scrape_numbers = st.integers(0, PAGES)
shifts = st.sampled_from((0, 0, 1, -1, 77, 100, -50))
"""Milliseconds from a scrape: at it, so that it is on the edge of windows, right beside it, and between two."""

steps = st.sampled_from((0.1, 0.2, 0.5, 1.0, 3.0))


def test_a_drawn_query_has_the_same_answer(both: Both) -> None:
    answers: list[Any] = []

    @many
    @given(queries, scrape_numbers, shifts)
    def at_an_instant(query: str, scrape: int, shift_ms: int) -> None:
        at_s = (both.scrapes[scrape].at_ms + shift_ms) / 1000
        mine, other = (ask(placed(query, both.start_s), at_s) for ask in both.instantly)
        answers.append(mine)
        compare(mine, other)

    at_an_instant()
    assert tell_something(answers)


def test_a_drawn_query_has_the_same_answers_over_a_range(both: Both) -> None:
    answers: list[Any] = []

    @many
    @given(queries, scrape_numbers, shifts, st.integers(0, 30), steps)
    def over_a_range(query: str, scrape: int, shift_ms: int, count: int, step_s: float) -> None:
        first_s = (both.scrapes[scrape].at_ms + shift_ms) / 1000
        between = (first_s, first_s + count * step_s, step_s)
        mine, other = (ask(placed(query, both.start_s), *between) for ask in both.ranging)
        answers.append(mine)
        compare(mine, other)

    over_a_range()
    assert tell_something(answers)


def tell_something(answers: list[Any]) -> bool:
    """Say whether enough of the answers were neither empty nor refusals to have compared anything."""
    full = [answer for answer in answers if answer[0] != "refused" and answer[1] not in ([], "")]
    return len(full) > 0.4 * len(answers) > 100
