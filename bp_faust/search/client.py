"""Connect to Elasticsearch."""

import logging
import socket
import ssl
import time

from aiohttp import ClientConnectorCertificateError, ClientConnectorError
from elastic_transport import TlsError, TransportError
from elastic_transport.client_utils import DEFAULT
from elasticsearch import ApiError, AsyncElasticsearch, OrjsonSerializer

from bp_faust.search.answers import is_later
from bp_faust.search.errors import SearchDeniedError, SearchError, SearchUnavailableError
from bp_faust.search.retrying import OnRetry, TryAgain, address, describe, log_retry, retrying

#: How long a name may be unknown that a name server may yet learn, in seconds.
_NAME_SECONDS = 5.0

# It logs every request, and every failure that we tell of ourselves.
logging.getLogger("elastic_transport").setLevel(logging.ERROR)


def connect(
    url: str,
    *,
    api_key: str | None = None,
    username: str | None = None,
    password: str | None = None,
    ca_certs: str | None = None,
    request_timeout: float = 30.0,
) -> AsyncElasticsearch:
    """Build a client for the node or load balancer at url; nothing is sent yet.

    It neither looks for other nodes nor retries: the writer retries, and knows which documents need it. An api_key goes
    before username and password. ca_certs is the path of a PEM file; request_timeout is in seconds.

    Raises SearchError where the url is not of the form http://host:port or https://host:port, or ca_certs cannot be
    used.
    """
    if ca_certs is not None:
        _check_authority(ca_certs)
    try:
        return AsyncElasticsearch(
            url,
            api_key=api_key or None,
            basic_auth=(username, password or "") if username and not api_key else None,
            ca_certs=ca_certs or DEFAULT,
            request_timeout=request_timeout,
            serializer=OrjsonSerializer(),
            max_retries=0,
            retry_on_timeout=False,
        )
    except ValueError:
        # Its cause shows the address, which may hold a password.
        raise SearchError(
            "BP_FAUST_ELASTICSEARCH_URL must have a scheme, a host and a port, like http://localhost:9200"
        ) from None


def _check_authority(path: str) -> None:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        reason = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise SearchError(
            f"BP_FAUST_ELASTICSEARCH_CA_CERTS is {path}, which cannot be used ({reason}): name a PEM file of "
            "certificates that this user may read"
        ) from error


async def wait_until_available(client: AsyncElasticsearch, on_retry: OnRetry = log_retry) -> None:
    """Wait until Elasticsearch answers, trying again with back-off and telling on_retry each time.

    Raises SearchDeniedError where it does not accept our credentials, SearchError where its certificate is not trusted
    or something else answers in its place.
    """
    where = address(client)
    begun = time.monotonic()
    async for attempt in retrying(where, on_retry):
        with attempt:
            await _knock(client, where, may_be_unknown=time.monotonic() - begun < _NAME_SECONDS)


async def check_available(client: AsyncElasticsearch) -> None:
    """Look once whether Elasticsearch answers.

    Raises SearchUnavailableError where it does not now, and else the errors of ``wait_until_available``.
    """
    where = address(client)
    try:
        await _knock(client, where, may_be_unknown=False)
    except TryAgain as exc:
        raise SearchUnavailableError(f"Elasticsearch at {where} {exc}") from exc


async def _knock(client: AsyncElasticsearch, where: str, *, may_be_unknown: bool) -> None:
    try:
        # The root page would do as well, but a server put together without x-pack's modules has none.
        await client.cluster.health()
    except TlsError as error:
        raise SearchError(_about_tls(error, where)) from error
    except TransportError as error:
        if _is_unknown(error) and not may_be_unknown:
            raise SearchError(
                f"the name of Elasticsearch at {where} does not resolve: set BP_FAUST_ELASTICSEARCH_URL to where it is"
            ) from error
        raise TryAgain(f"{describe(error)}: start it, or set BP_FAUST_ELASTICSEARCH_URL to where it is") from error
    except ApiError as error:
        status = error.status_code
        if status == 403:
            return  # it is there and knows us; whether we may write is for the writer to find out
        if status == 401:
            raise SearchDeniedError(
                f"Elasticsearch at {where} does not accept our credentials (401): set BP_FAUST_ELASTICSEARCH_API_KEY, "
                "or BP_FAUST_ELASTICSEARCH_USERNAME and BP_FAUST_ELASTICSEARCH_PASSWORD, to what it knows"
            ) from error
        if is_later(status):
            raise TryAgain(describe(error)) from error
        raise SearchError(
            f"{where} does not answer like Elasticsearch ({status}): set BP_FAUST_ELASTICSEARCH_URL to where it is"
        ) from error


def _about_tls(error: TlsError, where: str) -> str:
    # The transport raises its own error "from None", and keeps what it came from here alone.
    cause = error.__context__
    if not isinstance(cause, ClientConnectorCertificateError):
        return (
            f"what answers at {where} does not speak TLS ({error.message}): set BP_FAUST_ELASTICSEARCH_URL to where "
            "Elasticsearch does, or to an address with http://"
        )
    return (
        f"the certificate of Elasticsearch at {where} is not trusted ({cause.certificate_error}): set "
        "BP_FAUST_ELASTICSEARCH_CA_CERTS to the file of the authority that signed it"
    )


def _is_unknown(error: TransportError) -> bool:
    cause = error.__context__
    return isinstance(cause, ClientConnectorError) and isinstance(cause.os_error, socket.gaierror)
