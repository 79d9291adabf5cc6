"""Build Faust Apps whose agents work on batches, and that stop rather than go on after an error."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import faust
from faust.exceptions import AlreadyConfiguredWarning
from faust.transport.drivers.aiokafka import Producer
from faust.types import TP, StreamT, TopicT
from filelock import FileLock
from mode.utils.logging import get_logger
from mode.utils.times import Seconds, want_seconds

from .assignment import share_evenly
from .batches import RECORDS_IN_A_BATCH, Batch, Effects, WaitingBatches, batch_of
from .broker import WantedTopic, answers, check_rights, ensure_topics, wait_for_broker
from .data_directory import lock_data_directory
from .disk import require_space
from .errors import StateError, WatchdogError
from .log_lines import LogForm, logging_config
from .recovery import ChangelogTableManager
from .state import Decoder, StateTable
from .transactions import Transactions, record_batches
from .transport import BatchConsumer, BatchTransport
from .watchdog import EXIT_STATUS, SILENCE_SECONDS, Watchdog, WatchdogThread
from .web import OwnPagesWeb, PeerRouter
from .worker import STOP_SECONDS, BatchWorker, end_process_after

logger = get_logger(__name__)

#: How often the event loop gives a sign, in seconds.
_BEAT_SECONDS = 1.0

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


class App(faust.App):
    """Be a Faust App with agents that are handed batches."""

    consumer: BatchConsumer

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
        #: The names of the agents that read each batched topic, by topic name.
        self.batched_topics: dict[str, set[str]] = {}
        self._transactional_topics: set[str] = set()
        #: The topics that must be there before anything is read.
        self.wanted_topics: list[WantedTopic] = []
        #: What made the worker stop, None while all is well.
        self.failure: BaseException | None = None
        #: What in this worker must give signs of itself.
        self.watchdog = Watchdog()
        #: What cannot be done for now, and why: a sentence for whoever runs the worker. All else goes on.
        self.hindrances: dict[str, str] = {}
        #: Who is told of every batch that is done: its agent's name, the batch, and how many seconds the agent took.
        self.batch_listeners: list[BatchListener] = []
        self._watchdog_thread: WatchdogThread | None = None
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

    @property
    def is_ready(self) -> bool:
        """Tell whether tables are up to date, agents are at work, and nothing is overdue or hindered."""
        return self.has_started and not self.hindrances and not self.watchdog.overdue()

    @property
    def entries_to_recover(self) -> int:
        """Return how many changelog entries are still to be read before the agents can begin."""
        return cast(ChangelogTableManager, self.tables).recovery.entries_left

    @property
    def entries_of_recovery(self) -> int:
        """Return how many changelog entries the recovery under way has to read in all, 0 while there is none."""
        return cast(ChangelogTableManager, self.tables).recovery.entries_in_all

    @property
    def assigned(self) -> dict[str, list[int]]:
        """Return the partitions of batched topics that this worker has or is about to have, by topic."""
        found: dict[str, list[int]] = {}
        for tp in sorted(self.assignor.assigned_actives()):
            if tp.topic in self.batched_topics:
                found.setdefault(tp.topic, []).append(tp.partition)
        return found

    @property
    def lag(self) -> Mapping[TP, int]:
        """Return how many offsets each assigned partition of a batched topic was behind at the last look."""
        return self.consumer.lag

    @property
    def overdue(self) -> list[str]:
        """Return what has not given a sign in time, in order."""
        return sorted(self.watchdog.overdue())

    @property
    def has_started(self) -> bool:
        """Tell whether tables are up to date and agents are at work."""
        return (
            self.failure is None
            and not self.should_stop
            and not self.rebalancing
            and not self.in_recovery
            and self.tables.actives_ready
            and self.consumer.flow_active
        )

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
        async def run(stream: StreamT[Any]) -> None:
            with self._without_end(f"agent {described.__name__}"):
                async for value in stream:
                    batch = batch_of(value)
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

    @contextlib.contextmanager
    def _without_end(self, duty: str) -> Iterator[None]:
        """Miss what ends within the block, unless the worker stops."""
        self.watchdog.forget(duty)
        try:
            yield
        finally:
            if not self.should_stop:
                self.watchdog.expect(duty, 0)

    async def itertimer(self, interval: Seconds, *, name: str = "", **kwargs: Any) -> AsyncIterator[float]:
        """Count seconds as Faust does, and miss a timer that ends, or whose work does."""
        duty = f"timer {name}"
        with self._without_end(duty):
            async for seconds in super().itertimer(interval, name=name, **kwargs):
                self.watchdog.expect(duty)
                yield seconds
                self.watchdog.expect(duty, want_seconds(interval) + SILENCE_SECONDS)

    async def _beat(self, watchdog_thread: WatchdogThread) -> None:
        """Give signs of the event loop, miss a worker that does not become ready, and look at the disk."""
        was_ready = False
        while not self.should_stop:
            self.watchdog.expect("event loop")
            was_ready = self._tell_ready(was_ready)
            if self.has_started:
                self.watchdog.forget("getting ready")
            else:
                self.watchdog.expect_still("getting ready")
            if not watchdog_thread.is_alive():
                await self.fail(WatchdogError("The watchdog has ended: start the worker again."))
            try:
                require_space(Path(self.conf.datadir))
            except StateError as exc:
                await self.fail(exc)
            await self.sleep(_BEAT_SECONDS)

    def _tell_ready(self, was_ready: bool) -> bool:
        is_ready = self.is_ready
        if is_ready and not was_ready:
            logger.info("Ready: at work on what is assigned.", extra={"assigned": self.assigned})
        elif was_ready and not is_ready:
            why = [*self.hindrances.values(), *(f"no sign of {duty}" for duty in self.overdue)]
            logger.warning("Not ready: %s.", "; ".join(why) or "partitions are handed out, or tables read up to date")
        return is_ready

    async def fail(self, reason: BaseException, **at: str | int) -> None:
        """Stop the worker with a non-zero exit status; what is not committed will be read again.

        ``at`` are fields that tell in the log where it failed.
        """
        if self.failure is None:
            self._note_failure(reason)
            kind = type(reason).__name__
            logger.critical("The worker stops: %s: %s", kind, reason, extra={"failure": kind, **at})
            await self.crash(reason)

    async def refuse(self, reason: Exception) -> None:
        """Stop a worker that cannot work the way it is set up; the reason is the last line that it prints."""
        root = self.beacon.root
        if self.failure is None and root is not None and isinstance(root.data, BatchWorker):
            self.failure = reason
            root.data.refuse(reason)
        else:
            await self.fail(reason)

    def _crash(self, reason: BaseException) -> None:
        # Faust comes here for what ended within one of its own services; it may then wait for ever for another one.
        self._note_failure(reason)
        super()._crash(reason)

    def _note_failure(self, reason: BaseException) -> None:
        if self.failure is None:
            self.failure = reason
            if self._is_of_worker:
                end_process_after(STOP_SECONDS, EXIT_STATUS)

    @property
    def _is_of_worker(self) -> bool:
        return self.beacon.root is not None and isinstance(self.beacon.root.data, BatchWorker)

    async def on_first_start(self) -> None:
        """Wait for Kafka and make the topics before Faust looks for them."""
        self.heed_datadir_option()
        self._data_lock = lock_data_directory(Path(self.conf.datadir))
        await super().on_first_start()
        if self._is_of_worker:
            require_space(Path(self.conf.datadir))
        await wait_for_broker(self)
        if not self.should_stop:
            await ensure_topics(self, self.wanted_topics)
            await check_rights(self, f"{self.conf.id}-")
        if self._is_of_worker:
            self._watchdog_thread = WatchdogThread(self.watchdog, lambda: answers(self))
            self._watchdog_thread.start()
            self.add_future(self._beat(self._watchdog_thread))

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
        """End the transactional producers."""
        if self._watchdog_thread is not None:
            self._watchdog_thread.stop()
        await super().on_stop()
        await self.transactions.close()
        if self._data_lock is not None:
            self._data_lock.release()
        logger.info("The worker has stopped.")
