"""OAuth 2.0 client credentials (RFC 6749, section 4.4): a name and a secret are turned into a token."""

from base64 import b64encode
from urllib.parse import quote_plus, urlencode

from davy.adapters.vendor import Server, read_json
from davy.analysis.provider import ProviderError
from davy.model.providers import OAuth2Config

_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


def token(config: OAuth2Config, server: Server, *, timeout_s: float) -> str:
    """Ask for an access token; the client signs in with a header first, in the form where that is refused.

    That is what Go's `clientcredentials` does, which Argo Rollouts uses.

    Raises:
        ProviderError: there is no token.
    """
    for missing in ("client_id", "client_secret"):
        if not getattr(config, missing):
            raise ProviderError(f"authentication.oauth2 of the metric has no {missing}")
    server.asking.learn(config.client_secret)
    form = {"grant_type": "client_credentials"}
    if config.scopes:
        form["scope"] = " ".join(config.scopes)
    pair = f"{quote_plus(config.client_id)}:{quote_plus(config.client_secret)}"
    basic = b64encode(pair.encode()).decode()
    server.asking.learn(basic)
    ways = (
        ({**_FORM, "Authorization": f"Basic {basic}"}, form),
        (_FORM, {**form, "client_id": config.client_id, "client_secret": config.client_secret}),
    )
    for headers, fields in ways:
        response = server.ask(
            "POST", config.token_url, headers=headers, body=urlencode(fields).encode(), timeout_s=timeout_s
        )
        if not 400 <= response.status < 500:
            break
    if not 200 <= response.status < 300:
        raise server.refusal(response, config.token_url)
    try:
        found = read_json(response.body)
        given = found["access_token"]
    except (ValueError, KeyError, TypeError):
        given = None
    if not isinstance(given, str) or not given:
        raise ProviderError(f"{server.place(config.token_url)} answers without an access token")
    server.asking.learn(given)
    return given
