"""Batches: one event each, in order, acknowledged as a whole and only behind what is finished."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from faust.types import TP

from bp_faust.engine.application import App
from bp_faust.engine.batches import Batch
from bp_faust.engine.transport import FULL_BATCHES_IN_FLIGHT
from tests.kafka_client import committed_offsets, create_topic, produce
from tests.worker_process import WorkerSettings

SECONDS = 60.0


async def until(condition: Any, what: str, seconds: float = SECONDS) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"Waited {seconds:.0f} s in vain for {what}"
        await asyncio.sleep(0.02)


class Running:
    """An App with agents on one batched topic, run within this process."""

    def __init__(self, settings: WorkerSettings, directory: Path, **conf: Any) -> None:
        self.settings = settings
        self.app = App(
            settings.app_id,
            broker=f"kafka://{settings.kafka}",
            datadir=directory / "data",
            topic_partitions=2,
            web_enabled=False,
            topic_disable_leader=True,
            broker_commit_interval=0.2,
            **conf,
        )
        self.topic = self.app.batched_topic(settings.readings_topic)
        self.seen: dict[str, list[Batch]] = defaultdict(list)
        self.gates: dict[str, asyncio.Event] = {}

    def add_agent(self, name: str, open_gate: bool = True) -> None:
        gate = self.gates[name] = asyncio.Event()
        if open_gate:
            gate.set()

        async def agent(batch: Batch) -> None:
            self.seen[name].append(batch)
            await gate.wait()

        agent.__name__ = name
        self.app.batch_agent(self.topic)(agent)

    def values(self, name: str, partition: int | None = None) -> list[bytes | None]:
        return [
            record.value
            for batch in self.seen[name]
            for record in batch.records
            if partition is None or batch.partition == partition
        ]

    def in_flight(self, partition: int) -> int:
        """Return how many of a partition's records wait or are at work."""
        batches = self.app.consumer._in_flight.get(TP(self.settings.readings_topic, partition), ())
        return sum(len(batch.records) for batch in batches)

    async def start(self) -> None:
        self.app.finalize()
        await self.app.start()
        await until(lambda: self.app.is_ready, "the app to become ready")

    async def committed(self, partition: int) -> int:
        offsets = await committed_offsets(self.settings.kafka, self.settings.app_id)
        return next(
            (at for tp, at in offsets.items() if (tp.topic, tp.partition) == (self.settings.readings_topic, partition)),
            0,
        )

    async def until_committed(self, partition: int, offset: int) -> None:
        deadline = asyncio.get_running_loop().time() + SECONDS
        while (found := await self.committed(partition)) != offset:
            assert asyncio.get_running_loop().time() < deadline, f"{found} is committed, not {offset}"
            await asyncio.sleep(0.05)


MakeRunning = Callable[..., Running]


@pytest.fixture
async def make_running(settings: WorkerSettings, tmp_path: Path) -> AsyncIterator[MakeRunning]:
    """Give a function that makes apps, by their settings, which are stopped afterwards."""
    await create_topic(settings.kafka, settings.readings_topic, 2)
    made: list[Running] = []

    def make(**conf: Any) -> Running:
        made.append(Running(settings, tmp_path / str(len(made)), **conf))
        return made[-1]

    yield make
    for running in made:
        for gate in running.gates.values():
            gate.set()
        await running.app.stop()


@pytest.fixture
def running(make_running: MakeRunning) -> Running:
    return make_running()


async def test_a_backlog_comes_in_few_batches_in_order(running: Running) -> None:
    expected = [b"%d" % number for number in range(5000)]
    await produce(running.settings.kafka, running.settings.readings_topic, expected, partition=0)
    running.add_agent("one")
    await running.start()
    await until(lambda: len(running.values("one")) >= 5000, "all records")
    assert running.values("one") == expected
    assert len(running.seen["one"]) < 50
    await running.until_committed(0, 5000)


async def test_finished_batches_leave_nothing_behind(settings: WorkerSettings, make_running: MakeRunning) -> None:
    """Else memory grows with every batch."""
    running = make_running(broker_max_poll_records=10)
    await produce(settings.kafka, settings.readings_topic, [b"x"] * 1000, partition=0)
    running.add_agent("one")
    await running.start()
    await running.until_committed(0, 1000)
    consumer = running.app.consumer
    assert not consumer._unacked_messages
    assert not any([*consumer._acked.values(), *consumer._acked_index.values(), *consumer._gap.values()])
    assert not any([*consumer._in_flight.values(), consumer._committable])


async def test_a_batch_is_bounded_in_records(settings: WorkerSettings, make_running: MakeRunning) -> None:
    running = make_running(broker_max_poll_records=100)
    await produce(settings.kafka, settings.readings_topic, [b"x"] * 1050, partition=0)
    running.add_agent("one")
    await running.start()
    await until(lambda: len(running.values("one")) >= 1050, "all records")
    assert max(len(batch.records) for batch in running.seen["one"]) == 100


async def test_a_batch_is_bounded_in_bytes(settings: WorkerSettings, make_running: MakeRunning) -> None:
    running = make_running(consumer_max_fetch_size=100_000, broker_max_poll_records=5000)
    await produce(settings.kafka, settings.readings_topic, [b"x" * 10_000] * 200, partition=0)
    running.add_agent("one")
    await running.start()
    await until(lambda: len(running.values("one")) >= 200, "all records")
    assert max(sum(len(record.value or b"") for record in batch.records) for batch in running.seen["one"]) <= 200_000


async def test_nothing_is_committed_past_an_unfinished_batch_of_one_of_several_agents(running: Running) -> None:
    running.add_agent("quick")
    running.add_agent("slow", open_gate=False)
    await running.start()
    for number in range(3):
        await produce(running.settings.kafka, running.settings.readings_topic, [b"%d" % number] * 10, partition=0)
    await until(lambda: running.values("quick"), "the quick agent")
    await until(lambda: running.values("slow"), "the slow agent")
    await running.app.consumer.commit()
    assert await running.committed(0) == 0
    running.gates["slow"].set()
    await running.until_committed(0, 30)
    assert running.values("slow") == running.values("quick")


async def test_a_slow_partition_holds_no_other_up_and_little_waits(
    settings: WorkerSettings, make_running: MakeRunning
) -> None:
    running = make_running(broker_max_poll_records=5)
    running.add_agent("gated", open_gate=False)
    await running.start()
    topic = settings.readings_topic
    await produce(settings.kafka, topic, [b"%d" % number for number in range(50)], partition=0)
    most = FULL_BATCHES_IN_FLIGHT * 5
    await until(lambda: running.in_flight(0) == most, "the partition to fill")
    await produce(settings.kafka, topic, [b"other"], partition=1)
    await until(lambda: running.in_flight(1) == 1, "the other partition's batch")
    assert running.in_flight(0) == most
    running.gates["gated"].set()
    await running.until_committed(0, 50)
    await running.until_committed(1, 1)
    assert running.values("gated", 0) == [b"%d" % number for number in range(50)]


async def test_what_comes_while_an_agent_works_is_one_batch_for_it(running: Running) -> None:
    running.add_agent("gated", open_gate=False)
    await running.start()
    for number in range(10):
        await produce(running.settings.kafka, running.settings.readings_topic, [b"%d" % number], partition=0)
    await until(lambda: running.in_flight(0) == 10, "all records")
    first = len(running.values("gated"))
    running.gates["gated"].set()
    await running.until_committed(0, 10)
    assert running.values("gated") == [b"%d" % number for number in range(10)]
    # All of them may have come at once.
    assert [len(batch.records) for batch in running.seen["gated"]] == [size for size in (first, 10 - first) if size]


async def test_after_an_error_nothing_more_is_committed_and_the_app_stops(
    running: Running, settings: WorkerSettings
) -> None:
    async def failing(batch: Batch) -> None:
        if any(record.value == b"bad" for record in batch.records):
            raise RuntimeError("cannot be done")
        running.seen["failing"].append(batch)

    running.app.batch_agent(running.topic)(failing)
    await running.start()
    await produce(settings.kafka, settings.readings_topic, [b"good"] * 5, partition=0)
    await running.until_committed(0, 5)
    await produce(settings.kafka, settings.readings_topic, [b"bad"], partition=0)
    await produce(settings.kafka, settings.readings_topic, [b"good"] * 5, partition=0)
    await until(lambda: running.app.crashed, "the app to stop")
    await running.app.stop()
    assert isinstance(running.app.failure, RuntimeError)
    assert not running.app.is_ready
    assert await running.committed(0) == 5


async def test_a_seek_in_the_middle_of_a_batch_reads_it_again_and_commits_nothing_of_it(running: Running) -> None:
    running.add_agent("gated", open_gate=False)
    await running.start()
    topic = running.settings.readings_topic
    await produce(running.settings.kafka, topic, [b"%d" % number for number in range(10)], partition=0)
    await until(lambda: running.values("gated"), "the first batch")
    await running.app.consumer.seek(TP(topic, 0), 0)
    running.gates["gated"].set()
    await until(lambda: len(running.values("gated")) >= 20, "the batch to be read again")
    assert running.values("gated")[:10] == running.values("gated")[10:20]
    await running.until_committed(0, 10)


async def test_a_rebalance_in_the_middle_of_a_batch_leaves_it_to_the_next_owner(
    running: Running, make_running: MakeRunning, settings: WorkerSettings
) -> None:
    running.add_agent("gated", open_gate=False)
    await running.start()
    topic = settings.readings_topic
    for partition in (0, 1):
        await produce(settings.kafka, topic, [b"%d" % number for number in range(10)], partition=partition)
    await until(lambda: running.values("gated"), "a batch at work")
    other = make_running()
    other.add_agent("gated")
    await other.start()
    running.gates["gated"].set()
    await running.until_committed(0, 10)
    await running.until_committed(1, 10)
    delivered = running.values("gated") + other.values("gated")
    assert set(delivered) == {b"%d" % number for number in range(10)}
    assert other.values("gated"), "the other app got a partition"
