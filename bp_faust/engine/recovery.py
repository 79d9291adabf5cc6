"""Bring tables up to date from their changelogs: whole batches, committed only, after the predecessor is fenced."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError
from aiokafka.structs import TopicPartition
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP
from mode import Service

from .broker import committed_reader
from .errors import RecoveryError, StateError

if TYPE_CHECKING:
    from .application import App
    from .state import StateTable

#: How long a recovery may go on without reading anything, in seconds.
_STALLED_SECONDS = 60.0

_POLL_MILLISECONDS = 250
_FETCH_BYTES = 8 << 20


class ChangelogRecovery(Recovery):
    """Replace Faust's way of reading changelogs; when to do so, and what follows, stay Faust's.

    Faust waits for the record at the changelog's last offset, which a transaction's marker never is; and it logs errors
    and goes on.
    """

    app: App

    #: How many changelog entries there were to read when the last recovery began.
    _entries_at_start = 0

    @Service.task
    async def _restart_recovery(self) -> None:
        while not self.should_stop:
            if await self.wait_for_stopped(self.signal_recovery_start):
                break
            self.signal_recovery_start.clear()
            generation = self._generation_id
            self._set_recovery_started()
            try:
                await self._wait(self._recover(generation))
            except (RebalanceAgain, IllegalStateError):
                continue
            except ServiceStopped:
                break
            except asyncio.CancelledError:
                if not self.should_stop:  # a library's own; Faust would end this task without a word
                    await self.app.fail(RecoveryError("Recovery was cancelled from within; start the worker again."))
                raise
            except Exception as exc:
                if generation == self.app.consumer_generation_id:
                    await self.app.fail(exc)
                    break

    async def _recover(self, generation: int) -> None:
        tps = self.app.consumer.assignment()
        self._entries_at_start = 0
        await self.app.transactions.assign(tp for tp in tps if self.app.commits_itself(tp.topic))
        actives = {tp for tp in self.active_tps if self._table(tp).store.has(tp.partition)}
        if actives:
            async with self._reader(actives) as reader:
                ends = await self._open(reader, actives)
                for tp, end in ends.items():  # one by one, as both are Counters, whose update adds
                    self.active_highwaters[tp] = end - 1
                    self.active_offsets[tp] = self._position(tp) - 1
                self._entries_at_start = max(0, self.active_remaining_total())
                await self._read(reader, {tp for tp in actives if self._position(tp) < ends[tp]}, ends)
        await self.on_recovery_completed(generation)

    @contextlib.asynccontextmanager
    async def _reader(self, tps: Iterable[TP]) -> AsyncIterator[AIOKafkaConsumer]:
        async with committed_reader(self.app, _FETCH_BYTES) as reader:
            reader.assign([TopicPartition(*tp) for tp in tps])
            yield reader

    async def _open(self, reader: AIOKafkaConsumer, tps: Iterable[TP]) -> dict[TP, int]:
        """Seek each changelog partition to where its local data stands; return the end offsets."""
        assigned = [TopicPartition(*tp) for tp in tps]
        ends = {TP(*tp): offset for tp, offset in (await reader.end_offsets(assigned)).items()}
        starts = await reader.beginning_offsets(assigned)
        for tp in assigned:
            known = TP(*tp)
            if self._position(known) > ends[known]:
                self.log.warning(
                    "The local data of %s is ahead of its changelog %s/%s, which was deleted or is another cluster's: "
                    "it is thrown away and rebuilt.",
                    self._table(known).name,
                    tp.topic,
                    tp.partition,
                    extra={"topic": tp.topic, "partition": tp.partition, "table": self._table(known).name},
                )
                self._table(known).store.discard(tp.partition)
            reader.seek(tp, max(self._position(known), starts[tp]))
        return ends

    async def _read(self, reader: AIOKafkaConsumer, behind: set[TP], ends: dict[TP, int]) -> None:
        """Read changelog partitions up to their ends into the local data."""
        begun = time.monotonic()
        partitions = sorted(f"{tp.topic}/{tp.partition}" for tp in behind)
        fields = {"partitions": partitions, "entries": self._entries_at_start}
        if behind:
            self.log.info("Recovery begins: reads %s changelog partition(s) up to date.", len(behind), extra=fields)
        stalled_at = asyncio.get_running_loop().time() + _STALLED_SECONDS
        while behind:
            if await self._read_some(reader):
                stalled_at = asyncio.get_running_loop().time() + _STALLED_SECONDS
            for tp in list(behind):
                # The position passes transaction markers and aborted batches, which no record's offset does.
                if await reader.position(TopicPartition(*tp)) >= ends[tp]:
                    self._table(tp).store.write(tp.partition, {}, max(ends[tp], self._position(tp)))
                    behind.discard(tp)
            if behind and asyncio.get_running_loop().time() > stalled_at:
                names = ", ".join(f"{tp.topic}/{tp.partition}" for tp in sorted(behind))
                raise RecoveryError(
                    f"Nothing could be read from {names} for {_STALLED_SECONDS:.0f} s, although it has more: check "
                    "that the brokers which lead these partitions are up."
                )
        if partitions:
            seconds = round(time.monotonic() - begun, 3)
            self.log.info("Recovery is done, in %.1f s.", seconds, extra={**fields, "seconds": seconds})

    async def _read_some(self, reader: AIOKafkaConsumer) -> bool:
        """Write what was fetched, one batch a partition; tell whether there was anything."""
        fetched = await reader.getmany(timeout_ms=_POLL_MILLISECONDS)
        for partition, records in fetched.items():
            tp = TP(partition.topic, partition.partition)
            store = self._table(tp).store
            if store.has(tp.partition):
                store.write(tp.partition, {r.key: r.value for r in records}, records[-1].offset + 1)
                self.app.watchdog.expect("getting ready")
                (self.active_offsets if tp in self.active_tps else self.standby_offsets)[tp] = records[-1].offset
            await asyncio.sleep(0)
        return bool(fetched)

    @Service.task
    async def _slurp_changelogs(self) -> None:
        """Keep standby partitions up to date, so that taking one over takes no time."""
        while not self.should_stop:
            await self.wait_for_stopped(self.completed)
            generation, standbys = self._generation_id, set(self.standby_tps)
            if self.should_stop:
                return
            if not standbys:
                await self.sleep(1.0)
                continue
            try:
                async with self._reader(standbys) as reader:
                    for tp, end in (await self._open(reader, standbys)).items():
                        self.standby_highwaters[tp] = end
                    while not self.should_stop and generation == self.app.consumer_generation_id:
                        await self._read_some(reader)
            except StateError as exc:
                await self.app.fail(exc)
                break
            except Exception as exc:
                # After a rebalance they may be another worker's, which is no news.
                if generation == self.app.consumer_generation_id:
                    self.log.warning("Standby partitions are not followed for now: %s", exc)
                await self.sleep(5.0)

    @property
    def entries_left(self) -> int:
        """Return how many changelog entries are still to be read before the agents can begin."""
        return max(0, self.active_remaining_total()) if self.app.in_recovery else 0

    @property
    def entries_in_all(self) -> int:
        """Return how many changelog entries the recovery under way has to read, those that it has read included."""
        return max(self._entries_at_start, self.entries_left) if self.app.in_recovery else 0

    def flush_buffers(self) -> None:
        """Do nothing: changelog batches are written as they come."""

    def _table(self, tp: TP) -> StateTable:
        table: StateTable = self.tp_to_table[tp]
        return table

    def _position(self, tp: TP) -> int:
        return self._table(tp).store.position(tp.partition)


class ChangelogTableManager(TableManager):
    """Give Faust the recovery above."""

    app: App

    @property
    def recovery(self) -> ChangelogRecovery:
        """Return the service that brings tables up to date."""
        if self._recovery is None:
            self._recovery = ChangelogRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    async def on_start(self) -> None:
        """Begin at once; Faust sleeps for a second first, as tables may be declared late, and an App's here are not."""
        await self._update_channels()
        await self.recovery.start()
