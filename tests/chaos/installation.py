"""Run an installation under fire: workers that are started again where they end, and readings that keep coming."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from tests.kafka_client import committed_offsets
from tests.worker_process import READY_SECONDS, WorkerProcess, WorkerSettings

#: How many readings are sent at a time.
_CHUNK = 50

#: How many readings are sent to a partition to see whether it is served: of so many patients, some are on each
#: partition of our own.
_PROBES = 40

#: A group's shortest session timeout by Kafka's default, and small batches, so that most moments lie within some
#: transaction.
HASTY = {
    "BP_FAUST_BROKER_SESSION_TIMEOUT": "6",
    "BP_FAUST_BROKER_HEARTBEAT_INTERVAL": "1",
    "BP_FAUST_BROKER_MAX_POLL_RECORDS": "200",
}


class Installation:
    """Hold the workers of one installation, and start those again that end by themselves, as a supervisor would."""

    def __init__(self, settings: WorkerSettings, **environment: str) -> None:
        self.settings = settings
        self.workers: list[WorkerProcess] = []
        #: The exit statuses of workers that ended by themselves.
        self.exits: list[int] = []
        self._environment = environment
        self._stopped: set[WorkerProcess] = set()

    def add(self, name: str, **environment: str) -> WorkerProcess:
        """Start a worker."""
        worker = WorkerProcess(self.settings, name, {**self._environment, **environment})
        self.workers.append(worker)
        return worker

    @property
    def running(self) -> list[WorkerProcess]:
        """Return the workers that are to run."""
        return [worker for worker in self.workers if worker not in self._stopped]

    @property
    def stopped(self) -> list[WorkerProcess]:
        """Return the workers that were stopped."""
        return [worker for worker in self.workers if worker in self._stopped]

    def kill(self, worker: WorkerProcess, *, forget: bool = False) -> None:
        """End a worker hard, and its data directory with it where it is to forget; it is started again."""
        worker.kill()
        if forget:
            shutil.rmtree(worker.data_dir, ignore_errors=True)
        worker.start()

    async def stop(self, worker: WorkerProcess) -> int:
        """Stop a worker in order, for good; return its exit status."""
        self._stopped.add(worker)
        return await asyncio.to_thread(worker.stop)

    def bring_back(self, worker: WorkerProcess) -> None:
        """Start a stopped worker again."""
        self._stopped.discard(worker)
        worker.start()

    @contextlib.asynccontextmanager
    async def supervised(self) -> AsyncIterator[None]:
        """Start workers again that end by themselves; end all of them at last."""

        async def supervise() -> None:
            while True:
                for worker in self.running:
                    status = worker.process.poll()
                    if status is not None:
                        self.exits.append(status)
                        worker.start()
                await asyncio.sleep(0.2)

        supervisor = asyncio.create_task(supervise())
        try:
            yield
        finally:
            supervisor.cancel()
            await asyncio.gather(supervisor, return_exceptions=True)
            for worker in self.workers:
                worker.end()

    async def feed(self, values: Sequence[Any], seconds: float) -> None:
        """Put values (bytes, or what becomes JSON) on the ingest topic, spread over some seconds.

        What Kafka does not take is sent again, as producers do: it may then be there twice.
        """
        started = time.monotonic()
        async with _producer(self.settings.kafka) as producer:
            for at in range(0, len(values), _CHUNK):
                await _send(producer, self.settings.readings_topic, values[at : at + _CHUNK])
                due = started + seconds * min(at + _CHUNK, len(values)) / len(values)
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def wait_until_ready(self, seconds: float = 2 * READY_SECONDS) -> None:
        """Wait until every worker says that it is ready."""
        deadline = time.monotonic() + seconds
        for worker in self.running:
            while await asyncio.to_thread(worker.status, "/readyz") != 200:
                if time.monotonic() > deadline:
                    raise AssertionError(f"{worker.name} is not ready after {seconds:.0f} s:\n{worker.log_tail()}")
                await asyncio.sleep(0.2)

    async def wait_until_served(self, known: Sequence[Any], seconds: float) -> float:
        """Send readings again that are known, to every partition; return after how many seconds all is worked through.

        They change nothing, but a partition that nobody serves stays behind them.
        """
        started = time.monotonic()
        async with _producer(self.settings.kafka) as producer:
            for partition in await producer.partitions_for(self.settings.readings_topic):
                await _send(producer, self.settings.readings_topic, known[:_PROBES], partition)
        for topic in (self.settings.readings_topic, f"{self.settings.app_id}-readings"):
            await self._wait_until_committed(topic, started + seconds)
        return time.monotonic() - started

    async def _wait_until_committed(self, topic: str, deadline: float) -> None:
        """Wait until each of a topic's partitions is committed up to where it ends now."""
        ends: dict[TopicPartition, int] | None = None
        behind: dict[TopicPartition, int] = {}
        while ends is None or behind:
            if time.monotonic() > deadline:
                logs = "\n".join(f"{worker.name}:\n{worker.log_tail(25)}" for worker in self.workers)
                raise AssertionError(f"Not served in time: {behind or topic}\n{logs}")
            with contextlib.suppress(KafkaError):
                committed = await committed_offsets(self.settings.kafka, self.settings.app_id)
                if ends is None:
                    ends = await _behind_last_records(self.settings.kafka, topic, committed)
                behind = {tp: end for tp, end in ends.items() if committed.get(tp, 0) < end}
            await asyncio.sleep(0.25)


@contextlib.asynccontextmanager
async def _producer(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True, request_timeout_ms=5000)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _send(producer: AIOKafkaProducer, topic: str, values: Sequence[Any], partition: int | None = None) -> None:
    left = [value if isinstance(value, bytes) else orjson.dumps(value) for value in values]
    while left:
        failed = []
        sends = []
        for value in left:
            try:
                sends.append((value, await producer.send(topic, value, partition=partition)))
            except KafkaError:
                failed.append(value)
        for value, sending in sends:
            try:
                await sending
            except KafkaError:
                failed.append(value)
        left = failed
        if left:
            await asyncio.sleep(0.5)


async def _behind_last_records(
    kafka: str, topic: str, committed: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Return the offset behind each partition's last record, from the committed ones on; markers are no records."""
    async with AIOKafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed") as consumer:
        consumer._client.add_topic(topic)
        await consumer._client.force_metadata_update()
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        ends = await consumer.end_offsets(partitions)
        found = {tp: committed.get(tp, 0) for tp in partitions}
        consumer.assign(partitions)
        for tp in partitions:
            consumer.seek(tp, found[tp])
        while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
            for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                found[tp] = records[-1].offset + 1
        return found
