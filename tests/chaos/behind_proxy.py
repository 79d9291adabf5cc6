"""Run a worker that reaches Elasticsearch through a proxy, and see what it has stored."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from elasticsearch import AsyncElasticsearch

from tests import oracle
from tests.chaos.steady_readings import SteadyReadings
from tests.fault_proxy import FaultProxy
from tests.kafka_client import read_all
from tests.pipeline import anomaly_types, table_counts, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings

#: How long to wait for it, in seconds.
PATIENCE_SECONDS = 300.0


@asynccontextmanager
async def behind(proxy: FaultProxy, settings: WorkerSettings, name: str = "worker") -> AsyncIterator[WorkerProcess]:
    """Give a ready worker that reaches Elasticsearch through a proxy."""
    worker = WorkerProcess(settings, name, {"BP_FAUST_ELASTICSEARCH_URL": proxy.url})
    try:
        await asyncio.to_thread(worker.wait_until_ready)
        yield worker
    finally:
        await asyncio.to_thread(worker.end)


async def stored_documents(settings: WorkerSettings) -> int:
    """Return how many documents the index has taken."""
    async with AsyncElasticsearch(settings.elasticsearch_url) as client:
        stats = await client.options(ignore_status=404).indices.stats(index=settings.index, metric="indexing")
        # The worker opens the index while it is at work already: it is not there, then it has no shard for a moment.
        primaries = stats.body.get("_all", {}).get("primaries", {})
        return int(primaries.get("indexing", {}).get("index_total", 0))


async def until_stored(settings: WorkerSettings, due: Callable[[], int]) -> float:
    """Wait until the index has no fewer documents than were due a second before; return when that was."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        wanted = due()
        await asyncio.sleep(1)
        if await stored_documents(settings) >= wanted:
            return time.monotonic()
        assert time.monotonic() < deadline, f"{await stored_documents(settings)} of {wanted} documents are stored"


async def check_all_is_there(worker: WorkerProcess, readings: SteadyReadings) -> None:
    """Compare counts and documents with the oracle's; nothing is a dead letter."""
    settings = worker.settings
    await wait_until_drained(settings, PATIENCE_SECONDS)
    assert worker.process.poll() is None, worker.log_tail()
    counts = await asyncio.to_thread(table_counts, worker)
    assert counts == await asyncio.to_thread(lambda: oracle.counts(readings.envelopes()))
    expected = await asyncio.to_thread(lambda: oracle.documents(readings.envelopes()))
    assert len(expected) == readings.anomalies
    assert await anomaly_types(settings) == expected
    assert await read_all(settings.kafka, settings.dead_letters_topic) == []
