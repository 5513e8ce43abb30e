"""A ramp leads somewhere: where its variant is the default, there is nothing to ramp."""

import pytest

from davy.flags.registry import read_registry

FLAG = """
apiVersion: davy.dev/v1alpha1
kind: FeatureFlag
metadata: {name: shop.new}
spec:
  owner: shop
  jira: PAY-1
  expiry: 2027-03-01
  variants: {"on": true, "off": false}
  safeValue: false
  DEFAULT
  ramp: {variant: "on", steps: [{setWeight: 100}]}
"""


@pytest.mark.parametrize(
    ("default", "found"),
    [
        ("", 0),
        ('defaultVariant: "off"', 0),
        ('defaultVariant: "on"', 1),
        ('environments: {production: {defaultVariant: "on"}}', 1),
        ('environments: {production: {state: ENABLED}, staging: {defaultVariant: "on"}}', 0),
    ],
)
def test_what_a_ramp_leads_to_is_not_the_default_already(default: str, found: int) -> None:
    _, findings = read_registry([("flag.yaml", FLAG.replace("DEFAULT", default).encode())])
    titles = [finding.title for finding in findings if "without the ramp" in finding.title]
    assert len(titles) == found
