"""Make of the settings what Faust and aiokafka need to sign in to Kafka."""

from __future__ import annotations

import os
import re
import ssl
from urllib.parse import urlsplit

from faust import SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT

from bp_faust.settings.fields import Settings
from bp_faust.settings.reading import told_in_form

#: Faust's settings that hold addresses of brokers; its banner and its log show them whole.
_ADDRESSES = ("BP_FAUST_BROKER_URL", "BP_FAUST_BROKER_CONSUMER_URL", "BP_FAUST_BROKER_PRODUCER_URL")

#: The protocols that make use of a setting, the likeliest first.
_NEEDED = {
    "broker_username": ("SASL_SSL", "SASL_PLAINTEXT"),
    "broker_password": ("SASL_SSL", "SASL_PLAINTEXT"),
    "broker_ca_certs": ("SASL_SSL", "SSL"),
    "broker_client_cert": ("SSL", "SASL_SSL"),
    "broker_client_key": ("SSL", "SASL_SSL"),
}


class CredentialsError(Exception):
    """Say what is wrong with the settings for signing in to Kafka; its text holds no secret."""


def read_broker_credentials(settings: Settings) -> CredentialsT | None:
    """Return what Faust takes as ``broker_credentials``; end the program with a line that says what is wrong."""
    try:
        return broker_credentials(settings)
    except CredentialsError as exc:
        raise SystemExit(told_in_form(str(exc))) from exc


def broker_credentials(settings: Settings) -> CredentialsT | None:
    """Return what Faust takes as ``broker_credentials``, None for PLAINTEXT.

    Raises CredentialsError where settings contradict each other, a certificate's file cannot be used, or an address
    holds a password or is none.
    """
    _check_addresses()
    protocol = settings.broker_security_protocol
    _refuse_unused(settings, protocol)
    context = _context(settings) if protocol in {"SSL", "SASL_SSL"} else None
    if protocol.startswith("SASL_"):
        if not settings.broker_username or settings.broker_password is None:
            raise CredentialsError(
                f"BP_FAUST_BROKER_SECURITY_PROTOCOL is {protocol}, which signs in: set BP_FAUST_BROKER_USERNAME and "
                "BP_FAUST_BROKER_PASSWORD."
            )
        return SASLCredentials(
            username=settings.broker_username,
            password=settings.secret("broker_password"),
            mechanism=settings.broker_sasl_mechanism,
            ssl_context=context,
        )
    return SSLCredentials(context) if context is not None else None


def _check_addresses() -> None:
    for name in _ADDRESSES:
        for address in re.split("[;,]", os.environ.get(name, "")):
            # A user's name alone is as wrong; nothing else in an address has an @.
            if "@" in address:
                raise CredentialsError(
                    f"{name} holds a user or a password: leave them out of it, and set BP_FAUST_BROKER_USERNAME and "
                    "BP_FAUST_BROKER_PASSWORD."
                )
            try:
                urlsplit(address if "://" in address else f"kafka://{address}").port  # noqa: B018
            except ValueError as exc:
                raise CredentialsError(f"{name} holds {address}: write it like kafka://host:9092 ({exc}).") from exc


def _refuse_unused(settings: Settings, protocol: str) -> None:
    """Refuse settings that the protocol makes no use of: who sets them believes himself safer than he is."""
    for name, needed in _NEEDED.items():
        if getattr(settings, name) is not None and protocol not in needed:
            raise CredentialsError(
                f"BP_FAUST_{name.upper()} is set, and BP_FAUST_BROKER_SECURITY_PROTOCOL is {protocol}, which makes no "
                f"use of it: set the protocol to {' or '.join(needed)}, or leave the setting out."
            )


def _context(settings: Settings) -> ssl.SSLContext:
    authority, certificate, key = settings.broker_ca_certs, settings.broker_client_cert, settings.broker_client_key
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as exc:
        raise CredentialsError(
            f"BP_FAUST_BROKER_CA_CERTS is {authority}, which cannot be used ({_reason(exc)}): name a PEM file of "
            "certificates that this user may read."
        ) from exc
    if key is not None and certificate is None:
        raise CredentialsError("BP_FAUST_BROKER_CLIENT_KEY is set: set BP_FAUST_BROKER_CLIENT_CERT too.")
    if certificate is not None:
        try:
            # Without a password, one would be asked for at the terminal.
            context.load_cert_chain(certificate, key, password="")
        except OSError as exc:
            with_key = f"with the key in BP_FAUST_BROKER_CLIENT_KEY, {key}, " if key else ""
            raise CredentialsError(
                f"BP_FAUST_BROKER_CLIENT_CERT is {certificate}, which cannot be used {with_key}({_reason(exc)}): name "
                "PEM files of a certificate and its key, unencrypted, that this user may read."
            ) from exc
    return context


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no certificate or key in it").replace("_", " ").lower()
    return error.strerror or str(error)
