"""Run two workers with a token, on whose pages the tests look."""

from __future__ import annotations

from typing import Any

from tests.kafka_client import produce
from tests.pipeline import wait_until_drained
from tests.worker_process import WorkerProcess, WorkerSettings, wait_for

TOKEN = "a-token-for-tests-only"


class Installation:
    """Hold the workers; the first one's page is the one that is looked at unless a test says otherwise."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self.workers: list[WorkerProcess] = []

    def start(self) -> None:
        """Start both workers, and wait until each has partitions."""
        for name in ("first", "second"):
            environment = {"BP_FAUST_WEB_TOKEN": TOKEN, "BP_FAUST_POLICY": "aha-2017"}
            self.workers.append(WorkerProcess(self.settings, name, environment))
        for worker in self.workers:
            worker.wait_until_ready()

    @property
    def first(self) -> WorkerProcess:
        """Return the worker whose page is looked at."""
        return self.workers[0]

    @property
    def second(self) -> WorkerProcess:
        """Return the other one."""
        return self.workers[1]

    async def send(self, *records: Any, partition: int | None = None) -> None:
        """Put records on the ingest topic, as the world outside does."""
        await produce(self.settings.kafka, self.settings.readings_topic, records, partition)

    async def take(self, *records: Any, partition: int | None = None) -> None:
        """Send records, and wait until all is done that follows from them."""
        await self.send(*records, partition=partition)
        await wait_until_drained(self.settings)

    def share(self) -> None:
        """Wait until both workers are ready and each has patients."""
        wait_for(
            lambda: all(
                worker.status("/readyz") == 200 and worker.get("/patients/?local")["patients"]
                for worker in self.workers
            ),
            120,
            "both workers to have patients",
        )

    def end(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.end()
