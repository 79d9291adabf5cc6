"""Look at an Elasticsearch index from outside."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from elasticsearch import AsyncElasticsearch


class Index:
    """Watch one index."""

    def __init__(self, client: AsyncElasticsearch, name: str) -> None:
        self.client = client
        self.name = name

    async def written(self) -> int:
        """Return how many documents Elasticsearch has taken in, each time one was written; no refresh is needed."""
        answer = await self.client.options(ignore_status=404).indices.stats(index=self.name, metric="indexing")
        if "_all" not in answer:
            return 0
        total: int = answer["_all"]["primaries"].get("indexing", {}).get("index_total", 0)
        return total

    async def wait_until_written(self, documents: int, seconds: float) -> None:
        """Wait until so many documents have been taken in; raise TimeoutError after some seconds."""
        deadline = time.monotonic() + seconds
        while (written := await self.written()) < documents:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Elasticsearch took {written:,} of {documents:,} documents in {seconds:.0f} s.")
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def watched_index(url: str, name: str) -> AsyncIterator[Index]:
    """Give an index to watch; it and its template are deleted afterwards."""
    async with AsyncElasticsearch(url) as client:
        try:
            yield Index(client, name)
        finally:
            await client.options(ignore_status=404).indices.delete(index=name)
            await client.options(ignore_status=404).indices.delete_index_template(name=name)
