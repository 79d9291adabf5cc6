"""Try again without end, further and further apart, until it works."""

import asyncio
import logging
import os
from collections.abc import Callable

from aiohttp import ClientConnectorError
from elastic_transport import ConnectionTimeout, TransportError
from elasticsearch import ApiError, AsyncElasticsearch
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential, wait_random

#: What is told each time something is tried again: one sentence for the operator, free of document content.
OnRetry = Callable[[str], None]

_logger = logging.getLogger(__name__)


class TryAgain(Exception):
    """Tell the retry loop that something failed in a way that passes; it completes "Elasticsearch at ... "."""


def log_retry(sentence: str) -> None:
    """Log a retry as a warning."""
    _logger.warning(sentence)


def note_retry(sentence: str) -> None:
    """Log a retry for who looks closely: many requests fail for one reason."""
    _logger.debug(sentence)


def address(client: AsyncElasticsearch) -> str:
    """Name the address that a client talks to; it never holds credentials."""
    return ", ".join(node.base_url for node in client.transport.node_pool.all())


def describe(error: TransportError | ApiError) -> str:
    """Complete the sentence "Elasticsearch at ... " from a failed request, free of document content."""
    if isinstance(error, ApiError):
        return f"answered {error.status_code}"
    if isinstance(error, ConnectionTimeout):
        return "did not answer in time"
    cause = error.__context__
    if isinstance(cause, ClientConnectorError) and cause.os_error.errno:
        # The client's own text repeats the address.
        return f"cannot be used: {os.strerror(cause.os_error.errno)}"
    return f"cannot be used: {error.message}"


def retrying(where: str, on_retry: OnRetry, wait_first: float = 0.1, wait_longest: float = 5.0) -> AsyncRetrying:
    """Retry on TryAgain without end: exponential back-off in seconds with up to half a second of jitter.

    tenacity rather than stamina, which is built on it and can do the same, because stamina announces every retry
    through process-wide hooks (structlog, where that happens to be installed) that one caller can neither silence nor
    word.
    """

    def tell(state: RetryCallState) -> None:
        cause = state.outcome.exception() if state.outcome else None
        on_retry(f"Elasticsearch at {where} {cause}; trying again in {state.upcoming_sleep:.1f} s")

    return AsyncRetrying(
        retry=retry_if_exception_type(TryAgain),
        wait=wait_exponential(multiplier=wait_first, max=wait_longest) + wait_random(0, 0.5),
        before_sleep=tell,
        sleep=asyncio.sleep,
    )
