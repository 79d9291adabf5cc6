"""What is set for signing in to Kafka becomes what Faust and aiokafka take, or is refused in a line."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from faust import SASLCredentials, SSLCredentials
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from bp_faust.settings.broker_credentials import CredentialsError, broker_credentials
from bp_faust.settings.fields import Settings
from tests.certificates import Certificates


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "certificates")


def credentials(**settings: Any) -> Any:
    return broker_credentials(Settings(**settings))


def refusal(**settings: Any) -> str:
    with pytest.raises(CredentialsError) as refused:
        credentials(**settings)
    return str(refused.value)


def test_plaintext_needs_none() -> None:
    assert credentials() is None


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT"])
def test_a_user_signs_in_as_set(protocol: str, mechanism: str) -> None:
    made = credentials(
        broker_security_protocol=protocol,
        broker_sasl_mechanism=mechanism,
        broker_username="ward",
        broker_password="secret",
    )
    assert isinstance(made, SASLCredentials)
    assert "secret" not in repr(made)
    auth = dict(credentials_to_aiokafka_auth(made))
    context = auth.pop("ssl_context")
    assert auth == {
        "security_protocol": protocol,
        "sasl_mechanism": mechanism,
        "sasl_plain_username": "ward",
        "sasl_plain_password": "secret",
    }
    assert (context is not None) == (protocol == "SASL_SSL")


def test_tls_checks_names_and_the_authority_and_shows_a_certificate(certificates: Certificates) -> None:
    made = credentials(
        broker_security_protocol="SSL",
        broker_ca_certs=certificates.authority,
        broker_client_cert=certificates.issue("ward", "ward"),
    )
    assert isinstance(made, SSLCredentials)
    assert made.context.check_hostname
    assert made.context.verify_mode is ssl.CERT_REQUIRED
    assert len(made.context.get_ca_certs()) == 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"broker_security_protocol": "SASL_SSL"}, "set BP_FAUST_BROKER_USERNAME and BP_FAUST_BROKER_PASSWORD"),
        (
            {"broker_password": "secret"},
            "BP_FAUST_BROKER_SECURITY_PROTOCOL is PLAINTEXT, which makes no use",
        ),
        ({"broker_ca_certs": "x"}, "set the protocol to SASL_SSL or SSL"),
        ({"broker_security_protocol": "SSL", "broker_username": "x"}, "set the protocol to SASL_SSL or SASL_PLAINTEXT"),
        ({"broker_security_protocol": "SSL", "broker_ca_certs": "/nowhere"}, "/nowhere, which cannot be used (No such"),
        ({"broker_security_protocol": "SSL", "broker_ca_certs": __file__}, "(no certificate"),
        ({"broker_security_protocol": "SSL", "broker_client_cert": "/nowhere"}, "BP_FAUST_BROKER_CLIENT_CERT is /now"),
        ({"broker_security_protocol": "SSL", "broker_client_key": "x"}, "set BP_FAUST_BROKER_CLIENT_CERT too"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_set(settings: dict[str, str], told: str) -> None:
    assert told in refusal(**settings)
    assert "secret" not in refusal(**settings)


def test_an_encrypted_key_is_refused_rather_than_asked_for_its_password(
    certificates: Certificates, tmp_path: Path
) -> None:
    certificate, key = certificates.issue("ward", "ward"), tmp_path / "key.pem"
    plain = load_pem_private_key(certificate.read_bytes().partition(b"-----BEGIN CERT")[0], None)
    key.write_bytes(plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    told = refusal(broker_security_protocol="SSL", broker_client_cert=certificate, broker_client_key=key)
    assert f"with the key in BP_FAUST_BROKER_CLIENT_KEY, {key}" in told
    assert "unencrypted" in told


@pytest.mark.parametrize("address", ["kafka://ward:secret@kafka:9092", "kafka://a:1;kafka://ward@b:2", "x:y@z"])
def test_an_address_with_a_user_is_refused_and_not_repeated(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BP_FAUST_BROKER_URL", address)
    assert "BP_FAUST_BROKER_URL holds a user or a password" in refusal()
    assert "secret" not in refusal()


@pytest.mark.parametrize("address", ["kafka://kafka:port", "kafka://a:1;kafka://b:99999"])
def test_an_address_whose_port_is_none_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BP_FAUST_BROKER_URL", address)
    assert "write it like kafka://host:9092" in refusal()
