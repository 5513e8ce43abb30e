"""The providers of metrics: their names, and what may be put on record of them."""

from typing import Any

import msgspec
import pytest

from davy.model.job import JobMetric
from davy.model.providers import MetricProvider, shown


def provider(**fields: Any) -> MetricProvider:
    return msgspec.convert(fields, MetricProvider)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"web": {"url": "x"}}, "web"),
        ({"newRelic": {"query": "x"}}, "newRelic"),
        ({"plugin": {"davy.dev/sentry": {}}}, "davy.dev/sentry"),
        ({}, "none"),
    ],
)
def test_a_provider_is_found_by_the_name_that_argo_gives_it(fields: dict[str, Any], name: str) -> None:
    assert provider(**fields).name == name


def test_what_signs_in_is_not_put_on_record() -> None:
    literal = provider(
        web={
            "url": "https://api.example",
            "headers": [{"key": "X-Key", "value": "hunter2"}, {"key": "A", "value": "Bearer {{args.token}}"}],
            "jsonBody": {"a": [1, "b"]},
            "authentication": {
                "oauth2": {"clientId": "me", "clientSecret": "hunter2"},
                "basicAuth": {"username": "me", "password": "{{args.password}}"},
            },
        },
    )
    assert shown(literal) == {
        "web": {
            "url": "https://api.example",
            "headers": [{"key": "X-Key", "value": "***"}, {"key": "A", "value": "Bearer {{args.token}}"}],
            "jsonBody": {"a": [1, "b"]},
            "authentication": {
                "oauth2": {"clientId": "me", "clientSecret": "***"},
                "basicAuth": {"username": "me", "password": "{{args.password}}"},
            },
        }
    }


def test_a_job_is_tried_seven_times_where_it_does_not_say() -> None:
    assert msgspec.convert({"spec": {"template": {}}}, JobMetric).spec.tries == 7
    assert msgspec.convert({"spec": {"template": {}, "backoffLimit": 0}}, JobMetric).spec.tries == 1
