"""Certificates as Go's `x509.Certificate` and `x509.CertificateRequest` are written in JSON."""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from davy.policy.rego.builtins.addresses import parse
from davy.policy.rego.builtins.private_keys import public_struct
from davy.policy.rego.values import Value

_ATTRIBUTES = {
    "2.5.4.6": "Country",
    "2.5.4.10": "Organization",
    "2.5.4.11": "OrganizationalUnit",
    "2.5.4.7": "Locality",
    "2.5.4.8": "Province",
    "2.5.4.9": "StreetAddress",
    "2.5.4.17": "PostalCode",
}
_SINGLE = {"2.5.4.3": "CommonName", "2.5.4.5": "SerialNumber"}
_SIGNED = {
    "1.2.840.113549.1.1.4": 2,
    "1.2.840.113549.1.1.5": 3,
    "1.2.840.113549.1.1.11": 4,
    "1.2.840.113549.1.1.12": 5,
    "1.2.840.113549.1.1.13": 6,
    "1.2.840.10045.4.1": 9,
    "1.2.840.10045.4.3.2": 10,
    "1.2.840.10045.4.3.3": 11,
    "1.2.840.10045.4.3.4": 12,
    "1.3.101.112": 16,
}
_PSS = {"sha256": 13, "sha384": 14, "sha512": 15}
PURPOSES = {
    "2.5.29.37.0": 0,
    "1.3.6.1.5.5.7.3.1": 1,
    "1.3.6.1.5.5.7.3.2": 2,
    "1.3.6.1.5.5.7.3.3": 3,
    "1.3.6.1.5.5.7.3.4": 4,
    "1.3.6.1.5.5.7.3.5": 5,
    "1.3.6.1.5.5.7.3.6": 6,
    "1.3.6.1.5.5.7.3.7": 7,
    "1.3.6.1.5.5.7.3.8": 8,
    "1.3.6.1.5.5.7.3.9": 9,
    "1.3.6.1.4.1.311.10.3.3": 10,
    "2.16.840.1.113730.4.1": 11,
    "1.3.6.1.4.1.311.2.1.22": 12,
    "1.3.6.1.4.1.311.61.1.1": 13,
}
"""What a certificate may be used for, by the number that Go gives it."""

_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
HANDLED = frozenset(
    (
        "2.5.29.15",
        "2.5.29.17",
        "2.5.29.19",
        "2.5.29.30",
        "2.5.29.31",
        "2.5.29.32",
        "2.5.29.33",
        "2.5.29.35",
        "2.5.29.36",
        "2.5.29.37",
        "2.5.29.14",
        "2.5.29.54",
        "1.3.6.1.5.5.7.1.1",
    )
)
"""Extensions that Go reads; others must not be critical."""


def b64(found: bytes) -> str:
    """Write bytes as Go does in JSON."""
    return base64.b64encode(found).decode()


def _oid(dotted: str) -> list[int]:
    return [int(part) for part in dotted.split(".")]


def _some(found: Iterable[Value]) -> list[Value] | None:
    return list(found) or None


def extensions(found: Any) -> dict[str, Any]:
    """Give the extensions of a certificate or a request by their identifier."""
    return {one.oid.dotted_string: one for one in found.extensions}


def uses(found: Mapping[str, Any]) -> int:
    """Give the bits of the key usage, 0 where nothing is said."""
    if "2.5.29.15" not in found:
        return 0
    usage = found["2.5.29.15"].value
    bits = sum(getattr(usage, name) << at for at, name in enumerate(_USES))
    if usage.key_agreement:
        bits += (usage.encipher_only << 7) + (usage.decipher_only << 8)
    return int(bits)


def purposes(found: Mapping[str, Any]) -> list[str]:
    """Give the identifiers of what a certificate may be used for."""
    return [one.dotted_string for one in found["2.5.29.37"].value] if "2.5.29.37" in found else []


def names(found: Mapping[str, Any], kind: str) -> list[Value]:
    """Give alternative names: `DNSName`, `RFC822Name`, `IPAddress`, `UniformResourceIdentifier`."""
    from cryptography import x509

    if "2.5.29.17" not in found:
        return []
    return list(found["2.5.29.17"].value.get_values_for_type(getattr(x509, kind)))


def certificate(one: Any, *, strings: bool = True) -> dict[str, Value]:
    """Write a certificate; `strings` adds its URIs as texts."""
    found = extensions(one)
    return {
        **_shared(one, found),
        "Version": one.version.value + 1,
        "Issuer": _name(one.issuer),
        "RawIssuer": b64(one.issuer.public_bytes()),
        "RawTBSCertificate": b64(one.tbs_certificate_bytes),
        "SerialNumber": one.serial_number,
        "NotBefore": _time(one.not_valid_before_utc),
        "NotAfter": _time(one.not_valid_after_utc),
        "KeyUsage": uses(found),
        "ExtKeyUsage": _some(PURPOSES[one] for one in purposes(found) if one in PURPOSES),
        "UnknownExtKeyUsage": _some(_oid(one) for one in purposes(found) if one not in PURPOSES),
        "UnhandledCriticalExtensions": _some(
            _oid(name) for name, one in found.items() if one.critical and name not in HANDLED
        ),
        "SubjectKeyId": _digest(found, "2.5.29.14", "digest"),
        "AuthorityKeyId": _digest(found, "2.5.29.35", "key_identifier"),
        **_basics(found),
        **_places(found),
        **_constraints(found),
        **_policies(found),
        **({"URIStrings": _some(names(found, "UniformResourceIdentifier"))} if strings else {}),
    }


def request(one: Any) -> dict[str, Value]:
    """Write a request for a certificate."""
    found = extensions(one)
    asked = [{"Type": _oid(name), "Value": b64(each.value.public_bytes())} for name, each in found.items()]
    attribute = {"Type": _oid("1.2.840.113549.1.9.14"), "Value": [asked]}
    return {
        **_shared(one, found),
        "Version": 0,
        "RawTBSCertificateRequest": b64(one.tbs_certrequest_bytes),
        "Attributes": [attribute] if asked else [],
    }


def _shared(one: Any, found: Mapping[str, Any]) -> dict[str, Value]:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = one.public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "Raw": b64(one.public_bytes(Encoding.DER)),
        "RawSubject": b64(one.subject.public_bytes()),
        "RawSubjectPublicKeyInfo": b64(spki),
        "Signature": b64(one.signature),
        "SignatureAlgorithm": _signed(one),
        "PublicKeyAlgorithm": 1 if isinstance(key, rsa.RSAPublicKey) else 3 if _is(key, ec) else 4,
        "PublicKey": public_struct(key),
        "Subject": _name(one.subject),
        "Extensions": _some(map(_extension, found.values())),
        "ExtraExtensions": None,
        "DNSNames": _some(names(found, "DNSName")),
        "EmailAddresses": _some(names(found, "RFC822Name")),
        "IPAddresses": _some(map(str, names(found, "IPAddress"))),
        "URIs": _some(map(_uri, names(found, "UniformResourceIdentifier"))),
    }


def _is(key: Any, ec: Any) -> bool:
    return isinstance(key, ec.EllipticCurvePublicKey)


def _signed(one: Any) -> int:
    dotted = one.signature_algorithm_oid.dotted_string
    if dotted == "1.2.840.113549.1.1.10":
        return _PSS.get(one.signature_hash_algorithm.name, 0)
    return _SIGNED.get(dotted, 0)


def _extension(one: Any) -> dict[str, Value]:
    return {
        "Id": _oid(one.oid.dotted_string),
        "Critical": one.critical,
        "Value": b64(one.value.public_bytes()),
    }


def _name(name: Any) -> dict[str, Value]:
    made: dict[str, Value] = dict.fromkeys(_ATTRIBUTES.values())
    made |= {"CommonName": "", "SerialNumber": "", "ExtraNames": None}
    for one in name:
        dotted = one.oid.dotted_string
        if dotted in _ATTRIBUTES:
            made[_ATTRIBUTES[dotted]] = [*(made[_ATTRIBUTES[dotted]] or ()), one.value]
        elif dotted in _SINGLE:
            made[_SINGLE[dotted]] = one.value
    made["Names"] = _some({"Type": _oid(one.oid.dotted_string), "Value": one.value} for one in name)
    return made


def _time(when: Any) -> str:
    return str(when.strftime("%Y-%m-%dT%H:%M:%SZ")).rjust(20, "0")


def _uri(written: str) -> dict[str, Value]:
    found = parse(written)
    port = found.get("port", "")
    return {
        "Scheme": found.get("scheme", ""),
        "Opaque": "",
        "User": None,
        "Host": found.get("hostname", "") + (f":{port}" if port else ""),
        "Path": found.get("path", ""),
        "RawPath": "" if found.get("raw_path") == found.get("path") else found.get("raw_path", ""),
        "OmitHost": False,
        "ForceQuery": False,
        "RawQuery": found.get("raw_query", ""),
        "Fragment": found.get("fragment", ""),
        "RawFragment": "",
    }


def _digest(found: Mapping[str, Any], name: str, part: str) -> str | None:
    digest = getattr(found[name].value, part) if name in found else None
    return b64(digest) if digest else None


def _basics(found: Mapping[str, Any]) -> dict[str, Value]:
    basic = found["2.5.29.19"].value if "2.5.29.19" in found else None
    length = 0 if basic is None else -1 if basic.path_length is None else basic.path_length
    return {
        "BasicConstraintsValid": basic is not None,
        "IsCA": basic is not None and basic.ca,
        "MaxPathLen": length,
        "MaxPathLenZero": basic is not None and length == 0,
    }


def _places(found: Mapping[str, Any]) -> dict[str, Value]:
    """Write where the issuer, its answers about the certificate and its list of revoked ones are."""
    about = list(found["1.3.6.1.5.5.7.1.1"].value) if "1.3.6.1.5.5.7.1.1" in found else []
    lists = list(found["2.5.29.31"].value) if "2.5.29.31" in found else []
    by_method = {
        method: _some(one.access_location.value for one in about if one.access_method.dotted_string == method)
        for method in ("1.3.6.1.5.5.7.48.1", "1.3.6.1.5.5.7.48.2")
    }
    return {
        "OCSPServer": by_method["1.3.6.1.5.5.7.48.1"],
        "IssuingCertificateURL": by_method["1.3.6.1.5.5.7.48.2"],
        "CRLDistributionPoints": _some(name.value for one in lists for name in one.full_name or ()),
    }


_CONSTRAINED = {
    "DNSDomains": "DNSName",
    "EmailAddresses": "RFC822Name",
    "URIDomains": "UniformResourceIdentifier",
    "IPRanges": "IPAddress",
}


def _constraints(found: Mapping[str, Any]) -> dict[str, Value]:
    from cryptography import x509

    one = found.get("2.5.29.30")
    made: dict[str, Value] = {"PermittedDNSDomainsCritical": one is not None and one.critical}
    for side in ("Permitted", "Excluded"):
        trees = [] if one is None else getattr(one.value, f"{side.lower()}_subtrees") or []
        for field, kind in _CONSTRAINED.items():
            wanted = getattr(x509, kind)
            made[side + field] = _some(_range(tree.value) for tree in trees if isinstance(tree, wanted))
    return made


def _range(value: Any) -> Value:
    if isinstance(value, str):
        return value
    return {"IP": str(value.network_address), "Mask": b64(value.netmask.packed)}


def _policies(found: Mapping[str, Any]) -> dict[str, Value]:
    dotted = (
        [one.policy_identifier.dotted_string for one in found["2.5.29.32"].value]
        if "2.5.29.32" in found
        else []
    )
    return {
        "PolicyIdentifiers": _some(map(_oid, dotted)),
        "Policies": _some(dotted),
        "PolicyMappings": None,
        "InhibitAnyPolicy": 0,
        "InhibitAnyPolicyZero": False,
        "InhibitPolicyMapping": 0,
        "InhibitPolicyMappingZero": False,
        "RequireExplicitPolicy": 0,
        "RequireExplicitPolicyZero": False,
    }
