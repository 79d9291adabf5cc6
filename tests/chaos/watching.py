"""Watch a worker while something is done to it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from types import TracebackType

from tests.worker_process import WorkerProcess

#: How often to look, in seconds.
_LOOK_SECONDS = 0.2


class Watch:
    """Look at a worker again and again, from the beginning of an asynchronous context to its end."""

    def __init__(self, worker: WorkerProcess, *, counting: bool) -> None:
        """Watch whether a worker is ready and, where ``counting``, how many readings its patients have."""
        self._worker = worker
        self._counting = counting
        #: Set when the worker has been ready once.
        self.ready = asyncio.Event()
        #: Whether it has been ready from then on.
        self.always_ready = True
        #: For how long the patients' readings did not become more, at most, in seconds.
        self.longest_gap = 0.0

    async def __aenter__(self) -> Watch:
        """Begin to look."""
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End looking."""
        self._looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._looking

    async def _look(self) -> None:
        counted, grown = 0, time.monotonic()
        while True:
            is_ready = await asyncio.to_thread(self._worker.status, "/readyz") == 200
            if is_ready:
                self.ready.set()
            elif self.ready.is_set():
                self.always_ready = False
            if self._counting:
                count = await asyncio.to_thread(self._readings)
                now = time.monotonic()
                self.longest_gap = max(self.longest_gap, now - grown)
                if count > counted:
                    counted, grown = count, now
            await asyncio.sleep(_LOOK_SECONDS)

    def _readings(self) -> int:
        try:
            return sum(patient["readings"] for patient in self._worker.get("/patients/?local")["patients"])
        except OSError:
            return 0
