"""Start processes, see what they use, and end them by their ids."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import psutil


class Usage(NamedTuple):
    """Hold what a process and its children have used."""

    #: User and system time in seconds.
    cpu: float
    #: Resident memory in bytes.
    resident: int


class EndedError(Exception):
    """Say that a process ended that should have gone on, with the end of what it said."""


class MeasuredProcess:
    """Hold one process, its output in a file, until the end of a ``with`` block."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                list(command), env=environment, cwd=log.parent, stdout=output, stderr=subprocess.STDOUT
            )
        self._watched = psutil.Process(self._process.pid)

    def usage(self) -> Usage:
        """Return what the process and its children have used so far; raise EndedError where it has ended."""
        self.check()
        cpu, resident = 0.0, 0
        for process in self._family():
            times = process.cpu_times()
            cpu += times.user + times.system
            resident += process.memory_info().rss
        own = self._watched.cpu_times()
        # Children that have ended count in their parent's times.
        return Usage(cpu + own.children_user + own.children_system, resident)

    def suspend(self) -> None:
        """Stop the process's clock (SIGSTOP)."""
        for process in self._family():
            process.suspend()

    async def wait_until_suspended(self) -> None:
        """Wait until the process has stopped itself; raise EndedError where it ended instead."""
        while self._watched.status() != psutil.STATUS_STOPPED:
            self.check()
            await asyncio.sleep(0.05)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        for process in self._family():
            process.resume()

    def check(self) -> None:
        """Raise EndedError where the process has ended."""
        status = self._process.poll()
        if status is not None:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])
            raise EndedError(f"{self._log.stem} ended with {status}:\n{tail}")

    def end(self) -> None:
        """End the process and its children at once: what it did is measured already."""
        family = self._family() if self._process.poll() is None else []
        for process in family:
            process.kill()
        self._process.wait(30)

    def _family(self) -> list[psutil.Process]:
        return [self._watched, *self._watched.children(recursive=True)]

    def __enter__(self) -> MeasuredProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()
