"""Fetch records in the thread that Faust reads Kafka in: committed ones only, soon, and without copying them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from .watchdog import Watchdog

if TYPE_CHECKING:
    from .application import App

#: How often the consumer looks whether partitions with more records are read from, in seconds.
LAG_SECONDS = 2.0

#: How long a broker may wait for records before it answers that there are none, in milliseconds.
_FETCH_WAIT_MILLISECONDS = 20


class _FetchedRecords(OrderedDict[TopicPartition, Any]):
    """Hold what aiokafka fetched; of batched topics as the records that its decoder made.

    aiokafka copies each of those into a ConsumerRecord, which costs more than all its other work on them.
    """

    def __init__(self, app: App) -> None:
        super().__init__()
        self._app = app

    def __setitem__(self, tp: TopicPartition, result: Any) -> None:
        if isinstance(result, FetchResult) and tp.topic in self._app.batched_topics:
            result._partition_records._consumer_record = _as_decoded
        super().__setitem__(tp, result)


def _as_decoded(tp: TopicPartition, record: Any) -> Any:
    return record


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Fetch committed records only and soon, and begin at the start of a partition that has no committed offset."""

    async def on_start(self) -> None:
        """Connect to the brokers."""
        await super().on_start()
        # Nothing is assigned yet, and so nothing fetched.
        self._ensure_consumer()._fetcher._records = _FetchedRecords(self.consumer.app)

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        # Faust asks for committed records only under its own exactly_once, which is broken and not used.
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        # aiokafka has one fetch a broker under way: while it waits for an idle partition, busy ones wait with it.
        consumer._fetch_max_wait_ms = _FETCH_WAIT_MILLISECONDS
        return consumer

    async def positions_and_ends(self) -> Mapping[TP, tuple[int, int]]:
        """Return position and end of each assigned partition of a batched topic; see that aiokafka's tasks live."""
        return cast(Mapping[TP, tuple[int, int]], await self.call_thread(self._positions_and_ends))

    async def _positions_and_ends(self) -> Mapping[TP, tuple[int, int]]:
        consumer = self._ensure_consumer()
        app = cast("App", self.consumer.app)
        self._miss_ended_tasks(app.watchdog, consumer)
        subscription = consumer._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None:
            return {}
        states = {tp: assignment.state_value(tp) for tp in assignment.tps if tp.topic in app.batched_topics}
        positions = {
            tp: state.position for tp, state in states.items() if state is not None and state.has_valid_position
        }
        ends = await consumer.end_offsets(list(positions)) if positions else {}
        return {TP(*tp): (position, ends[tp]) for tp, position in positions.items()}

    def _miss_ended_tasks(self, watchdog: Watchdog, consumer: AIOKafkaConsumer) -> None:
        tasks = {
            "fetcher": consumer._fetcher._fetch_task,
            "group coordination": consumer._coordinator._coordination_task,
            "heartbeat": consumer._coordinator._heartbeat_task,
        }
        for name, task in tasks.items():
            duty = f"Kafka consumer's {name}"
            if task is not None and task.done():
                # A heartbeat ends, and another begins, with each rebalance.
                watchdog.expect_still(duty, LAG_SECONDS)
            else:
                watchdog.forget(duty)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every partition to its committed offset, or to its beginning where there is none."""
        return cast(Mapping[TP, int], await self.call_thread(self._seek_to_committed))

    async def _seek_to_committed(self) -> Mapping[TP, int]:
        # aiokafka leaves a partition without a committed offset where it stands, past what was fetched and dropped.
        consumer = self._ensure_consumer()
        while True:
            assignment = consumer._subscription.subscription.assignment
            committed = {tp: await consumer.committed(tp) or 0 for tp in consumer.assignment()}
            earliest = await consumer.beginning_offsets(list(committed))
            # A rebalance meanwhile makes the answers worthless: others may have committed since.
            if consumer._subscription.subscription.assignment is assignment:
                break
        offsets = {tp: max(offset, earliest[tp]) for tp, offset in committed.items()}
        for tp, offset in offsets.items():
            consumer.seek(tp, offset)
        return {TP(tp.topic, tp.partition): offset for tp, offset in offsets.items()}
