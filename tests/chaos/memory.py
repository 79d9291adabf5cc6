"""Watch from outside how much memory a process has."""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import psutil

MB = 2**20


class Sample(NamedTuple):
    """Hold the resident memory in bytes, so many seconds after the first look."""

    seconds: float
    resident: int


class MemoryWatch:
    """Look at a process's resident memory again and again, until the end of a ``with`` block."""

    def __init__(self, pid: int, every: float, path: Path | None = None) -> None:
        """Look every so many seconds; write each sample down where a path is given."""
        self.samples: list[Sample] = []
        self._process = psutil.Process(pid)
        self._every = every
        self._path = path
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        started = time.monotonic()
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text("seconds,resident bytes\n")
        while not self._stopping.wait(self._every):
            try:
                resident = self._process.memory_info().rss
            except psutil.NoSuchProcess:
                return
            self.samples.append(Sample(time.monotonic() - started, resident))
            if self._path is not None:
                with self._path.open("a") as file:
                    file.write(f"{self.samples[-1].seconds:.1f},{resident}\n")

    @property
    def peak(self) -> int:
        """Return the most that was seen, in bytes."""
        return max(sample.resident for sample in self.samples)

    def median(self, first: float, last: float) -> float:
        """Return the median of what was seen between two times, in bytes."""
        return statistics.median(sample.resident for sample in self.samples if first <= sample.seconds <= last)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
