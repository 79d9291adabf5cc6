"""Send readings at a steady rate, as devices would, while something is done to the installation."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from itertools import islice
from types import TracebackType
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from tests import oracle
from tests.worker_process import WorkerSettings

_PATIENTS = 200


class SteadyReadings:
    """Send from the beginning of an asynchronous context to its end; Kafka then has all that is ``sent``."""

    def __init__(self, settings: WorkerSettings, per_second: float, seed: int) -> None:
        """Send so many readings a second; the same ones for the same seed."""
        self._settings = settings
        self._per_second = per_second
        self._seed = seed
        self._stopping = asyncio.Event()
        #: How many were sent, and how many of them are anomalies.
        self.sent = 0
        self.anomalies = 0

    def envelopes(self) -> Iterator[dict[str, Any]]:
        """Yield again what was sent."""
        return islice(oracle.endless_envelopes(_PATIENTS, self._seed), self.sent)

    async def __aenter__(self) -> SteadyReadings:
        """Begin to send."""
        self._sending = asyncio.create_task(self._send())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End sending."""
        await self.stop()

    async def stop(self) -> None:
        """End sending before the context does."""
        self._stopping.set()
        await self._sending

    async def _send(self) -> None:
        envelopes = oracle.endless_envelopes(_PATIENTS, self._seed)
        started = time.monotonic()
        async with AIOKafkaProducer(bootstrap_servers=self._settings.kafka, acks="all", linger_ms=5) as producer:
            while not self._stopping.is_set():
                due = int((time.monotonic() - started) * self._per_second) - self.sent
                for envelope in islice(envelopes, due):
                    await producer.send(self._settings.readings_topic, orjson.dumps(envelope))
                    self.sent += 1
                    self.anomalies += oracle.anomaly_type(*oracle.values(envelope)) is not None
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), 0.1)
            await producer.flush()
