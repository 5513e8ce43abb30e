"""An authority of our own: who has to be trusted is in the bundle for days before anything rests on it."""

import os
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from davy.adapters.certificate_files import (
    BUNDLE,
    CERTIFICATE,
    KEY,
    KEYRING,
    BadCertificates,
    ServerTls,
    is_own,
    renew,
)
from davy.adapters.certificates import AUTHORITY_S, DAY_S, LEAF_S, OVERLAP_S, Certified, Keyring, renewed
from davy.errors import UsageError

NAMES = ("davy.davy-system.svc", "10.0.0.1")
NOW = 1_772_366_400.0


def signed_by(keyring: Keyring) -> Certified:
    (signer,) = [
        each for each in keyring.authorities if each.certificate.subject == keyring.leaf.certificate.issuer
    ]
    keyring.leaf.certificate.verify_directly_issued_by(signer.certificate)
    return signer


def test_the_first_certificate_is_for_its_names_and_for_servers_only() -> None:
    keyring = renewed(None, NAMES, NOW)
    leaf = keyring.leaf.certificate
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["davy.davy-system.svc"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert keyring.leaf.ends_s == NOW + LEAF_S
    assert signed_by(keyring).ends_s == NOW + AUTHORITY_S
    assert keyring.leaf.begins_s == NOW


def test_nothing_changes_until_it_is_time() -> None:
    keyring = renewed(None, NAMES, NOW)
    assert renewed(keyring, NAMES, NOW + 60 * DAY_S) == keyring
    later = renewed(keyring, NAMES, NOW + 60 * DAY_S + 1)
    assert later.authorities == keyring.authorities
    assert later.leaf.ends_s > keyring.leaf.ends_s


def test_another_name_is_another_certificate() -> None:
    keyring = renewed(None, NAMES, NOW)
    assert renewed(keyring, NAMES[:1], NOW + 1).leaf != keyring.leaf


def test_a_new_authority_signs_nothing_before_it_was_in_the_bundle_for_days() -> None:
    keyring = renewed(None, NAMES, NOW)
    (first,) = keyring.authorities
    announced = NOW + AUTHORITY_S - LEAF_S
    both = renewed(keyring, NAMES, announced)
    assert both.authorities[0] == first
    assert len(both.authorities) == 2
    assert signed_by(both) == first
    assert signed_by(renewed(both, NAMES, announced + OVERLAP_S - 1)) == first
    switched = renewed(both, NAMES, announced + OVERLAP_S)
    assert signed_by(switched) == both.authorities[1]
    assert switched.authorities == both.authorities
    assert renewed(switched, NAMES, NOW + AUTHORITY_S).authorities == both.authorities[1:]


@given(st.lists(st.floats(0, 80 * DAY_S), max_size=12), st.integers(0, 10))
def test_whenever_it_is_looked_at_what_is_shown_is_believed_by_who_looked_a_week_ago(
    steps: list[float], years: int
) -> None:
    now = NOW
    keyring = renewed(None, NAMES, now)
    now += years * 365 * DAY_S
    history = [(now, keyring := renewed(keyring, NAMES, now))]
    for step in steps:
        now += step
        keyring = renewed(keyring, NAMES, now)
        history.append((now, keyring))
        signer = signed_by(keyring)
        assert keyring.leaf.begins_s <= now < keyring.leaf.ends_s <= signer.ends_s
        known = [then for when, then in history if when <= now - OVERLAP_S][-1:]
        assert all(signer in then.authorities for then in known)


def test_a_directory_is_made_read_again_and_kept_from_others(tmp_path: Path) -> None:
    directory = tmp_path / "tls"
    assert is_own(directory)
    keyring = renew(directory, NAMES, NOW)
    assert renew(directory, NAMES, NOW + DAY_S) == keyring
    assert (directory / BUNDLE).read_bytes() == keyring.bundle
    assert is_own(directory)
    for name in (KEYRING, KEY):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600
    assert b"PRIVATE" not in (directory / BUNDLE).read_bytes() + (directory / CERTIFICATE).read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-200],
        lambda text: text[: len(text) // 3],
        lambda text: text.replace("M", "é", 1),
        lambda text: text.replace("A", "B"),
        lambda text: "",
    ],
)
def test_a_keyring_that_is_damaged_is_told(tmp_path: Path, damage: object) -> None:
    renew(tmp_path, NAMES, NOW)
    path = tmp_path / KEYRING
    path.write_text(damage(path.read_text()))  # type: ignore[operator]
    with pytest.raises(BadCertificates, match=r"keyring\.pem"):
        renew(tmp_path, NAMES, NOW)


def test_certificates_of_others_are_not_renewed(tmp_path: Path) -> None:
    renew(tmp_path, NAMES, NOW)
    (tmp_path / KEYRING).unlink()
    assert not is_own(tmp_path)
    with pytest.raises(BadCertificates, match="not ours to renew"):
        renew(tmp_path, NAMES, NOW)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot keep certificates in"):
        renew(tmp_path / "file" / "below", NAMES, NOW)


def test_a_certificate_that_cannot_be_used_leaves_the_one_before_in_use(tmp_path: Path) -> None:
    tls = ServerTls(tmp_path)
    with pytest.raises(BadCertificates, match="cannot be used"):
        tls.load()
    renew(tmp_path, NAMES, NOW)
    assert tls.load()
    assert tls.ends_s == NOW + LEAF_S
    assert not tls.load()
    certificate = (tmp_path / CERTIFICATE).read_bytes()
    renew(tmp_path, NAMES, NOW + 80 * DAY_S)
    renewed_certificate = (tmp_path / CERTIFICATE).read_bytes()
    (tmp_path / CERTIFICATE).write_bytes(b"nothing")
    with pytest.raises(BadCertificates, match="cannot be used"):
        tls.load()
    other = tmp_path / "other"
    renew(other, NAMES, NOW)
    (tmp_path / CERTIFICATE).write_bytes((other / CERTIFICATE).read_bytes())
    with pytest.raises(BadCertificates, match=r"(?i)key.values.mismatch"):
        tls.load()
    assert tls.ends_s == NOW + LEAF_S
    (tmp_path / CERTIFICATE).write_bytes(renewed_certificate)
    assert tls.load()
    assert renewed_certificate != certificate


def test_no_older_tls_than_1_2_is_spoken(tmp_path: Path) -> None:
    assert ServerTls(tmp_path).context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_authorities_of_callers_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadCertificates, match="no authority can be read from"):
        ServerTls(tmp_path, callers=tmp_path / "none.pem")
    os.close(os.open(tmp_path / "empty.pem", os.O_CREAT | os.O_WRONLY))
    with pytest.raises(BadCertificates, match="no authority can be read from"):
        ServerTls(tmp_path, callers=tmp_path / "empty.pem")
