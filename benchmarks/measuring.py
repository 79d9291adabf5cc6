"""Time contenders by one rule, from outside.

A run has topics of its own, with the same data in them. The contender is started, and first works through some warm-up
records: it is then known to be connected, to have its partitions, and to have every path warm. Its processes are
stopped (SIGSTOP), the run's records are written to the ingest topic, and the clock and the CPU count start when the
processes go on (SIGCONT). They end when the consumer group has committed the last of the ingest topic and the last of
the topic through which it re-keys, which is polled every 50 ms. CPU is the user and system time of the contender's
processes, without Kafka's. Afterwards the committed records of the anomalies topic are counted, and must be as many
as the data has anomalies.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.broker import Broker
from benchmarks.contenders import Contender, Names
from benchmarks.dataset import WARM_UP_SEED, Dataset
from benchmarks.processes import MeasuredProcess

#: Tells the user what is being done.
Say = Callable[[str], None]

#: How many records a contender is warmed up with.
WARM_UP_RECORDS = 2_000

#: How long a contender may take to begin, and to finish, in seconds.
START_SECONDS = 300.0
FINISH_SECONDS = 900.0


@dataclass(frozen=True)
class Measurement:
    """Hold what one run took."""

    records: int
    seconds: float
    #: User and system time of all processes of the contender, in seconds.
    cpu_seconds: float
    #: Resident memory at the end of all processes of the contender, in bytes.
    resident: int
    #: Committed records of the anomalies topic, and how many there should be; the warm-up's included.
    anomalies: int
    anomalies_expected: int

    @property
    def rate(self) -> float:
        """Return records per second."""
        return self.records / self.seconds

    @property
    def cpu_per_100_000(self) -> float:
        """Return CPU seconds per 100,000 records."""
        return self.cpu_seconds / self.records * 100_000

    @property
    def complete(self) -> bool:
        """Tell whether every anomaly was told of once."""
        return self.anomalies == self.anomalies_expected


def warm_up_for(dataset: Dataset) -> Dataset:
    """Return other readings of as many patients, no more than a run has."""
    return Dataset(min(WARM_UP_RECORDS, dataset.records), dataset.patients, WARM_UP_SEED)


@dataclass
class Bench:
    """Hold what all sections work with."""

    kafka: str
    elasticsearch_url: str
    records: int
    repeats: int
    short: bool
    say: Say
    #: A folder for logs and local state.
    directory: Path
    _number: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[Run]:
        """Give a run with names and connections of its own; its topics are deleted afterwards."""
        group = f"bench-{os.getpid()}-{next(self._number)}"
        directory = self.directory / group
        directory.mkdir()
        names = Names(group, self.kafka, self.elasticsearch_url, directory)
        broker = Broker(self.kafka)
        await broker.start()
        try:
            yield Run(names, broker)
        finally:
            await broker.delete_topics_of(group)
            await broker.stop()

    async def measure(self, contender: Contender, dataset: Dataset, *, workers: int = 1) -> Measurement:
        """Let a contender process a dataset, and time it."""
        async with self.run() as run:
            await run.create_topics(contender)
            return await run.measure(contender, dataset, workers)


@dataclass
class Run:
    """Measure one contender once."""

    names: Names
    broker: Broker

    async def create_topics(self, contender: Contender) -> None:
        """Create the topics that must be there before the contender starts."""
        for topic, config in contender.topics(self.names).items():
            await self.broker.create_topic(topic, config)

    async def measure(
        self,
        contender: Contender,
        dataset: Dataset,
        workers: int = 1,
        beyond: Callable[[int], Awaitable[None]] | None = None,
    ) -> Measurement:
        """Time a contender by the rule above.

        ``beyond`` waits for what it must do beyond its commits; it is told how many anomalies there have been so far.
        """
        warm_up = warm_up_for(dataset)
        expected = warm_up.anomalies() + dataset.anomalies() if contender.sends else 0
        with ExitStack() as stack:
            processes = [stack.enter_context(self.start(contender, f"{number}")) for number in range(workers)]
            await self.warm_up(contender, warm_up, processes)
            if beyond is not None:
                await beyond(warm_up.anomalies())
            for process in processes:
                process.suspend()
            await self.broker.load(self.names.readings, dataset.envelopes())
            before = sum(process.usage().cpu for process in processes)
            started = time.perf_counter()
            for process in processes:
                process.resume()
            await self.wait_until_done(contender, processes, FINISH_SECONDS)
            if beyond is not None:
                await beyond(expected)
            seconds = time.perf_counter() - started
            usages = [process.usage() for process in processes]
        return Measurement(
            records=dataset.records,
            seconds=seconds,
            cpu_seconds=sum(usage.cpu for usage in usages) - before,
            resident=sum(usage.resident for usage in usages),
            anomalies=await self.broker.count(self.names.anomalies),
            anomalies_expected=expected,
        )

    def start(self, contender: Contender, worker: str = "0") -> MeasuredProcess:
        """Start one process of a contender, with a folder of its own."""
        directory = self.names.directory / worker
        directory.mkdir(exist_ok=True)
        names = Names(self.names.group, self.names.kafka, self.names.elasticsearch, directory)
        log = directory / f"{contender.title.replace(' ', '-')}.log"
        return MeasuredProcess(contender.command(names), contender.environment(names), log)

    async def warm_up(self, contender: Contender, dataset: Dataset, processes: list[MeasuredProcess]) -> None:
        """Wait until all processes take part and have worked through some records."""
        deadline = time.monotonic() + START_SECONDS
        steady = 0
        while steady < 10:
            steady = steady + 1 if await self.broker.members(self.names.group) == len(processes) else 0
            if time.monotonic() > deadline:
                raise TimeoutError(f"{contender.title} did not join its consumer group in {START_SECONDS:.0f} s.")
            for process in processes:
                process.check()
            await asyncio.sleep(0.1)
        await self.broker.load(self.names.readings, dataset.envelopes())
        await self.wait_until_done(contender, processes, START_SECONDS)

    async def wait_until_done(self, contender: Contender, processes: list[MeasuredProcess], seconds: float) -> None:
        """Wait until the group has committed all that is on the ingest topic, then all that it re-keyed."""
        deadline = time.monotonic() + seconds
        topics = [self.names.readings]
        if contender.internal is not None:
            topics.append(contender.internal(self.names))
        for topic in topics:
            goals = await self.broker.goals(topic)
            while behind := await self.broker.behind(self.names.group, goals):
                for process in processes:
                    process.check()
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"{contender.title} did not get through {topic} in {seconds:.0f} s; it is behind by {behind} "
                        f"offsets (by partition). Its log is in {self.names.directory}."
                    )
                await asyncio.sleep(0.05)
