"""Certificates in a directory: our own, which are renewed there, or somebody else's, which are only read.

A directory of our own holds `keyring.pem` (the authorities with their keys; nobody else needs it), `ca.crt`
(what callers are to trust), `tls.crt` and `tls.key`. One that was mounted from a Secret of the type
`kubernetes.io/tls` has the last three or two.
"""

import os
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from davy.adapters.certificates import Certified, Keyring, renewed
from davy.adapters.files import replace
from davy.errors import UsageError

KEYRING, BUNDLE, CERTIFICATE, KEY = "keyring.pem", "ca.crt", "tls.crt", "tls.key"

_HINT = "name another directory, or empty this one: a new authority is made in it then"
_END = "-----END PRIVATE KEY-----\n"


class BadCertificates(UsageError):
    """What is in a directory of certificates cannot be used."""

    code = "bad-certificates"


def renew(directory: Path, names: Sequence[str], now: float) -> Keyring:
    """Renew what has to be renewed in a directory of our own, and make it where it is empty.

    Asking again changes nothing until it is time. Whoever reads meanwhile may see a certificate with the key
    of the one before, and `ServerTls.load` goes on with what it has then.

    Raises:
        BadCertificates: the files are damaged, or somebody else's.
        UsageError: they cannot be written.
    """
    try:
        before = _read(directory)
        after = renewed(before, names, now)
        if after != before:
            _write(directory, after)
    except OSError as error:
        raise UsageError(f"cannot keep certificates in {directory}: {error.strerror or error}") from error
    return after


def is_own(directory: Path) -> bool:
    """Whether certificates are renewed here: there is an authority of ours, or nothing."""
    return (directory / KEYRING).exists() or not (directory / CERTIFICATE).exists()


def _read(directory: Path) -> Keyring | None:
    try:
        text = (directory / KEYRING).read_text(encoding="ascii")
    except FileNotFoundError:
        if any((directory / name).exists() for name in (CERTIFICATE, KEY)):
            raise BadCertificates(
                f"{directory} has certificates that are not ours to renew", hint=_HINT
            ) from None
        return None
    except UnicodeDecodeError as error:
        raise BadCertificates(f"{directory / KEYRING} is damaged", hint=_HINT) from error
    found = [_certified(part + _END, directory) for part in text.split(_END) if part]
    if len(found) < 2:
        raise BadCertificates(f"{directory / KEYRING} is damaged: it is cut off", hint=_HINT)
    return Keyring(tuple(found[:-1]), found[-1])


def _certified(pem: str, directory: Path) -> Certified:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        key = load_pem_private_key(pem[pem.index("-----BEGIN PRIVATE") :].encode(), None)
    except ValueError as error:
        raise BadCertificates(f"{directory / KEYRING} is damaged", hint=_HINT) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadCertificates(f"{directory / KEYRING} has a key of another kind", hint=_HINT)
    return Certified(certificate, key)


def _write(directory: Path, keyring: Keyring) -> None:
    """Write the keyring first: the other files follow from it."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    every = [*keyring.authorities, keyring.leaf]
    _secret(directory / KEYRING, b"".join(each.pem + each.key_pem for each in every))
    replace(directory / BUNDLE, keyring.bundle)
    _secret(directory / KEY, keyring.leaf.key_pem)
    replace(directory / CERTIFICATE, keyring.leaf.pem)


def _secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, from the first byte on."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    replace(path, content, beside=beside)


class ServerTls:
    """What a server shows to its callers; it can be given another certificate while it serves.

    Connections that are open keep the one they began with; every handshake after `load` sees the new one.

    Args:
        directory: where `tls.crt` and `tls.key` are.
        callers: the authorities of callers, where their certificates are to be verified; probes have none, so
            that it is the server's matter to turn away who has none.
    """

    def __init__(self, directory: Path, *, callers: Path | None = None) -> None:
        self._directory, self._callers = directory, callers
        self.context = self._made()
        self.context.sni_callback = self._choose
        self.ends_s = 0.0
        self._current: ssl.SSLContext | None = None
        self._seen = b""

    def load(self) -> bool:
        """Look at the files again; say whether there is another certificate now.

        Raises:
            BadCertificates: they cannot be used, and what was in use stays in use.
        """
        certificate, key = (self._directory / name for name in (CERTIFICATE, KEY))
        try:
            pem = certificate.read_bytes()
            if pem == self._seen:
                return False
            context = self._made()
            context.load_cert_chain(certificate, key)
            ends_s = x509.load_pem_x509_certificates(pem)[0].not_valid_after_utc.timestamp()
        except (OSError, ssl.SSLError, ValueError) as error:
            raise BadCertificates(f"the certificate in {self._directory} cannot be used: {error}") from error
        self._current, self._seen, self.ends_s = context, pem, ends_s
        return True

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> int | None:
        """Let a handshake that begins see the newest certificate."""
        if self._current is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = self._current
        return None

    def _made(self) -> ssl.SSLContext:
        """Make a context; callers are verified by the one that was chosen, so each of them knows how."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        if self._callers is not None:
            try:
                context.load_verify_locations(self._callers)
            except (OSError, ssl.SSLError) as error:
                raise BadCertificates(f"no authority can be read from {self._callers}: {error}") from error
            context.verify_mode = ssl.CERT_OPTIONAL
        return context
