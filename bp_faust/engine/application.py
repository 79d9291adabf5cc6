"""Build Faust Apps whose agents are handed batches: their topics, tables and agents, and how they start and stop."""

from __future__ import annotations

import asyncio
import functools
import os
import time
import warnings
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from faust.exceptions import AlreadyConfiguredWarning
from faust.transport.drivers.aiokafka import Producer
from faust.types import TP, StreamT, TopicT
from filelock import FileLock
from mode.utils.logging import get_logger

from .assignment import share_evenly
from .batches import RECORDS_IN_A_BATCH, Batch, Effects, WaitingBatches
from .broker import WantedTopic, check_rights, ensure_topics, wait_for_broker
from .data_directory import lock_data_directory
from .disk import require_space
from .log_lines import LogForm, logging_config
from .recovery import ChangelogTableManager
from .state import Decoder, StateTable
from .supervision import SupervisedApp
from .transactions import Transactions, record_batches
from .transport import BatchTransport
from .web import OwnPagesWeb, PeerRouter
from .worker import BatchWorker

logger = get_logger(__name__)

#: What Faust's own option --datadir says where nobody gave it.
_FAUST_DATADIR = "{conf.name}-data"

#: How many bytes batches may have together that are handed over as one.
_JOINED_BYTES = 1 << 20

#: Compacted soon, so that rebuilding a table reads little that is outdated.
_CHANGELOG_CONFIG = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.3", "segment.ms": "600000"}

#: How often the consumer asks where partitions are, in milliseconds: Faust leaves out what it does not know yet.
_METADATA_MILLISECONDS = 10_000

BatchHandler = Callable[[Batch], Awaitable[None]]
TransactionHandler = Callable[[Batch, Effects], None]
BatchListener = Callable[[str, Batch, float], None]


class App(SupervisedApp):
    """Be a Faust App with agents that are handed batches."""

    def __init__(
        self,
        *args: Any,
        told_errors: tuple[type[BaseException], ...] = (),
        log_form: LogForm = "console",
        **kwargs: Any,
    ) -> None:
        """Be as Faust's, but log in one form, and texts of the application's exceptions only if among told_errors."""
        self.told_errors = told_errors
        self.log_form = log_form
        self._transactional_topics: set[str] = set()
        #: The topics that must be there before anything is read.
        self.wanted_topics: list[WantedTopic] = []
        #: Who is told of every batch that is done: its agent's name, the batch, and how many seconds the agent took.
        self.batch_listeners: list[BatchListener] = []
        self._data_lock: FileLock | None = None
        share_evenly()
        kwargs.setdefault("logging_config", logging_config(log_form))
        kwargs.setdefault("broker_max_poll_records", RECORDS_IN_A_BATCH)
        kwargs.setdefault("consumer_metadata_max_age_ms", _METADATA_MILLISECONDS)
        super().__init__(
            *args,
            TableManager=ChangelogTableManager,
            Worker=BatchWorker,
            Router=PeerRouter,
            # We make all topics before Faust starts; it would ask for them again, which takes a right that a user of
            # Kafka need not have for topics that are there.
            topic_allow_declare=False,
            # Waiting for what is at work has no limit in Faust, and rebalances and stopping would wait with it.
            stream_wait_empty=False,
            **kwargs,
        )

    @functools.cached_property
    def transactions(self) -> Transactions:
        """Return the transactional producers of the assigned partitions."""
        return Transactions(self)

    def batched_topic(self, name: str, *, config: Mapping[str, str] | None = None, exact: bool = True) -> TopicT:
        """Declare a topic whose agents are handed batches of undecoded records; it is created where it is missing.

        ``exact`` says that it must have the configured number of partitions.
        """
        self.batched_topics[name] = set()
        self.wanted_topics.append(WantedTopic(name, config or {}, exact))
        return self.topic(
            name,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            # A batch is done when its agents say so, and not when Faust leaves its event. Faust would also keep the
            # offset of each one for ever: within a batch's offsets it sees gaps, past which nothing can be committed.
            acks=False,
        )

    def state_table(self, name: str, *, decode: Decoder, **kwargs: Any) -> StateTable:
        """Declare a table that transactional agents change; ``decode`` makes an object of a key and a value."""
        table: StateTable = self.tables.add(StateTable(self, name=name, decode=decode, **kwargs))
        self.wanted_topics.append(WantedTopic(table.changelog_topic_name, _CHANGELOG_CONFIG))
        return table

    def commits_itself(self, topic: str) -> bool:
        """Tell whether a topic's offsets are committed by its agent's transactions, and not by Faust."""
        return topic in self._transactional_topics

    def batch_agent(self, topic: TopicT) -> Callable[[BatchHandler], Any]:
        """Make an agent of ``async def agent(batch)``: when it returns, the batch is acknowledged.

        It is cancelled where the worker stops; the batch is then read again.
        """

        def decorate(work: BatchHandler) -> Any:
            async def handle(batch: Batch) -> bool:
                return not (await self.wait(work(batch))).stopped

            return self._agent(topic, handle, work)

        return decorate

    def transactional_agent(
        self, topic: TopicT, *, table: StateTable | None = None
    ) -> Callable[[TransactionHandler], Any]:
        """Make an agent of ``def agent(batch, effects)``: the effects and the batch's offset are one transaction.

        A topic has one transactional agent, as its committed offset can only tell how far one of them got.
        """
        name = topic.get_topic_name()
        if self.batched_topics[name]:
            raise ValueError(f"Topic {name} already has an agent; a transactional one must be the only one.")
        self._transactional_topics.add(name)

        def decorate(decide: TransactionHandler) -> Any:
            async def handle(batch: Batch) -> bool:
                async with self.transactions.running():
                    if not self._is_current(batch):
                        return False
                    effects = Effects()
                    decide(batch, effects)
                    changelog = table.changelog_topic_name if table is not None else None
                    position = await self.transactions.commit(batch, effects, changelog)
                    # After a rebalance the local data is recovery's, which reads this batch from the changelog.
                    if table is not None and position is not None and self._is_current(batch):
                        table.store.write(batch.partition, effects.changes, position)
                    return True

            return self._agent(topic, handle, decide)

        return decorate

    async def send_values(self, topic: TopicT, values: Iterable[bytes]) -> None:
        """Send values without keys, batch by batch, each to a partition by chance; return when Kafka has them all.

        That costs a tenth of what Faust's ``topic.send`` does for each.
        """
        producer = cast(Producer, await self.maybe_start_producer())._ensure_producer()
        sent = [
            await producer.send_batch(builder, topic.get_topic_name(), partition=None)
            for builder in record_batches(producer, ((None, value, []) for value in values))
        ]
        await asyncio.gather(*sent)

    def _is_current(self, batch: Batch) -> bool:
        return batch.generation == self.consumer_generation_id and self.failure is None

    def _agent(self, topic: TopicT, handle: Callable[[Batch], Awaitable[bool]], described: Callable[..., Any]) -> Any:
        name = topic.get_topic_name()
        if self.commits_itself(name) and self.batched_topics[name]:
            raise ValueError(f"Topic {name} has a transactional agent, which must be the only one.")
        self.batched_topics[name].add(described.__name__)

        waiting: dict[TP, WaitingBatches] = {}

        async def work_through(batches: WaitingBatches, tp: TP) -> None:
            with self._without_end(f"agent {described.__name__} of {tp.topic}/{tp.partition}"):
                while self.failure is None:
                    await self._work_on(await batches.get(), handle, described.__name__)

        # Partitions are worked on side by side, so that one's transaction does not wait for another's; within a
        # partition batches keep their order. How many wait is bounded by the consumer.
        @functools.wraps(described)
        async def run(stream: StreamT[Batch]) -> None:
            with self._without_end(f"agent {described.__name__}"):
                async for batch in stream:
                    if batch.tp not in waiting:
                        waiting[batch.tp] = WaitingBatches(self.conf.broker_max_poll_records, _JOINED_BYTES)
                        self.add_future(work_through(waiting[batch.tp], batch.tp))
                    waiting[batch.tp].put(batch)

        del run.__wrapped__  # Faust asks the signature whether to hand over the stream
        return self.agent(topic, name=described.__name__)(run)

    async def _work_on(self, batch: Batch, handle: Callable[[Batch], Awaitable[bool]], agent: str) -> None:
        if not self._is_current(batch):
            return
        begun = time.perf_counter()
        try:
            # Work on a partition that has gone to another worker may go on for long; nobody would note its end.
            duty = self.consumer.duty_of(batch.tp, agent)
            with self.watchdog.on_duty(duty, lambda: self.consumer.has_work(batch.tp, agent)):
                if await handle(batch) and self._is_current(batch):
                    self.consumer.finish(batch, agent)
                    for listener in self.batch_listeners:
                        listener(agent, batch, time.perf_counter() - begun)
        except Exception as exc:
            if self._is_current(batch) and not self.should_stop:
                await self.fail(exc, agent=agent, **batch.place)
            else:
                logger.info(
                    "Left %r to whoever has the partition next: %s",
                    batch,
                    exc,
                    extra={"agent": agent, **batch.place},
                )

    async def on_first_start(self) -> None:
        """Wait for Kafka and make the topics before Faust looks for them."""
        self.heed_datadir_option()
        self._data_lock = lock_data_directory(Path(self.conf.datadir))
        await super().on_first_start()
        if self._worker is not None:
            require_space(Path(self.conf.datadir))
        await wait_for_broker(self)
        if not self.should_stop:
            await ensure_topics(self, self.wanted_topics)
            await check_rights(self, f"{self.conf.id}-")
        self._start_watchdog()

    def heed_datadir_option(self) -> None:
        """Use the directory of Faust's option --datadir, which Faust hands over after it imported us."""
        if os.environ.get("F_DATADIR", _FAUST_DATADIR) != _FAUST_DATADIR:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AlreadyConfiguredWarning)
                self.conf.datadir = Path(os.environ["F_DATADIR"]).absolute()

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    def _new_web(self) -> OwnPagesWeb:
        return OwnPagesWeb(self)

    async def on_stop(self) -> None:
        """End the transactional producers, and leave the data directory to others."""
        await super().on_stop()
        await self.transactions.close()
        if self._data_lock is not None:
            self._data_lock.release()
        logger.info("The worker has stopped.")
