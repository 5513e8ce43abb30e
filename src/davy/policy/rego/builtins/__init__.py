"""The builtins of Rego, by name, and those that are refused, with the reason."""

from collections.abc import Mapping

from davy.policy.rego import arithmetic
from davy.policy.rego.builtin import Builtin, BuiltinError, Context
from davy.policy.rego.builtins import (
    addresses,
    aggregates,
    certificates,
    digests,
    encoding,
    glob,
    graph,
    instants,
    kinds,
    minting,
    network,
    numbers,
    objects,
    paths,
    private_keys,
    regex,
    said,
    schemas,
    semver,
    signatures,
    sprintf,
    strings,
    tokens,
    units,
    yaml,
    yaml_text,
)

__all__ = ["BUILTINS", "REFUSED", "Builtin", "BuiltinError", "Context"]

_FAMILIES = (
    arithmetic.FAMILY,
    addresses.FAMILY,
    aggregates.FAMILY,
    certificates.FAMILY,
    digests.FAMILY,
    encoding.FAMILY,
    glob.FAMILY,
    graph.FAMILY,
    instants.FAMILY,
    kinds.FAMILY,
    minting.FAMILY,
    network.FAMILY,
    numbers.FAMILY,
    objects.FAMILY,
    paths.FAMILY,
    private_keys.FAMILY,
    regex.FAMILY,
    said.FAMILY,
    schemas.FAMILY,
    semver.FAMILY,
    signatures.FAMILY,
    sprintf.FAMILY,
    strings.FAMILY,
    tokens.FAMILY,
    units.FAMILY,
    yaml.FAMILY,
    yaml_text.FAMILY,
)

BUILTINS: Mapping[str, Builtin] = {builtin.name: builtin for family in _FAMILIES for builtin in family}

_WORLD = "a policy judges what it is given; it does not ask the network"

REFUSED: Mapping[str, str] = {
    "http.send": _WORLD,
    "net.lookup_ip_addr": _WORLD,
    "opa.runtime": "it tells the configuration and the environment of an OPA server, and here is none",
    "providers.aws.sign_req": "it signs a request for `http.send`, which is refused",
    "rego.metadata.chain": "annotations are not read",
    "rego.metadata.rule": "annotations are not read",
    "rego.parse_module": "it gives OPA's own syntax tree, which this compiler does not have",
    "strings.render_template": "it needs Go's text/template, a language of its own",
    "graphql.is_valid": "GraphQL is not spoken here",
    "graphql.parse": "GraphQL is not spoken here",
    "graphql.parse_and_verify": "GraphQL is not spoken here",
    "graphql.parse_query": "GraphQL is not spoken here",
    "graphql.parse_schema": "GraphQL is not spoken here",
    "graphql.schema_is_valid": "GraphQL is not spoken here",
    "internal.print": "OPA's own compiler writes it in place of `print`",
    "internal.test_case": "OPA's own test runner writes it",
}
