"""Keep an index: prepare it, then write to it."""

import asyncio
from collections.abc import Iterable
from hashlib import blake2b

from elasticsearch import AsyncElasticsearch

from bp_faust.search.client import wait_until_available
from bp_faust.search.documents import Document, Refused
from bp_faust.search.errors import SearchUnavailableError
from bp_faust.search.retrying import log_retry
from bp_faust.search.templates import Properties, ensure_index
from bp_faust.search.writer import BulkWriter


class Sink:
    """Write documents once their index is there."""

    def __init__(self, client: AsyncElasticsearch, index: str, properties: Properties) -> None:
        self.index = index
        self._properties = properties
        self._client = client
        self._writer = BulkWriter(client)
        self._ready = asyncio.Event()

    async def open(self) -> None:
        """Wait for Elasticsearch and make the index ready; raise SearchError where that can never work."""
        while not self._ready.is_set():
            await wait_until_available(self._client)
            try:
                await ensure_index(self._client, self.index, self._properties)
            except SearchUnavailableError as error:
                log_retry(str(error))
            else:
                self._ready.set()

    async def write(self, documents: Iterable[Document]) -> list[Refused]:
        """Store documents durably, as soon as the index is there; return those refused for good."""
        await self._ready.wait()
        return await self._writer.write(documents)


def document_id(patient_id: str, observation_id: str) -> str:
    """Return the id of an anomaly's document: the same for every repeat of an Observation, and short for any id."""
    return blake2b(f"{patient_id}\0{observation_id}".encode(), digest_size=16).hexdigest()
