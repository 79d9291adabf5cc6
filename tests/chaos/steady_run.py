"""Let an installation work at a steady rate beside other tests, and watch its memory."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.dataset import Dataset
from tests.chaos.memory import MB, MemoryWatch
from tests.pipeline import eventually
from tests.worker_process import WorkerProcess, WorkerSettings

#: Readings a second, and of how many patients.
RATE = 200.0
PATIENTS = 2_000

#: In which first part of the time more readings come, and how many a second: with an hour, 5 minutes. Then the tables
#: are larger than RocksDB's caches (bp_faust.engine.partition_database) before it counts.
FILLING = 1 / 12
FILLING_RATE = 1_000.0

#: In which parts of the time memory counts as warmed up, and as at the end: with an hour, minutes 10 to 15, and the
#: last 5.
WARM = (1 / 6, 1 / 4)
END = (11 / 12, 1.0)

_REPOSITORY = Path(__file__).parents[2]

#: How often memory is looked at, and how often is said how far it is, in seconds.
_LOOK_SECONDS = 1.0
_SAY_SECONDS = 300.0

#: What starting and stopping may take, in seconds.
_OTHER_SECONDS = 180.0


class SteadyRun:
    """Hold a worker, what feeds it, and what watches it; it begins at once, and does not keep its caller waiting."""

    def __init__(
        self, settings: WorkerSettings, seconds: float, seed: int, samples: Path, say: Callable[[str], None]
    ) -> None:
        """Run for so many seconds; write samples of the worker's memory to a file."""
        self.settings = settings
        self.seconds = seconds
        self.seed = seed
        self.worker = WorkerProcess(settings, "steady", {})
        self._say = say
        self._memory = MemoryWatch(self.worker.process.pid, _LOOK_SECONDS, samples)
        self._feeder: subprocess.Popen[str] | None = None
        self._sent = 0
        self._error: BaseException | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.worker.wait_until_ready()
            self._feeder = self._start_feeder()
            with self._memory:
                self._wait()
            self._sent = self._stop_feeder()
        except BaseException as exc:
            self._error = exc

    def _wait(self) -> None:
        began = said = time.monotonic()
        assert self._feeder is not None
        while not self._ending.wait(_LOOK_SECONDS) and time.monotonic() - began < self.seconds:
            assert self.worker.process.poll() is None, f"The steady worker ended:\n{self.worker.log_tail()}"
            assert self._feeder.poll() is None, "The steady feeder ended."
            if time.monotonic() - said >= _SAY_SECONDS:
                said = time.monotonic()
                resident = self._memory.samples[-1].resident / MB
                self._say(f"steady rate: {said - began:.0f} of {self.seconds:.0f} s, {resident:.0f} MB resident")

    def _start_feeder(self) -> subprocess.Popen[str]:
        where = (self.settings.kafka, self.settings.readings_topic)
        what = (RATE, FILLING * self.seconds, FILLING_RATE, PATIENTS, self.seed)
        return subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.feeder", *where, *map(str, what)],
            cwd=_REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _stop_feeder(self) -> int:
        assert self._feeder is not None
        told, _ = self._feeder.communicate(timeout=60)
        return int(told)

    async def wait(self) -> Dataset:
        """Wait until the time is over; return what was sent. Raise what went wrong."""
        # Not joined, which would hold up Ctrl-C.
        await eventually(lambda: not self._thread.is_alive(), self.seconds + _OTHER_SECONDS)
        if self._error is not None:
            raise AssertionError(f"The steady run failed: {self._error}") from self._error
        return Dataset(self._sent, PATIENTS, self.seed)

    def resident(self, part: tuple[float, float]) -> float:
        """Return the median of the worker's resident memory in a part of the time, in bytes."""
        return self._memory.median(part[0] * self.seconds, part[1] * self.seconds)

    def end(self) -> None:
        """End everything, however far it is."""
        self._ending.set()
        self.worker.end()
        self._thread.join()
        if self._feeder is not None and self._feeder.poll() is None:
            self._feeder.communicate(timeout=60)
