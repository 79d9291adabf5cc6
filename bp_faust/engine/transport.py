"""Deliver whole partition batches to agents, and commit only behind those that are finished."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, cast

from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from faust.types.tuples import Message
from mode import Service
from mode.utils.logging import get_logger

from .batches import Batch
from .consumer_thread import LAG_SECONDS, BatchConsumerThread
from .watchdog import SILENCE_SECONDS

if TYPE_CHECKING:
    from .application import App

logger = get_logger(__name__)

#: How many full batches of a partition may wait or be at work: one at work, and the next one ready.
FULL_BATCHES_IN_FLIGHT = 2

#: How many batches that may be, however small they are.
_MOST_IN_FLIGHT = 64

#: How long to wait for records while some partition is full, in seconds: so soon is it asked again.
_FULL_PARTITION_POLL = 0.01

#: What the watchdog calls the consumer's duties, or how their names begin.
_FETCHER = "fetcher"
_WORK = "work on "
_READING = "reading from "
_LAG = "look at the lag"
_COMMIT = "commits"


class BatchConsumer(driver.Consumer):
    """Yield one message per fetched batch of a batched topic, and track which batches are finished."""

    app: App

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: The batches that wait or are at work, in order.
        self._in_flight: MutableMapping[TP, deque[Batch]] = defaultdict(deque)
        #: The offsets behind finished batches that Faust is to commit.
        self._committable: MutableMapping[TP, int] = {}
        #: The generation in which the last fetch was asked for.
        self._fetch_generation = 0
        #: Where partitions stood at the last look.
        self._positions: Mapping[TP, int] = {}
        #: By how many offsets what is done was behind the end of each assigned partition, at the last look.
        self.lag: dict[TP, int] = {}

    @staticmethod
    def duty_of(tp: TP, agent: str) -> str:
        """Return what the watchdog calls an agent's work on a partition."""
        return f"{_WORK}{tp.topic}/{tp.partition} by {agent}"

    @Service.task
    async def _look_at_lag(self) -> None:
        """Miss reading from a partition that has more records, and the thread that reads."""
        watchdog = self.app.watchdog
        while not self.should_stop:
            watchdog.expect_still(_LAG)
            watchdog.expect_still(_COMMIT, self.commit_interval + SILENCE_SECONDS)
            await self.sleep(LAG_SECONDS)
            try:
                partitions = await cast(BatchConsumerThread, self._thread).positions_and_ends()
            except KafkaError as exc:
                logger.info("Kafka does not say where topics end: %r", exc)
                continue
            watchdog.expect(_LAG)
            for tp, (position, end) in partitions.items():
                duty = f"{_READING}{tp.topic}/{tp.partition}"
                moves = position != self._positions.get(tp)
                # Until the worker has started, as while it recovers, nobody is to read; that itself is a duty.
                if position >= end or moves or not self.app.has_started or self._is_full(self._in_flight.get(tp, ())):
                    watchdog.forget(duty)
                else:
                    watchdog.expect_still(duty, SILENCE_SECONDS - LAG_SECONDS)
            self._positions = {tp: position for tp, (position, _) in partitions.items()}
            self.lag = {tp: max(0, end - self._done_up_to(tp, position)) for tp, (position, end) in partitions.items()}

    def _done_up_to(self, tp: TP, position: int) -> int:
        batches = self._in_flight.get(tp)
        return batches[0].records[0].offset if batches else position

    def stop_flow(self) -> None:
        """Stop fetching; nobody is missed for it."""
        super().stop_flow()
        for duty in (_FETCHER, _WORK, _READING):
            self.app.watchdog.forget_all(duty)

    async def commit(self, *args: Any, **kwargs: Any) -> bool:
        """Commit as Faust does; it does so at an interval, and is missed where it does not."""
        done: bool = await super().commit(*args, **kwargs)
        self.app.watchdog.expect(_COMMIT, self.commit_interval + SILENCE_SECONDS)
        return done

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Fetch records; give each batch of a batched topic to its agents, and yield the records of any other."""
        records, _ = await self._wait_next_records(timeout)
        if records is None or self.should_stop:
            return
        generation = self._fetch_generation
        if not self._is_current(generation):
            # What was fetched is dropped, and the partitions stand behind it.
            await self.perform_seek()
            return
        for tp, fetched in records.items():
            if not self._is_current(generation):
                return
            tp = TP(tp.topic, tp.partition)
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            if tp.topic in self.app.batched_topics:
                batch = Batch(tp, fetched, generation)
                self._in_flight[tp].append(batch)
                for agent in self.app.batched_topics[tp.topic]:
                    self.app.watchdog.expect_still(self.duty_of(tp, agent))
                # Given to the agents' streams at once: Faust would go round the event loop thrice for each message.
                await self.callback(self._batch_message(batch))
                self._read_offset[tp] = batch.next_offset - 1
                continue
            for record in fetched:
                if not self._is_current(generation):
                    return
                yield tp, self._to_message(tp, record)

    def _is_current(self, generation: int) -> bool:
        return self.flow_active and self.app.consumer_generation_id == generation

    def _batch_message(self, batch: Batch) -> ConsumerMessage:
        last = batch.records[-1]
        return ConsumerMessage(
            batch.topic,
            batch.partition,
            last.offset,
            last.timestamp / 1000,
            0,
            [],
            None,
            batch,
            None,
            tp=batch.tp,
            generation_id=batch.generation,
        )

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        self._fetch_generation = self.app.consumer_generation_id
        self.app.watchdog.expect(_FETCHER)
        # A partition whose agent is behind is not fetched from, and holds nobody else up.
        if active_partitions is not None:
            full = {tp for tp, batches in self._in_flight.items() if self._is_full(batches)}
            if full:
                timeout = _FULL_PARTITION_POLL
                active_partitions = active_partitions - full
                if not active_partitions:
                    await asyncio.sleep(timeout)
                    return {}
        return await super()._getmany(active_partitions, timeout)

    def _is_full(self, batches: Collection[Batch]) -> bool:
        conf = self.app.conf
        return (
            len(batches) >= _MOST_IN_FLIGHT
            or sum([len(batch.records) for batch in batches]) >= FULL_BATCHES_IN_FLIGHT * conf.broker_max_poll_records
            or sum([batch.size for batch in batches]) >= FULL_BATCHES_IN_FLIGHT * conf.consumer_max_fetch_size
        )

    def finish(self, batch: Batch, agent: str) -> None:
        """Note that one of its topic's agents is done with a batch."""
        for part in batch.parts or (batch,):
            part.finished.add(agent)
        tp = batch.tp
        batches = self._in_flight[tp]
        while batches and batches[0].finished >= self.app.batched_topics[tp.topic]:
            self._committable[tp] = batches.popleft().next_offset
        if self.has_work(tp, agent):
            self.app.watchdog.expect(self.duty_of(tp, agent))
        else:
            self.app.watchdog.forget(self.duty_of(tp, agent))
        self._acked[tp]  # Faust looks for offsets to commit only where it knows of an acknowledgement
        self._n_acked += 1

    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic in self.app.batched_topics:
            offset = self._committable.pop(tp, None)
            return None if self.app.commits_itself(tp.topic) else offset
        return super()._new_offset(tp)

    async def perform_seek(self) -> None:
        """Seek to the committed offsets; what was in flight will be fetched again."""
        self._forget_in_flight(list(self._in_flight))
        await super().perform_seek()

    async def seek(self, partition: TP, offset: int) -> None:
        """Seek a partition; what was in flight of it no longer counts."""
        self._forget_in_flight([partition])
        await super().seek(partition, offset)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Tell which partitions are this worker's from now on."""
        ours = self.app.batched(assigned)
        logger.info("Assigned: %d partitions.", sum(map(len, ours.values())), extra={"assigned": ours})
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what is in flight of revoked partitions: their next owner fetches it again."""
        self._forget_in_flight(revoked)
        for tp in revoked:
            self.lag.pop(tp, None)
        await super().on_partitions_revoked(revoked)

    def _forget_in_flight(self, tps: Iterable[TP]) -> None:
        for tp in tps:
            self._in_flight.pop(tp, None)
            self._committable.pop(tp, None)
            for agent in self.app.batched_topics.get(tp.topic, ()):
                self.app.watchdog.forget(self.duty_of(tp, agent))

    async def verify_all_partitions_active(self) -> None:
        """Leave Faust's livelock messages out: they count acknowledgements that batches do not have."""

    def has_work(self, tp: TP, agent: str) -> bool:
        """Tell whether batches of a partition wait for an agent, or are at work there."""
        return any(agent not in batch.finished for batch in self._in_flight.get(tp, ()))


class BatchTransport(driver.Transport):
    """Give Faust the batch consumer."""

    Consumer = BatchConsumer
