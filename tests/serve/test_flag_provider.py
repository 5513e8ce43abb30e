"""Davy's own provider and the real server of flags: what is killed is off, and that is acknowledged."""

from openfeature.evaluation_context import EvaluationContext
from tests.serve.flagging import document, flag, serving

from davy.openfeature import DavyProvider
from davy.testing.patience import until
from openfeature import api


def test_a_kill_reaches_an_instance_that_listens_and_is_acknowledged() -> None:
    with serving() as server:
        provider = DavyProvider.remote(
            f"http://127.0.0.1:{server.port}", token="secret-of-checkout", service="checkout"
        )
        api.set_provider_and_wait(provider, "checkout")
        try:
            client = api.get_client("checkout")
            somebody = EvaluationContext("u-1")
            assert client.get_boolean_value("checkout.discount", False, somebody) is True
            until(lambda: 'davy_flags_streams_open{kind="instance"} 1' in server.metrics())
            server.flags.publish(document({"checkout.discount": flag("off", metadata={"killed": True})}))
            until(lambda: client.get_boolean_value("checkout.discount", True, somebody) is False)
            until(lambda: [each.version for each in server.flags.acknowledged.values()] == [2])
            assert 'davy_flags_acknowledged_instances{version="2"} 1' in server.metrics()
        finally:
            provider.shutdown()
            api.clear_providers()
        until(lambda: not server.flags.acknowledged)
