"""The TLS of admission: certificates change while reviews are answered, and callers may have to show one."""

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from tests.policy.asking import asked, rollout
from tests.serve.admitting import NAMES, STRICT, Serving, at_once, rules, serving

from davy.adapters.certificate_files import ServerTls, renew
from davy.adapters.certificates import AUTHORITY_S, DAY_S, LEAF_S
from davy.serve.server import Server


def shown(server: Serving, context: ssl.SSLContext) -> bytes:
    """Return the certificate that a new caller is shown."""
    plain = socket.create_connection(("127.0.0.1", server.server.port), timeout=30)
    with context.wrap_socket(plain, server_hostname="localhost") as secured:
        return secured.getpeercert(binary_form=True) or b""


def test_no_review_fails_while_authority_and_certificate_change(tmp_path: Path) -> None:
    now = time.time()
    began = now - AUTHORITY_S + LEAF_S + 4 * DAY_S  # an authority that will soon have a successor
    renew(tmp_path / "tls", NAMES, began)
    done = threading.Event()
    rounds = [0] * 6
    with serving(tmp_path / "tls", rules(STRICT)) as server:
        # An API server has the bundle that was published before the switch, and may not have a newer one.
        renew(tmp_path / "tls", NAMES, now - 8 * DAY_S)
        server.tls.load()
        published = server.context
        before = shown(server, published)

        def ask(number: int) -> None:
            connection: http.client.HTTPSConnection | None = None
            while not done.is_set() or rounds[number] < 3:
                connection = connection or server.connection(published)
                status, response = server.post(asked(rollout()), connection)
                assert (status, response["allowed"]) == (200, True)
                rounds[number] += 1
                if number % 2:  # every other caller shakes hands anew each time
                    connection.close()
                    connection = None
            if connection is not None:
                connection.close()

        with at_once(6, ask):
            try:
                for turn in range(10):
                    names = (*NAMES, f"n{turn}.example")  # another name is another certificate
                    renew(tmp_path / "tls", names, now)
                    assert server.tls.load()
                    seen = [*rounds]
                    while any(count <= before_it for count, before_it in zip(rounds, seen, strict=True)):
                        done.wait(0.001)
            finally:
                done.set()
        after = shown(server, published)
        with pytest.raises(ssl.SSLCertVerificationError):
            shown(server, only_first(published))
    assert before != after
    assert server.reported == []


def only_first(published: ssl.SSLContext) -> ssl.SSLContext:
    """Believe the oldest authority alone."""
    oldest = min(published.get_ca_certs(), key=lambda found: ssl.cert_time_to_seconds(str(found["notBefore"])))
    ders = published.get_ca_certs(binary_form=True)
    return ssl.create_default_context(
        cadata=next(
            ssl.DER_cert_to_PEM_cert(der)
            for der, told in zip(ders, published.get_ca_certs(), strict=True)
            if told == oldest
        )
    )


def test_before_there_is_a_certificate_nobody_gets_in(tmp_path: Path) -> None:
    renew(tmp_path / "tls", NAMES, time.time())
    with serving(tmp_path / "tls", rules()) as server:
        empty = ServerTls(tmp_path)
        with Server(server.admission, empty.context, "127.0.0.1", 0) as bare:
            plain = socket.create_connection(("127.0.0.1", bare.port), timeout=30)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                server.context.wrap_socket(plain, server_hostname="localhost")
            plain.close()


def caller(directory: Path) -> tuple[Path, Path]:
    """Make an authority and a certificate for a client; return the file of the one and of the other."""
    now = datetime.fromtimestamp(time.time(), UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("ca", "kube-apiserver")]
    signed = [
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(names[0])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=name == names[0], path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(keys[0], hashes.SHA256())
        for name, key in zip(names, keys, strict=True)
    ]
    directory.mkdir()
    authority, own = directory / "ca.crt", directory / "client.pem"
    authority.write_bytes(signed[0].public_bytes(Encoding.PEM))
    key = keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    own.write_bytes(signed[1].public_bytes(Encoding.PEM) + key)
    return authority, own


def test_a_caller_may_have_to_show_who_it_is_and_a_probe_not(tmp_path: Path) -> None:
    authority, own = caller(tmp_path / "callers")
    _, forged = caller(tmp_path / "strangers")
    with serving(tmp_path / "tls", rules(), callers=authority) as server:
        known, stranger = server.context, server.context
        known.load_cert_chain(own)
        stranger.load_cert_chain(forged)
        assert server.get("/readyz") == (200, "ok\n")
        status, text = server.post(asked(rollout()))
        assert (status, text) == (403, "reviews are answered to callers with a certificate of the API server\n")
        connection = server.connection(stranger)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            server.post(asked(rollout()), connection)
        connection.close()
        connection = server.connection(known)
        assert server.post(asked(rollout()), connection)[1]["allowed"]
        connection.close()


def test_a_handshake_that_does_not_come_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("davy.serve.server.HANDSHAKE_S", 0.2)
    with serving(tmp_path / "tls", rules()) as server:
        at = ("127.0.0.1", server.server.port)
        with socket.create_connection(at, timeout=30) as plain, suppress(ConnectionResetError):
            assert plain.recv(1) == b""
        assert server.get("/healthz")[0] == 200


def test_answers_are_sent_at_once(tmp_path: Path) -> None:
    with serving(tmp_path / "tls", rules()) as server:
        listener = server.server._listener
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
