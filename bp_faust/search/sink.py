"""Keep an index: prepare it, then write to it."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from hashlib import blake2b

from elasticsearch import AsyncElasticsearch

from bp_faust.search.client import wait_until_available
from bp_faust.search.documents import Document, Refused
from bp_faust.search.errors import SearchUnavailableError
from bp_faust.search.retrying import log_retry
from bp_faust.search.templates import Properties, ensure_index
from bp_faust.search.writer import BulkWriter

#: How long a request may take, and the time before it is tried again, in seconds.
_REQUEST_SECONDS = 40.0

#: How often to look whether the index is still being opened, in seconds.
_LOOK_SECONDS = 5.0


class Sink:
    """Write documents once their index is there."""

    def __init__(
        self,
        client: AsyncElasticsearch,
        index: str,
        properties: Properties,
        still_at_work: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """Write to an index; ``still_at_work`` is told within how many seconds it will be told again, while we wait."""
        self.index = index
        self._properties = properties
        self._client = client
        self._still_at_work = still_at_work
        self._writer = BulkWriter(client, on_request=lambda: still_at_work(_REQUEST_SECONDS))
        self._ready = asyncio.Event()
        self._opening = False

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
        finally:
            self._opening = False

    async def write(self, documents: Iterable[Document]) -> list[Refused]:
        """Store documents durably, as soon as the index is there; return those refused for good."""
        while not self._ready.is_set():
            if self._opening:
                self._still_at_work(2 * _LOOK_SECONDS)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ready.wait(), _LOOK_SECONDS)
        return await self._writer.write(documents)


def document_id(patient_id: str, observation_id: str) -> str:
    """Return the id of an anomaly's document: the same for every repeat of an Observation, and short for any id."""
    return blake2b(f"{patient_id}\0{observation_id}".encode(), digest_size=16).hexdigest()
