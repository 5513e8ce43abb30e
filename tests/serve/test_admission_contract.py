"""The webhook against a description of itself: schemathesis makes up what may come, and some that may not."""

import time
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks, openapi
from tests.serve.admitting import STRICT, rules

from davy.control.api_reviews import Reviewing
from davy.policy.passage import Trusted
from davy.serve.admission import Admission

TEXT = {"type": "string"}
KIND = {
    "type": "object",
    "required": ["group", "version", "kind"],
    "properties": {
        "group": {"enum": ["", "apps", "argoproj.io"]},
        "version": {"enum": ["v1"]},
        "kind": {"enum": ["Pod", "Rollout"]},
    },
}
RESOURCE = {
    "type": "object",
    "required": ["group", "version", "resource"],
    "properties": {"group": TEXT, "version": {"enum": ["v1"]}, "resource": {"enum": ["pods", "rollouts"]}},
}
OBJECT = {
    "type": "object",
    "properties": {
        "apiVersion": {"enum": ["v1", "apps/v1", "argoproj.io/v1"]},
        "kind": {"enum": ["Pod", "Rollout"]},
        "metadata": {"type": "object", "properties": {"name": TEXT, "namespace": TEXT}},
        "status": {"type": "object", "properties": {"abort": {"type": "boolean"}}},
    },
}
REQUEST = {
    "type": "object",
    "required": ["uid", "kind", "resource", "operation", "userInfo"],
    "properties": {
        "uid": {"type": "string", "minLength": 1, "maxLength": 128},
        "kind": KIND,
        "resource": RESOURCE,
        "subResource": {"enum": ["", "status", "scale"]},
        "operation": {"enum": ["CREATE", "UPDATE", "DELETE", "CONNECT"]},
        "userInfo": {"type": "object", "required": ["username"], "properties": {"username": TEXT}},
        "object": OBJECT,
        "oldObject": OBJECT,
        "dryRun": {"type": "boolean"},
    },
}
RESPONSE = {
    "type": "object",
    "required": ["apiVersion", "kind", "response"],
    "properties": {
        "apiVersion": {"enum": ["admission.k8s.io/v1"]},
        "kind": {"enum": ["AdmissionReview"]},
        "response": {
            "type": "object",
            "required": ["uid", "allowed", "status"],
            "properties": {
                "uid": {"type": "string", "minLength": 1},
                "allowed": {"type": "boolean"},
                "status": {
                    "type": "object",
                    "required": ["code"],
                    "properties": {"code": {"enum": [200, 299, 403]}, "message": TEXT},
                },
                "warnings": {"type": "array", "items": TEXT},
                "auditAnnotations": {"type": "object", "additionalProperties": TEXT},
            },
        },
    },
}
PLAIN = {"text/plain": {"schema": TEXT}}
DESCRIPTION: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "davy admission", "version": "1"},
    "paths": {
        "/v1/admit": {
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["apiVersion", "kind", "request"],
                                "properties": {
                                    "apiVersion": {"enum": ["admission.k8s.io/v1"]},
                                    "kind": {"enum": ["AdmissionReview"]},
                                    "request": REQUEST,
                                },
                            }
                        }
                    },
                },
                "responses": {
                    "200": {
                        "description": "an answer",
                        "content": {"application/json": {"schema": RESPONSE}},
                    },
                    "400": {"description": "no review", "content": PLAIN},
                },
            }
        },
        "/healthz": {"get": {"responses": {"200": {"description": "alive", "content": PLAIN}}}},
        "/readyz": {
            "get": {
                "responses": {
                    "200": {"description": "ready", "content": PLAIN},
                    "503": {"description": "not ready", "content": PLAIN},
                }
            }
        },
        "/metrics": {"get": {"responses": {"200": {"description": "counters", "content": PLAIN}}}},
    },
}

ADMISSION = Admission(Reviewing(Trusted(), time.time, rules(STRICT)), lambda number, text: pytest.fail(text))
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
SCHEMA = openapi.from_dict(DESCRIPTION)
SCHEMA.app = ADMISSION.app()


@SCHEMA.parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_it_answers_as_it_is_described(case: schemathesis.Case[Any]) -> None:
    answer = case.call()
    case.validate_response(answer, checks=CHECKS)
