"""Connect to Elasticsearch."""

import asyncio
import logging

from elastic_transport import TlsError, TransportError
from elastic_transport.client_utils import DEFAULT
from elasticsearch import ApiError, AsyncElasticsearch, OrjsonSerializer

from bp_faust.search.answers import is_later
from bp_faust.search.errors import SearchDeniedError, SearchError
from bp_faust.search.retrying import OnRetry, TryAgain, address, describe, log_retry, retrying, run_until

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
    http_compress: bool = False,
) -> AsyncElasticsearch:
    """Build a client for the node or load balancer at url; nothing is sent yet.

    It neither looks for other nodes nor retries: the writer retries, and knows which documents need it. An api_key goes
    before username and password. ca_certs is the path of a PEM file; request_timeout is in seconds.

    Raises SearchError where the url is not of the form http://host:port or https://host:port.
    """
    try:
        return AsyncElasticsearch(
            url,
            api_key=api_key or None,
            basic_auth=(username, password or "") if username and not api_key else None,
            ca_certs=ca_certs or DEFAULT,
            request_timeout=request_timeout,
            http_compress=http_compress,
            serializer=OrjsonSerializer(),
            max_retries=0,
            retry_on_timeout=False,
        )
    except ValueError:
        # Its cause shows the address, which may hold a password.
        raise SearchError(
            "the Elasticsearch address must have a scheme, a host and a port, like http://localhost:9200"
        ) from None


async def wait_until_available(
    client: AsyncElasticsearch, stopping: asyncio.Event | None = None, on_retry: OnRetry = log_retry
) -> None:
    """Wait until Elasticsearch answers, trying again with back-off and telling on_retry each time.

    Raises SearchDeniedError where it does not accept our credentials, SearchError where its certificate is not trusted
    or something else answers in its place, WriterStopped once stopping is set.
    """
    where = address(client)

    async def knock() -> None:
        async for attempt in retrying(where, on_retry):
            with attempt:
                await _knock(client, where)

    await run_until(stopping or asyncio.Event(), knock)


async def _knock(client: AsyncElasticsearch, where: str) -> None:
    try:
        # The root page would do as well, but a server put together without x-pack's modules has none.
        await client.cluster.health()
    except TlsError as error:
        raise SearchError(
            f"Elasticsearch at {where} has no certificate that we trust ({error.message}): name its authority's file"
        ) from error
    except TransportError as error:
        raise TryAgain(describe(error)) from error
    except ApiError as error:
        status = error.status_code
        if status == 403:
            return  # it is there and knows us; whether we may write is for the writer to find out
        if status == 401:
            raise SearchDeniedError(
                f"Elasticsearch at {where} does not accept our credentials (401): check the API key, or user and "
                "password"
            ) from error
        if is_later(status):
            raise TryAgain(describe(error)) from error
        raise SearchError(f"{where} does not answer like Elasticsearch ({status}): check the address") from error
