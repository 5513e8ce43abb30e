"""The schemes, by the name that is in the path and in the file of sources."""

from davy.control.hooks import (
    alertmanager,
    argocd,
    circleci,
    cloudevents,
    github,
    gitlab,
    launchdarkly,
    pagerduty,
    sentry,
)
from davy.control.hooks.delivery import Scheme

SCHEMES: dict[str, Scheme] = {
    "github": github.SCHEME,
    "gitlab": gitlab.SCHEME,
    "argocd": argocd.SCHEME,
    "alertmanager": alertmanager.SCHEME,
    "pagerduty": pagerduty.SCHEME,
    "sentry": sentry.SCHEME,
    "circleci": circleci.SCHEME,
    "cloudevents": cloudevents.SCHEME,
    "launchdarkly": launchdarkly.SCHEME,
}
