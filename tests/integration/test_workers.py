"""Several workers share the work, and outages are waited for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest

from tests import oracle
from tests.fault_proxy import FaultProxy
from tests.kafka_client import produce, read_all
from tests.pipeline import documents, table_counts, wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings, free_port, wait_for

StartWorker = Callable[..., WorkerProcess]


async def test_any_of_two_workers_answers_for_all_patients_and_one_takes_over(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    envelopes = oracle.random_envelopes(400, patients=40, seed=9)
    expected = oracle.counts(envelopes)
    first, second = start_worker("first"), start_worker("second")
    await produce(settings.kafka, settings.readings_topic, envelopes[:200])

    def shared() -> bool:
        return all(
            worker.status("/readyz") == 200 and worker.get("/patients/?local")["patients"] for worker in (first, second)
        )

    await asyncio.to_thread(wait_for, shared, 60, "both workers to have patients")
    await produce(settings.kafka, settings.readings_topic, envelopes[200:])
    await wait_until_drained(settings)
    for worker in (first, second):
        assert await asyncio.to_thread(table_counts, worker) == expected
        for patient in expected:
            answer = await asyncio.to_thread(worker.get, f"/patients/{patient}/")
            assert answer["anomalies"] == expected[patient]

    first.kill()

    def took_over() -> bool:
        return second.status("/readyz") == 200 and len(second.get("/patients/?local")["patients"]) == len(expected)

    await asyncio.to_thread(wait_for, took_over, 60, "the second worker to take over")
    assert await asyncio.to_thread(table_counts, second) == expected


async def test_one_worker_simulates_for_all(settings: WorkerSettings, start_worker: StartWorker) -> None:
    workers = [start_worker(name, BP_FAUST_SIMULATION_INTERVAL="0.5") for name in ("first", "second")]
    envelopes = await read_all(settings.kafka, settings.readings_topic)

    async def grown() -> int:
        return len(await read_all(settings.kafka, settings.readings_topic)) - len(envelopes)

    for _ in range(120):
        if await grown() >= 10:
            break
        await asyncio.sleep(0.5)
    records = await read_all(settings.kafka, settings.readings_topic)
    recent = sorted(record.timestamp for record in records)[-10:]
    # Two leaders would send two readings an interval.
    assert recent[-1] - recent[0] >= 9 * 500 * 0.8
    for worker in workers:
        worker.kill()


async def test_counting_goes_on_and_stopping_is_bounded_while_elasticsearch_swallows_all(
    settings: WorkerSettings, start_worker: StartWorker, elasticsearch_url: str
) -> None:
    envelopes = oracle.random_envelopes(300, patients=10, seed=10)
    async with FaultProxy(elasticsearch_url) as proxy:
        settings.elasticsearch_url = proxy.url
        worker = await asyncio.to_thread(start_worker)
        proxy.swallow()
        await produce(settings.kafka, settings.readings_topic, envelopes)
        counted = lambda: table_counts(worker) == oracle.counts(envelopes)  # noqa: E731
        await asyncio.to_thread(wait_for, counted, 60, "the counts")
        assert await asyncio.to_thread(worker.stop, 30) == 0
        await proxy.heal()
        worker.start()
        await asyncio.to_thread(worker.wait_until_ready)
        await wait_until_drained(settings)
        assert len(await documents(settings)) == len(oracle.documents(envelopes))


async def test_without_elasticsearch_at_the_start_it_says_where_and_goes_on(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    worker = start_worker(BP_FAUST_ELASTICSEARCH_URL=address)
    told = lambda: f"{address}" in worker.log.read_text() and "trying again" in worker.log.read_text()  # noqa: E731
    wait_for(told, 30, "the message")
    assert "Traceback" not in worker.log.read_text()
    assert worker.stop(30) == 0


async def test_without_kafka_at_the_start_it_says_where_waits_and_starts(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    host, port = settings.kafka.split(":")
    closed = free_port()
    worker = start_worker(wait=False, BP_FAUST_BROKER_URL=f"kafka://127.0.0.1:{closed}")
    told = lambda: f"Kafka does not answer at 127.0.0.1:{closed}" in worker.log.read_text()  # noqa: E731
    await asyncio.to_thread(wait_for, told, 30, "the message")
    assert "Traceback" not in worker.log.read_text()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_kafka, to_kafka = await asyncio.open_connection(host, port)
        await asyncio.gather(_copy(reader, to_kafka), _copy(from_kafka, writer))

    async with await asyncio.start_server(pass_on, "127.0.0.1", closed):
        await asyncio.to_thread(worker.wait_until_ready)
        assert await asyncio.to_thread(worker.stop) == 0


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    writer.close()


@pytest.mark.parametrize("partitions", ["3"])
async def test_topics_with_other_partitions_are_refused_with_what_to_set(
    settings: WorkerSettings, start_worker: StartWorker, partitions: str
) -> None:
    assert start_worker().stop() == 0
    worker = start_worker("other", wait=False, BP_FAUST_TOPIC_PARTITIONS=partitions)
    assert await asyncio.to_thread(worker.process.wait, 30) != 0
    assert "BP_FAUST_TOPIC_PARTITIONS is 3: set it to 4" in worker.log.read_text()


async def test_a_second_worker_on_the_same_data_directory_is_refused(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    first = start_worker("first")
    second = start_worker("second", wait=False, BP_FAUST_DATADIR=str(first.data_dir))
    assert await asyncio.to_thread(second.process.wait, 60) != 0
    assert "in use by another worker: give each worker its own BP_FAUST_DATADIR" in second.log.read_text()
    await asyncio.to_thread(first.wait_until_ready)


async def test_tables_are_kept_where_the_setting_or_the_option_says(
    settings: WorkerSettings, start_worker: StartWorker
) -> None:
    """The option, in Faust's two ways to write it, goes before the setting; nothing is written elsewhere."""
    named = {"setting": (), "short": ("-D", "by-option"), "long": ("--datadir=by-long-option",)}
    for name, options in named.items():
        worker = start_worker(name, options=options)
        chosen = worker.data_dir if not options else settings.directory / options[-1].split("=")[-1]
        assert list(chosen.rglob("*.rocksdb"))
        assert options == () or not worker.data_dir.exists()
        assert worker.stop() == 0
    assert not (settings.directory / f"{settings.app_id}-data").exists()
