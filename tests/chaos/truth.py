"""Compare what an installation has made of a data set with the independent fold over it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson

from benchmarks.dataset import Dataset
from tests import oracle
from tests.pipeline import anomaly_types, table_counts
from tests.worker_process import WorkerProcess, WorkerSettings


def envelopes(dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Yield what was sent."""
    return (orjson.loads(one) for one in dataset.envelopes())


async def assert_counted(worker: WorkerProcess, dataset: Dataset) -> None:
    """Compare the counts of all patients."""
    truth = await asyncio.to_thread(lambda: oracle.counts(envelopes(dataset)))
    assert await asyncio.to_thread(table_counts, worker) == truth


async def assert_indexed(settings: WorkerSettings, dataset: Dataset) -> None:
    """Compare all documents of Elasticsearch."""
    truth = await asyncio.to_thread(lambda: oracle.documents(envelopes(dataset)))
    assert await anomaly_types(settings) == truth
