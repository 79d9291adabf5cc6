"""Write documents with ``elasticsearch.helpers.async_streaming_bulk`` and do nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from elasticsearch import AsyncElasticsearch, OrjsonSerializer
from elasticsearch.helpers import async_streaming_bulk

#: What one request holds at most, the same as the worker's.
_DOCUMENTS = 5_000
_BYTES = 5_000_000


async def main(url: str, index: str, sources: list[dict[str, Any]]) -> None:
    """Stop until let go, and write the documents."""
    async with AsyncElasticsearch(url, serializer=OrjsonSerializer()) as client:
        await client.cluster.health()
        # The benchmark's clock starts when it sends SIGCONT.
        os.kill(os.getpid(), signal.SIGSTOP)
        written = async_streaming_bulk(client, _actions(index, sources), chunk_size=_DOCUMENTS, max_chunk_bytes=_BYTES)
        async for _ in written:
            pass
    # The benchmark reads what this process used before it ends it.
    await asyncio.Event().wait()


def _actions(index: str, sources: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for version, source in enumerate(sources, 1):
        identity = source.pop("_id")
        yield {"_index": index, "_id": identity, "version": version, "version_type": "external", "_source": source}


if __name__ == "__main__":
    lines = Path(sys.argv[3]).read_bytes().splitlines()
    asyncio.run(main(sys.argv[1], sys.argv[2], [orjson.loads(line) for line in lines]))
