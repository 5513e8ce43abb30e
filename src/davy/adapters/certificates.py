"""An authority of our own for one name: certificates that are renewed before anybody has to trust a new one.

An API server believes the certificates in the `caBundle` of a webhook configuration. So a new authority is in
the bundle for days before the first certificate is signed by it, and an old one stays there until it ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY_S = 86400.0
AUTHORITY_S = 3650 * DAY_S
LEAF_S = 90 * DAY_S

OVERLAP_S = 7 * DAY_S
"""How long a new authority is in the bundle before anything is signed by it."""

AUTHORITY_AHEAD_S = LEAF_S + 2 * OVERLAP_S
"""An authority with less time left has a successor: everything that it signs ends before it does."""

LEAF_AHEAD_S = LEAF_S / 3
"""A certificate with less time left is renewed."""

SKEW_S = 300.0
"""How far the clock of whoever checks a certificate may be behind."""

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key = field(compare=False)

    @property
    def begins_s(self) -> float:
        """When it was made, in seconds since 1970."""
        return self.certificate.not_valid_before_utc.timestamp() + SKEW_S

    @property
    def ends_s(self) -> float:
        """When it ends, in seconds since 1970."""
        return self.certificate.not_valid_after_utc.timestamp()

    @property
    def pem(self) -> bytes:
        """The certificate as text."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key as text."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


@dataclass(frozen=True, slots=True)
class Keyring:
    """The authorities that are to be trusted, oldest first, and the certificate that is shown."""

    authorities: tuple[Certified, ...]
    leaf: Certified

    @property
    def bundle(self) -> bytes:
        """All authorities, as a `caBundle` holds them."""
        return b"".join(authority.pem for authority in self.authorities)


def renewed(keyring: Keyring | None, names: Sequence[str], now: float) -> Keyring:
    """Return what to use from now on, which is the same keyring where nothing has to change.

    Args:
        keyring: what was in use, None where there is nothing yet.
        names: the host names and addresses the certificate is for.
        now: seconds since 1970 UTC.
    """
    living = () if keyring is None else tuple(each for each in keyring.authorities if each.ends_s > now)
    if not living or living[-1].ends_s - now < AUTHORITY_AHEAD_S:
        living = (*living, _authority(now))
    signer = next((each for each in reversed(living) if now - each.begins_s >= OVERLAP_S), living[0])
    if keyring is not None and _is_good(keyring.leaf, signer, names, now):
        return replace(keyring, authorities=living)
    return Keyring(living, _leaf(signer, names, now))


def _is_good(leaf: Certified, signer: Certified, names: Sequence[str], now: float) -> bool:
    found = leaf.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        leaf.ends_s - now >= LEAF_AHEAD_S
        and leaf.certificate.issuer == signer.certificate.subject
        and list(found) == _alternatives(names)
    )


def _authority(now: float) -> Certified:
    """Make an authority; its name is its own, so that two of them are told apart."""
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"davy admission {serial % 2**48:012x}")])
    builder = _builder(name, name, key, serial, now, AUTHORITY_S)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return Certified(builder.sign(key, hashes.SHA256()), key)


def _leaf(signer: Certified, names: Sequence[str], now: float) -> Certified:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    lasts_s = min(LEAF_S, signer.ends_s - now)
    builder = _builder(name, signer.certificate.subject, key, x509.random_serial_number(), now, lasts_s)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
    builder = builder.add_extension(authority, critical=False)
    return Certified(builder.sign(signer.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, serial: int, now: float, lasts_s: float
) -> x509.CertificateBuilder:
    begin = datetime.fromtimestamp(int(now), UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(begin - timedelta(seconds=SKEW_S))
        .not_valid_after(begin + timedelta(seconds=int(lasts_s)))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found
