"""Check, on a real Elasticsearch, that what denies us the index costs no document."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator

import pytest
from elasticsearch import AsyncElasticsearch

from bp_faust.search.client import connect
from bp_faust.search.documents import Document
from bp_faust.search.sink import Sink
from bp_faust.search.templates import ANOMALY_PROPERTIES
from tests.fault_proxy import FaultProxy

#: Seconds after which a test that waits for something gives up.
DEADLINE = 30


@pytest.fixture
async def proxy(elasticsearch_url: str) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(elasticsearch_url) as proxy:
        yield proxy


@pytest.fixture
async def client(proxy: FaultProxy) -> AsyncIterator[AsyncElasticsearch]:
    async with connect(proxy.url) as client:
        yield client


@pytest.fixture
async def told() -> asyncio.Queue[str | None]:
    """Give what the sink told of being denied."""
    return asyncio.Queue()


@pytest.fixture
async def sink(client: AsyncElasticsearch, told: asyncio.Queue[str | None]) -> Sink:
    sink = Sink(
        client,
        f"sink-{uuid.uuid4().hex}",
        ANOMALY_PROPERTIES,
        on_denied=told.put_nowait,
        denied_seconds=0.05,
    )
    await sink.open()
    return sink


def _documents(sink: Sink, first: int, count: int) -> list[Document]:
    return [Document(sink.index, f"d{number}", 1, {"patient_id": "p"}) for number in range(first, first + count)]


async def _stored(client: AsyncElasticsearch, sink: Sink) -> int:
    await client.indices.refresh(index=sink.index)
    return int((await client.count(index=sink.index))["count"])


@pytest.mark.parametrize("status", [401, 403, 405])
async def test_writes_that_are_denied_are_kept_and_go_on_when_rights_are_back(
    status: int,
    proxy: FaultProxy,
    client: AsyncElasticsearch,
    sink: Sink,
    told: asyncio.Queue[str | None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is said once for all of them, and again only after a minute; the end is said when none waits any more."""
    caplog.set_level(logging.INFO, "bp_faust.search.sink")
    assert await sink.write(_documents(sink, 0, 10)) == []
    proxy.answer_with(status)
    writes = [asyncio.create_task(sink.write(_documents(sink, first, 10))) for first in (10, 20)]
    reasons = [await asyncio.wait_for(told.get(), DEADLINE) for _ in range(6)]
    assert all(reason is not None and str(status) in reason and "check" in reason for reason in reasons)
    assert not any(write.done() for write in writes)
    await proxy.heal()
    assert await asyncio.wait_for(asyncio.gather(*writes), DEADLINE) == [[], []]
    assert await _stored(client, sink) == 30
    assert [record.levelname for record in caplog.records] == ["CRITICAL", "INFO"]
    later = [told.get_nowait() for _ in range(told.qsize())]
    assert (later[-1], later.count(None)) == (None, 1)


async def test_a_document_that_is_denied_is_kept_though_others_are_stored(
    proxy: FaultProxy, client: AsyncElasticsearch, sink: Sink, told: asyncio.Queue[str | None]
) -> None:
    proxy.damage_items(403, 0.5, sink.index)
    assert await asyncio.wait_for(sink.write(_documents(sink, 0, 10)), DEADLINE) == []
    assert await _stored(client, sink) == 10
    assert "security_exception" in (told.get_nowait() or "")


async def test_a_write_that_is_given_up_while_it_is_denied_is_waited_for_no_more(
    proxy: FaultProxy, sink: Sink, told: asyncio.Queue[str | None]
) -> None:
    proxy.answer_with(403)
    write = asyncio.create_task(sink.write(_documents(sink, 0, 10)))
    assert await asyncio.wait_for(told.get(), DEADLINE) is not None
    write.cancel()
    with pytest.raises(asyncio.CancelledError):
        await write
    while (reason := await asyncio.wait_for(told.get(), DEADLINE)) is not None:
        assert "403" in reason
