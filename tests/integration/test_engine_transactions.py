"""A batch's transaction is all or nothing, and only the partition's owner can make one."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka.errors import IllegalOperation, KafkaError
from faust.types import TP

from bp_faust.engine.application import App
from bp_faust.engine.batches import Batch, Effects
from tests.kafka_client import committed_offsets, create_topic, produce, read_all
from tests.worker_process import WorkerSettings


class Owner:
    """Hold what a worker needs to make transactions for a partition, without a worker around it."""

    def __init__(self, settings: WorkerSettings, directory: Path) -> None:
        self.app = App(settings.app_id, broker=f"kafka://{settings.kafka}", datadir=directory, web_enabled=False)
        self.app.finalize()
        self.source = TP(settings.readings_topic, 0)
        self.output = f"{settings.app_id}-output"
        self.changelog = f"{settings.app_id}-changelog"

    async def own(self) -> None:
        await self.app.transactions.assign([self.source])

    async def commit(self, batch: Batch, value: bytes) -> int | None:
        effects = Effects()
        effects.send(self.output, 0, value)
        effects.changes[b"key"] = value
        return await self.app.transactions.commit(batch, effects, self.changelog)


async def batch_of(settings: WorkerSettings, owner: Owner) -> Batch:
    for topic in (settings.readings_topic, owner.output, owner.changelog):
        await create_topic(settings.kafka, topic, 1)
    await produce(settings.kafka, settings.readings_topic, [b"1", b"2", b"3"], partition=0)
    return Batch(owner.source, await read_all(settings.kafka, settings.readings_topic), 1)


async def seen(settings: WorkerSettings, owner: Owner) -> tuple[list[bytes], list[bytes], int | None]:
    """Return what readers of committed data see of output and changelog, and the committed source offset."""
    output = [record.value for record in await read_all(settings.kafka, owner.output)]
    changelog = [record.value for record in await read_all(settings.kafka, owner.changelog)]
    committed = await committed_offsets(settings.kafka, settings.app_id)
    return output, changelog, next((offset for tp, offset in committed.items() if tuple(tp) == owner.source), None)


async def test_output_changelog_and_offset_are_committed_together(settings: WorkerSettings, tmp_path: Path) -> None:
    owner = Owner(settings, tmp_path)
    batch = await batch_of(settings, owner)
    await owner.own()
    try:
        position = await owner.commit(batch, b"value")
    finally:
        await owner.app.transactions.close()
    assert position == 1
    assert await seen(settings, owner) == ([b"value"], [b"value"], 3)


async def test_after_an_error_nothing_of_the_batch_is_seen(settings: WorkerSettings, tmp_path: Path) -> None:
    owner = Owner(settings, tmp_path)
    batch = await batch_of(settings, owner)
    await owner.own()
    try:
        effects = Effects()
        effects.send(owner.output, 0, b"small")
        effects.send(owner.output, 0, b"x" * 2_000_000)  # more than the broker takes
        effects.changes[b"key"] = b"value"
        with pytest.raises(KafkaError):
            await owner.app.transactions.commit(batch, effects, owner.changelog)
        assert await seen(settings, owner) == ([], [], None)
    finally:
        await owner.app.transactions.close()


async def test_who_lost_the_partition_can_write_nothing(settings: WorkerSettings, tmp_path: Path) -> None:
    frozen, successor = Owner(settings, tmp_path / "frozen"), Owner(settings, tmp_path / "successor")
    batch = await batch_of(settings, frozen)
    await frozen.own()
    await successor.own()
    try:
        await successor.commit(batch, b"successor")
        # Where its sender has heard of it before, the transaction cannot go on.
        with pytest.raises((KafkaError, IllegalOperation)):
            await frozen.commit(batch, b"frozen")
        assert await seen(settings, frozen) == ([b"successor"], [b"successor"], 3)
    finally:
        await frozen.app.transactions.close()
        await successor.app.transactions.close()


async def test_a_transaction_left_open_is_aborted_by_the_next_owner(settings: WorkerSettings, tmp_path: Path) -> None:
    dead, successor = Owner(settings, tmp_path / "dead"), Owner(settings, tmp_path / "successor")
    batch = await batch_of(settings, dead)
    await dead.own()
    producer = dead.app.transactions._producers[dead.source]
    await producer.begin_transaction()
    await producer.send_and_wait(dead.output, b"dead", partition=0)
    await successor.own()
    try:
        await successor.commit(batch, b"successor")
        assert await seen(settings, dead) == ([b"successor"], [b"successor"], 3)
    finally:
        await dead.app.transactions.close()
        await successor.app.transactions.close()
