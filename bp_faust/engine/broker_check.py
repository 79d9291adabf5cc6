"""Connect to the brokers as every client will, and say in one sentence what keeps it from working.

aiokafka's clients log the cause of a failed connection, and raise no more than that none could be made.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from .errors import BrokerSettingsError, BrokerUnavailableError

#: How long a broker may take to let us in and answer, in seconds.
_ANSWER_SECONDS = 8.0

#: What a broker's certificate is wrong in that has another name or address in it.
_OTHER_NAME = {62, 64}

#: How a TLS alert begins; who takes it for the length of an answer in Kafka's protocol waits for 352 million bytes.
_TLS_ALERT = 0x1503

#: Longer than any answer here, in bytes; what is no length at all, such as "HTTP", is longer.
_LONGEST_ANSWER = 100 << 20


class Address(NamedTuple):
    """Hold where a broker is."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


async def check_brokers(settings: Mapping[str, Any]) -> None:
    """Ask all brokers of a client's settings, and see that one answers, and one that it names can be reached.

    Raises BrokerUnavailableError where trying again may help, BrokerSettingsError where only other settings will.
    """
    with _quiet_aiokafka():
        given = [Address(host, port) for host, port, _ in collect_hosts(settings["bootstrap_servers"])]
        named = set().union(*await _first_success(given, settings))
        if named and named.isdisjoint(given):
            try:
                await _first_success(sorted(named), settings)
            except BrokerUnavailableError as exc:
                raise BrokerUnavailableError(
                    f"Kafka at {', '.join(map(str, given))} says that it is to be reached at "
                    f"{', '.join(map(str, sorted(named)))}, which fails ({exc}): set its advertised.listeners to an "
                    "address that this machine reaches."
                ) from exc


async def _first_success(addresses: Iterable[Address], settings: Mapping[str, Any]) -> list[set[Address]]:
    """Return what those brokers answered that did; raise the most telling error where none did."""
    answers = await asyncio.gather(*(_ask(address, settings) for address in addresses), return_exceptions=True)
    good = [answer for answer in answers if not isinstance(answer, BaseException)]
    if good:
        return good
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    raise next((error for error in errors if not isinstance(error, BrokerUnavailableError)), errors[0])


async def _ask(address: Address, settings: Mapping[str, Any]) -> set[Address]:
    """Return the addresses of all brokers, as one of them knows them."""

    async def ask() -> set[Address]:
        own = {name: value for name, value in settings.items() if name != "bootstrap_servers"}
        connection = await create_conn(address.host, address.port, **own)
        try:
            answer = await connection.send(MetadataRequest([]))
        finally:
            connection.close()
        return {Address(host, port) for _, host, port, *_ in answer.brokers}

    try:
        return await asyncio.wait_for(ask(), _ANSWER_SECONDS)
    except (KafkaError, OSError, asyncio.TimeoutError) as exc:
        raise _explained(exc, address, settings) from exc


def _explained(
    error: Exception, address: Address, settings: Mapping[str, Any]
) -> BrokerUnavailableError | BrokerSettingsError:
    protocol, cause = settings["security_protocol"], error.__cause__
    tls, signs_in = protocol.endswith("SSL"), protocol.startswith("SASL_")
    if isinstance(error, SaslAuthenticationFailed):
        return BrokerSettingsError(
            f"Kafka at {address} does not accept BP_FAUST_BROKER_USERNAME with BP_FAUST_BROKER_PASSWORD by "
            f"{settings['sasl_mechanism']}: correct them, or BP_FAUST_BROKER_SASL_MECHANISM."
        )
    if isinstance(error, UnsupportedSaslMechanismError):
        return BrokerSettingsError(
            f"Kafka at {address} does not let users sign in by {settings['sasl_mechanism']}: set "
            "BP_FAUST_BROKER_SASL_MECHANISM to what it is set up for."
        )
    if isinstance(error, IllegalSaslStateError):
        return BrokerSettingsError(
            f"Kafka at {address} lets no user sign in on that port: set BP_FAUST_BROKER_SECURITY_PROTOCOL to "
            f"{'SSL' if tls else 'PLAINTEXT'}, or BP_FAUST_BROKER_URL to the port where users sign in."
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        what_to_do = (
            "BP_FAUST_BROKER_URL to the name that it was made for"
            if error.verify_code in _OTHER_NAME
            else "BP_FAUST_BROKER_CA_CERTS to the file of the authority that signed it"
        )
        return BrokerSettingsError(
            f"The certificate of Kafka at {address} is not trusted ({error.verify_message.rstrip('.')}): set "
            f"{what_to_do}."
        )
    if isinstance(cause, ssl.SSLError):
        return BrokerSettingsError(
            f"Kafka at {address} does not accept this worker's certificate ({_words(cause)}): set "
            "BP_FAUST_BROKER_CLIENT_CERT and BP_FAUST_BROKER_CLIENT_KEY to what it trusts."
        )
    if isinstance(cause, asyncio.IncompleteReadError) and (cause.expected or 0) >> 16 == _TLS_ALERT:
        return BrokerSettingsError(
            f"Kafka at {address} speaks TLS on that port: set BP_FAUST_BROKER_SECURITY_PROTOCOL to "
            f"{'SASL_SSL' if signs_in else 'SSL or SASL_SSL'}."
        )
    if isinstance(cause, asyncio.IncompleteReadError) and (cause.expected or 0) > _LONGEST_ANSWER:
        return BrokerUnavailableError(
            f"What answers at {address} does not speak Kafka's protocol: set BP_FAUST_BROKER_URL to where Kafka is."
        )
    if isinstance(error, ssl.SSLError | ConnectionResetError) and tls:
        reason = f" ({_words(error)})" if isinstance(error, ssl.SSLError) else ""
        return BrokerUnavailableError(
            f"What answers at {address} does not speak TLS{reason}: set BP_FAUST_BROKER_URL to where Kafka does, or "
            f"BP_FAUST_BROKER_SECURITY_PROTOCOL to {'SASL_PLAINTEXT' if signs_in else 'PLAINTEXT'}."
        )
    if isinstance(error, KafkaError | ConnectionResetError):
        return BrokerUnavailableError(
            f"What answers at {address} ends the connection: set BP_FAUST_BROKER_SECURITY_PROTOCOL, which is "
            f"{protocol}, to what that port is for, or BP_FAUST_BROKER_URL to where Kafka is."
        )
    return BrokerUnavailableError(
        f"Kafka does not answer at {address} ({_words(error)}): start it, or set BP_FAUST_BROKER_URL to where it is."
    )


def _words(error: Exception) -> str:
    if isinstance(error, asyncio.TimeoutError):
        return f"nothing came within {_ANSWER_SECONDS:.0f} s"
    if isinstance(error, socket.gaierror):
        return "the name does not resolve"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "TLS fails").replace("_", " ").lower()
    errno = error.errno if isinstance(error, OSError) else None
    # asyncio's own text repeats the address.
    return os.strerror(errno) if errno else str(error) or type(error).__name__


@contextlib.contextmanager
def _quiet_aiokafka() -> Iterator[None]:
    # It logs every address that refuses as an error; our own message says it once.
    log = logging.getLogger("aiokafka")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
