"""The provider for Python and the server of flags, with each other."""

import json
from collections.abc import Mapping

from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider import ProviderStatus
from tests.serve.flagging import SERVER, document, flag, serving, shown

from davy.openfeature import Audit, DavyProvider, Pace
from davy.testing.patience import until
from openfeature import api

KEY = "checkout.discount"


def provider_of(port: int) -> DavyProvider:
    return DavyProvider.remote(
        f"http://127.0.0.1:{port}",
        f"secret-of-{SERVER.name}",
        service="checkout",
        artifact="abc",
        pace=Pace(poll_s=0.05, first_s=0.01, longest_s=0.1),
        audit=Audit(interval_s=3600.0),
    )


def test_a_kill_reaches_an_instance_and_its_acknowledgement_the_server() -> None:
    with serving() as here:
        provider = provider_of(here.port)
        api.set_provider_and_wait(provider)
        try:
            client = api.get_client()
            assert client.get_boolean_value(KEY, False) is True
            name = provider.instance.id
            until(lambda: name in here.flags.acknowledged)
            killed = flag("off", metadata={"safe": "off", "killed": True, "gateReason": "it was killed"})
            here.flags.publish(document({KEY: killed}))
            until(lambda: client.get_boolean_value(KEY, True) is False)
            until(lambda: here.flags.acknowledged[name].version == here.flags.document().version)
            assert here.flags.acknowledged[name].digest == here.flags.document().digest
            assert here.flags.acknowledged[name].instance == provider.instance
        finally:
            api.shutdown()
        until(lambda: name not in here.flags.acknowledged)
        assert here.reported == []


def test_what_was_counted_arrives_and_is_taken() -> None:
    with serving() as here:
        provider = provider_of(here.port)
        api.set_provider_and_wait(provider)
        try:
            with provider.request() as followed:
                api.get_client().get_boolean_value(KEY, False)
                followed.failed()
            provider.flush()
            (report,) = here.flags.reports
            (exposure,) = report.exposures
            assert (exposure.flag, exposure.variant, exposure.count) == (KEY, "on", 1)
            assert (exposure.requests, exposure.failed) == (1, 1)
            assert exposure.version == here.flags.document().version
            assert report.instance == provider.instance
        finally:
            api.shutdown()


def test_the_provider_of_ofrep_is_governed_like_any_other() -> None:
    rules = provider_text(
        {
            "checkout.discount": ("off", {"safe": "off"}),
            "checkout.secret": ("on", {"safe": "off", "rollout": "shop/checkout"}),
            "search.ranking": ("on", {"safe": "off", "onError": "last-known"}),
        }
    )
    context = EvaluationContext("u-1")
    with serving() as here:
        inner = OFREPProvider(f"http://127.0.0.1:{here.port}", headers_factory=lambda: shown(SERVER))
        api.set_provider_and_wait(DavyProvider.from_text(rules).govern(inner))
        client = api.get_client()
        assert client.get_boolean_value("checkout.discount", False, context) is True
        assert client.get_boolean_details("checkout.secret", True, context).reason == "DISABLED"
        assert client.get_boolean_value("search.ranking", False, context) is True
    try:
        assert client.get_boolean_details("checkout.discount", True, context).variant == "off"
        kept = client.get_boolean_details("search.ranking", False, context)
        assert (kept.value, kept.reason) == (True, "STALE")
    finally:
        api.shutdown()


def provider_text(flags: Mapping[str, tuple[str, Mapping[str, str]]]) -> str:
    return json.dumps(
        {
            "flags": {
                key: {
                    "state": "ENABLED",
                    "variants": {"on": True, "off": False},
                    "defaultVariant": default,
                    "metadata": metadata,
                }
                for key, (default, metadata) in flags.items()
            }
        }
    )


def test_a_server_that_is_followed_keeps_it_ready() -> None:
    with serving() as here:
        provider = provider_of(here.port)
        api.set_provider_and_wait(provider)
        try:
            for on in (False, True) * 5:
                here.flags.publish(document({KEY: flag("on" if on else "off")}))
                until(lambda: api.get_client().get_boolean_value(KEY, not on) is on)  # noqa: B023
            assert api.get_client().get_provider_status() is ProviderStatus.READY
        finally:
            api.shutdown()
