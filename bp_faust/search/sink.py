"""Keep an index: prepare it, then write to it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from hashlib import blake2b

from elasticsearch import AsyncElasticsearch
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_fixed, wait_random

from bp_faust.search.client import wait_until_available
from bp_faust.search.documents import Document, Refused
from bp_faust.search.errors import SearchError, SearchUnavailableError
from bp_faust.search.retrying import log_retry
from bp_faust.search.templates import Properties, ensure_index
from bp_faust.search.writer import BulkWriter

#: How long a request may take, and the time before it is tried again, in seconds.
_REQUEST_SECONDS = 40.0

#: How often to look whether the index is still being opened, in seconds.
_LOOK_SECONDS = 5.0

#: How long a write that was denied waits before it is tried again, in seconds; and how much longer, by chance, at most.
_DENIED_SECONDS = 30.0
_JITTER_SECONDS = 5.0

#: How often it is said that writes are denied, in seconds.
_SAY_SECONDS = 60.0

_logger = logging.getLogger(__name__)


class Sink:
    """Write documents once their index is there."""

    def __init__(
        self,
        client: AsyncElasticsearch,
        index: str,
        properties: Properties,
        still_at_work: Callable[[float], None] = lambda seconds: None,
        on_denied: Callable[[str | None], None] = lambda reason: None,
        *,
        denied_seconds: float = _DENIED_SECONDS,
    ) -> None:
        """Write to an index; ``still_at_work`` is told within how many seconds it will be told again, while we wait.

        ``on_denied`` is told why nothing can be stored, free of document content, while Elasticsearch denies it to us,
        and None when all goes on; a denied write is tried again every ``denied_seconds``, and a little later by chance.
        """
        self.index = index
        self._properties = properties
        self._client = client
        self._still_at_work = still_at_work
        self._on_denied = on_denied
        self._denied_wait = wait_fixed(denied_seconds) + wait_random(0, min(denied_seconds, _JITTER_SECONDS))
        #: The writes that wait for Elasticsearch to let us write again.
        self._denied: set[object] = set()
        self._said = float("-inf")
        self.writer = BulkWriter(
            client, on_request=lambda requests: still_at_work(requests * _REQUEST_SECONDS), index=index
        )
        self._ready = asyncio.Event()
        self._opening = False

    @property
    def is_reachable(self) -> bool:
        """Tell whether the index is there and Elasticsearch answered the last request, if there was any."""
        return self._ready.is_set() and self.writer.availability.answers is not False

    @property
    def is_denied(self) -> bool:
        """Tell whether Elasticsearch does not let us write for now."""
        return bool(self._denied)

    async def open(self) -> None:
        """Wait for Elasticsearch and make the index ready; raise SearchError where that can never work."""
        self._opening = True
        try:
            while not self._ready.is_set():
                await wait_until_available(self._client)
                try:
                    await ensure_index(self._client, self.index, self._properties)
                except SearchUnavailableError as error:
                    log_retry(str(error))
                else:
                    self._ready.set()
                    _logger.info("The index %s is ready.", self.index, extra={"index": self.index})
        finally:
            self._opening = False

    async def write(self, documents: Iterable[Document]) -> list[Refused]:
        """Store documents durably, as soon as the index is there; return those refused for good.

        Where Elasticsearch does not let us write, that is no fault of the documents: they are kept until it does, and
        the log says so.
        """
        while not self._ready.is_set():
            if self._opening:
                self._still_at_work(2 * _LOOK_SECONDS)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ready.wait(), _LOOK_SECONDS)
        kept, token = list(documents), object()

        def wait_for_rights(state: RetryCallState) -> None:
            assert state.outcome is not None
            self._still_at_work(state.upcoming_sleep + _REQUEST_SECONDS)
            self._say_denied(token, state.outcome.exception())

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(SearchError),
            wait=self._denied_wait,
            before_sleep=wait_for_rights,
            sleep=asyncio.sleep,
        )
        try:
            refused: list[Refused] = await retrying(self.writer.write, kept)
            return refused
        finally:
            self._say_ended(token)

    def _say_denied(self, token: object, error: BaseException | None) -> None:
        if not self._denied or time.monotonic() >= self._said + _SAY_SECONDS:
            self._said = time.monotonic()
            _logger.critical(
                "Nothing is stored in the index %s; it is kept, and counting goes on: %s",
                self.index,
                error,
                extra={"index": self.index},
            )
        self._denied.add(token)
        self._on_denied(str(error))

    def _say_ended(self, token: object) -> None:
        if token in self._denied:
            self._denied.remove(token)
            if not self._denied:
                _logger.info(
                    "No write to the index %s waits for rights any more.", self.index, extra={"index": self.index}
                )
                self._on_denied(None)


def are_reachable(sinks: Iterable[Sink]) -> bool:
    """Tell whether all indices are there and Elasticsearch answered the last request for each of them."""
    return all(sink.is_reachable for sink in sinks)


def document_id(patient_id: str, observation_id: str) -> str:
    """Return the id of an anomaly's document: the same for every repeat of an Observation, and short for any id."""
    return blake2b(f"{patient_id}\0{observation_id}".encode(), digest_size=16).hexdigest()
