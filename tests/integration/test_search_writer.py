"""Check the bulk writer on a real Elasticsearch, plain and with faults in between."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from elasticsearch import AsyncElasticsearch

from bp_faust.search.client import connect, wait_until_available
from bp_faust.search.documents import Document, Refused
from bp_faust.search.errors import SearchDeniedError, SearchError
from bp_faust.search.templates import ANOMALY_PROPERTIES, ensure_index
from bp_faust.search.writer import BulkWriter
from tests.fault_proxy import OUTAGES, FaultProxy

#: Seconds after which a test that waits for something gives up.
DEADLINE = 30


@pytest.fixture
async def client(elasticsearch_url: str) -> AsyncIterator[AsyncElasticsearch]:
    async with connect(elasticsearch_url) as client:
        yield client


@pytest.fixture
async def index(client: AsyncElasticsearch) -> AsyncIterator[str]:
    name = f"writer-{uuid.uuid4().hex}"
    await ensure_index(client, name, ANOMALY_PROPERTIES)
    yield name
    await client.options(ignore_status=404).indices.delete(index=name)
    await client.indices.delete_index_template(name=name)


@pytest.fixture
async def proxy(elasticsearch_url: str) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(elasticsearch_url) as proxy:
        yield proxy


@pytest.fixture
async def through(proxy: FaultProxy) -> AsyncIterator[AsyncElasticsearch]:
    """Give a client behind the proxy that loses patience after a second."""
    async with connect(proxy.url, request_timeout=1.0) as client:
        yield client


def _documents(index: str, count: int, version: int = 1) -> list[Document]:
    return [
        Document(index, f"d{number}", version, {"patient_id": f"p{number % 7}", "systolic_pressure": 141 + version})
        for number in range(count)
    ]


def _writer(client: AsyncElasticsearch, told: list[str] | None = None, **options: int) -> BulkWriter:
    return BulkWriter(
        client, wait_first=0.01, wait_longest=0.1, on_retry=(told if told is not None else []).append, **options
    )


async def _write(writer: BulkWriter, documents: list[Document]) -> list[Refused]:
    return await asyncio.wait_for(writer.write(documents), DEADLINE)


async def _versions(client: AsyncElasticsearch, index: str) -> dict[str, int]:
    await client.indices.refresh(index=index)
    found = await client.search(index=index, size=10_000, version=True, source=False)
    return {hit["_id"]: hit["_version"] for hit in found["hits"]["hits"]}


async def _until(condition: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + DEADLINE
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "waited in vain"
        await asyncio.sleep(0.01)


async def test_every_document_is_stored_once_however_often_it_is_written(
    client: AsyncElasticsearch, index: str
) -> None:
    writer = _writer(client, max_documents=100)
    assert await _write(writer, _documents(index, 1_050)) == []
    assert await _write(writer, _documents(index, 1_050)) == []
    assert await _versions(client, index) == {f"d{number}": 1 for number in range(1_050)}
    assert (writer.documents, writer.requests, writer.retries) == (2_100, 22, 0)


async def test_an_older_version_never_undoes_a_newer_one(client: AsyncElasticsearch, index: str) -> None:
    writer = _writer(client)
    await _write(writer, _documents(index, 10, version=7))
    assert await _write(writer, _documents(index, 10, version=3)) == []
    assert set((await _versions(client, index)).values()) == {7}


async def test_any_order_of_versions_and_deletions_ends_at_the_highest(client: AsyncElasticsearch, index: str) -> None:
    """Whatever is repeated, reordered or split over calls, each id ends where its highest version put it."""
    dice = random.Random(20)
    steps = [
        Document(index, f"d{dice.randrange(40)}", version, None if dice.random() < 0.4 else {"patient_id": "p"})
        for version in range(1, 600)
    ]
    last: dict[str, Document] = {}
    for step in steps:
        last[step.id] = step
    repeated = steps + dice.sample(steps, 300)
    dice.shuffle(repeated)
    writer = _writer(client, max_documents=13)
    for start in range(0, len(repeated), 50):
        assert await _write(writer, repeated[start : start + 50]) == []
    expected = {identity: step.version for identity, step in last.items() if step.source is not None}
    assert await _versions(client, index) == expected


async def test_a_withdrawn_document_is_not_revived_by_an_older_repeat(client: AsyncElasticsearch, index: str) -> None:
    writer = _writer(client)
    await _write(writer, [Document(index, "d", 5, {"patient_id": "p"})])
    await _write(writer, [Document(index, "d", 9, None)])
    # Elasticsearch prunes what it remembers of deletions at a refresh.
    await client.indices.refresh(index=index)
    await _write(writer, [Document(index, "d", 5, {"patient_id": "p"}), Document(index, "never-there", 2, None)])
    assert await _versions(client, index) == {}


async def test_what_can_never_be_stored_is_refused_and_the_rest_stored(client: AsyncElasticsearch, index: str) -> None:
    bad = [
        Document(index, "no-number", 1, {"systolic_pressure": "high"}),
        Document(index, "no-date", 1, {"timestamp": "yesterday"}),
        Document(index, "no-json", 1, b'{"patient_id":'),
        Document(index, "i" * 513, 1, {}),
        Document(index, "", 1, {}),
    ]
    good = _documents(index, 200)
    mixed = bad + good
    random.Random(3).shuffle(mixed)
    refused = await _write(_writer(client, max_documents=64), mixed)
    assert {one.document.id for one in refused} == {one.id for one in bad}
    assert {one.status for one in refused} == {400}
    reasons = {one.document.id: one.reason for one in refused}
    assert "systolic_pressure" in reasons["no-number"]
    assert "too long" in reasons["i" * 513]
    assert set(await _versions(client, index)) == {one.id for one in good}


async def test_a_source_over_several_lines_is_one_document(client: AsyncElasticsearch, index: str) -> None:
    await _write(_writer(client), [Document(index, "d", 1, b'{\n "patient_id":\r\n "p"\n}\n')])
    assert (await client.get(index=index, id="d"))["_source"] == {"patient_id": "p"}


async def test_a_closed_index_is_waited_for(client: AsyncElasticsearch, index: str) -> None:
    """Elasticsearch answers 400 for a closed index, which says nothing of the documents."""
    await client.indices.close(index=index)
    told: list[str] = []
    writing = asyncio.create_task(_writer(client, told).write(_documents(index, 3)))
    await _until(lambda: len(told) >= 2)
    await client.indices.open(index=index)
    assert await asyncio.wait_for(writing, DEADLINE) == []
    assert "index_closed_exception" in told[0]


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES.keys())
async def test_an_outage_is_waited_out_and_nothing_is_lost_or_doubled(
    outage: Callable[[FaultProxy], Awaitable[None]],
    proxy: FaultProxy,
    through: AsyncElasticsearch,
    client: AsyncElasticsearch,
    index: str,
) -> None:
    told: list[str] = []
    writer = _writer(through, told, max_documents=50)
    await outage(proxy)
    writing = asyncio.create_task(writer.write(_documents(index, 300)))
    await _until(lambda: len(told) >= 3)
    await proxy.heal()
    assert await asyncio.wait_for(writing, DEADLINE) == []
    assert await _versions(client, index) == {f"d{number}": 1 for number in range(300)}
    assert writer.retries == len(told)
    assert all(proxy.url in sentence and "trying again in" in sentence for sentence in told)


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES.keys())
async def test_cancelling_ends_a_write_promptly_during_an_outage(
    outage: Callable[[FaultProxy], Awaitable[None]], proxy: FaultProxy, index: str
) -> None:
    """Neither a back-off of minutes nor a request timeout of ten is waited for."""
    async with connect(proxy.url, request_timeout=600) as patient:
        writer = BulkWriter(patient, wait_first=300, wait_longest=600, on_retry=lambda _: None)
        await outage(proxy)
        writing = asyncio.create_task(writer.write(_documents(index, 10)))
        await _until(lambda: writer.retries > 0 or proxy.arrived > 0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(writing, DEADLINE)


async def test_cancelling_a_write_leaves_nothing_running(proxy: FaultProxy, index: str) -> None:
    proxy.swallow()
    async with connect(proxy.url) as client:
        before = asyncio.all_tasks()
        writing = asyncio.create_task(_writer(client, max_documents=2).write(_documents(index, 10)))
        await _until(lambda: proxy.arrived >= 2)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        ours = [task for task in asyncio.all_tasks() - before if "search" in repr(task.get_coro())]
        assert ours == []


async def test_who_waits_for_others_tells_for_how_many_requests(proxy: FaultProxy, index: str) -> None:
    """Two at a time: before the last two, the first two and the two after them take their time."""
    proxy.swallow()
    told: list[int] = []
    async with connect(proxy.url) as client:
        writer = BulkWriter(client, on_request=told.append)
        writes = [asyncio.create_task(writer.write(_documents(index, 1))) for _ in range(6)]
        await _until(lambda: len(told) == 8)
        assert sorted(told) == [1, 1, 1, 1, 1, 1, 2, 2]
        for write in writes:
            write.cancel()
        await asyncio.gather(*writes, return_exceptions=True)


async def test_only_failed_items_are_sent_again(
    proxy: FaultProxy, through: AsyncElasticsearch, client: AsyncElasticsearch, index: str
) -> None:
    """One in a hundred each of 400, 409 and 429: refused, taken as stored, sent once more."""
    for status in (400, 409, 429):
        proxy.damage_items(status, 0.01, index)
    documents = _documents(index, 4_000)
    struck = {status: {one.id for one in documents if proxy.chosen(status, one.id)} for status in (400, 409, 429)}
    assert all(struck.values())
    refused = await _write(_writer(through, max_documents=500), documents)
    final = struck[400]
    conflicting = struck[409] - final
    again = struck[429] - final - conflicting
    assert {one.document.id for one in refused} == final
    assert {identity for identity, times in proxy.sent[index].items() if times > 1} == again
    stored = await _versions(client, index)
    assert set(stored) == {one.id for one in documents} - final


async def test_a_request_that_is_too_large_is_halved_and_a_document_that_is_refused(
    proxy: FaultProxy, through: AsyncElasticsearch, client: AsyncElasticsearch, index: str
) -> None:
    proxy.limit_body(4_000)
    giant = Document(index, "giant", 1, {"note": "x" * 10_000})
    documents = [*_documents(index, 100), giant]
    refused = await _write(_writer(through), documents)
    assert [(one.document.id, one.status) for one in refused] == [("giant", 413)]
    assert len(await _versions(client, index)) == 100


@pytest.mark.parametrize("status", [401, 403])
async def test_a_denied_request_stops_the_write_at_once_and_refuses_no_document(
    status: int, proxy: FaultProxy, through: AsyncElasticsearch, index: str
) -> None:
    proxy.answer_with(status)
    writer = _writer(through)
    with pytest.raises(SearchDeniedError, match=str(status)):
        await _write(writer, _documents(index, 10))
    assert (writer.retries, writer.refused) == (0, 0)


async def test_a_denied_item_stops_the_write_and_refuses_no_document(
    proxy: FaultProxy, through: AsyncElasticsearch, index: str
) -> None:
    """Elasticsearch answers 200 with 403 inside where the right to this one index is missing."""
    proxy.damage_items(403, 0.5, index)
    with pytest.raises(SearchDeniedError, match="security_exception"):
        await _write(_writer(through), _documents(index, 10))


async def test_an_address_that_is_not_elasticsearch_is_said_to_be_so(
    proxy: FaultProxy, through: AsyncElasticsearch
) -> None:
    proxy.answer_with(405)
    with pytest.raises(SearchError, match="Elasticsearch 8"):
        await _write(_writer(through), _documents("any", 1))
    with pytest.raises(SearchError, match="set BP_FAUST_ELASTICSEARCH_URL to where it is"):
        await wait_until_available(through)


async def test_waiting_for_elasticsearch_tells_the_address_and_goes_on_when_it_is_there(
    proxy: FaultProxy, through: AsyncElasticsearch
) -> None:
    await proxy.refuse()
    told: list[str] = []
    waiting = asyncio.create_task(wait_until_available(through, on_retry=told.append))
    await _until(lambda: len(told) >= 2)
    await proxy.heal()
    await asyncio.wait_for(waiting, DEADLINE)
    assert proxy.url in told[0]
    assert "\n" not in told[0]


async def test_credentials_that_are_not_accepted_end_the_waiting(
    proxy: FaultProxy, through: AsyncElasticsearch
) -> None:
    proxy.answer_with(401)
    with pytest.raises(SearchDeniedError, match="401"):
        await wait_until_available(through)
