"""OpenFeature for applications: a provider that is governed, and a fast client beside it.

provider = DavyProvider.remote("https://davy.example.com:8443", token, service="checkout", artifact=hash)
openfeature.api.set_provider_and_wait(provider)
"""

from davy.openfeature.client import Client
from davy.openfeature.governed import GovernedProvider
from davy.openfeature.holding import Status
from davy.openfeature.provider import DavyProvider
from davy.openfeature.remote import Pace
from davy.openfeature.scope import AsgiRequests, Request, WsgiRequests, request
from davy.openfeature.telemetry import Audit

__all__ = [
    "AsgiRequests",
    "Audit",
    "Client",
    "DavyProvider",
    "GovernedProvider",
    "Pace",
    "Request",
    "Status",
    "WsgiRequests",
    "request",
]
