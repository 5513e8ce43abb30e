"""Whatever is installed is held to the contract, and can be made as the engine makes it."""

import os
from pathlib import Path

import pytest
from tests.adapters import test_job, test_judge, test_prometheus, test_prometheus_http, test_vendors

from davy import plugins
from davy.adapters.addresses import Addresses
from davy.adapters.clock import Clock
from davy.adapters.tools import Tools
from davy.analysis.promql.evaluate import Engine
from davy.analysis.promql.series import SeriesStore
from davy.analysis.provider import Asking, ProviderError
from davy.cli.running import providers
from davy.model.providers import MetricProvider
from davy.rollout.platform import Launch
from davy.testing.provider import ProviderContract
from davy.testing.vendor import VendorContract

CONTRACTS: dict[str, tuple[type[ProviderContract], ...]] = {
    "prometheus": (test_prometheus.TestInProcessPrometheus, test_prometheus_http.TestHttpPrometheus),
    "web": (test_vendors.TestWeb,),
    "job": (test_job.TestJob,),
    "datadog": (test_vendors.TestDatadog1, test_vendors.TestDatadog2),
    "davy.dev/honeycomb": (test_vendors.TestHoneycomb,),
    "davy.dev/sentry": (test_vendors.TestSentry,),
    "davy/judge": (test_judge.TestJudge,),
}


def tools(home: Path) -> Tools:
    return Tools(
        clock=Clock.at_speed(1.0),
        addresses=Addresses(),
        queries=Engine(SeriesStore()),
        in_process=False,
        jobs=home / "jobs",
        launch=lambda pod: Launch(argv=pod.spec.containers[0].command, directory=str(home)),
        built=lambda _: True,
        environment=dict(os.environ),
    )


def test_every_provider_that_is_registered_is_held_to_the_contract() -> None:
    assert set(plugins.names("providers")) == set(CONTRACTS)
    asks_a_server = {name for name, suites in CONTRACTS.items() if issubclass(suites[0], VendorContract)}
    assert asks_a_server == set(CONTRACTS) - {"prometheus", "job", "davy/judge"}


def test_every_provider_is_made_as_the_engine_makes_it(tmp_path: Path) -> None:
    made = providers(tools(tmp_path))
    assert set(made) == set(CONTRACTS)
    for provider in made.values():
        with pytest.raises(ProviderError, match=r"does not ask|runs no job"):
            provider.measure(MetricProvider(), now=1.0, asking=Asking())


def test_a_provider_that_cannot_be_made_hurts_only_its_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "names", lambda _: ("web", "gone"))
    made = providers(tools(tmp_path))
    with pytest.raises(ProviderError, match="the provider gone is installed and cannot be made: NotFound"):
        made["gone"].measure(MetricProvider(), now=1.0, asking=Asking())
    with pytest.raises(ProviderError, match="does not ask the web"):
        made["web"].measure(MetricProvider(), now=1.0, asking=Asking())
