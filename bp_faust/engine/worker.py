"""Run an App as a process: it ends in time, and says in one line why it does not start."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, NoReturn, cast

from mode.utils.futures import maybe_cancel

from .errors import EngineError
from .log_lines import error_line
from .private_worker import PrivateWorker
from .watchdog import EXIT_STATUS

if TYPE_CHECKING:
    from .application import App

#: How long a worker may take to stop, in seconds, before the process is ended. Nothing is lost by that: what was not
#: committed is read again.
STOP_SECONDS = 25.0

#: How long a worker may take to stop that was refused when it started, in seconds: it has hardly begun.
_REFUSED_SECONDS = 5.0

#: How long what is cancelled in the end may take to end, in seconds.
_CANCELLED_SECONDS = 1.0

#: After how many new objects the collector looks at them; its default of 700 is reached many times a batch.
_GARBAGE_THRESHOLDS = (50_000, 20, 20)


class BatchWorker(PrivateWorker):
    """End the process when stopping takes too long, whatever Kafka or Elasticsearch do."""

    _refusal: str | None = None

    async def on_first_start(self) -> None:
        """Tell the garbage collector that what is loaded stays, and that batches make much that is gone at once."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GARBAGE_THRESHOLDS)
        await super().on_first_start()

    def _schedule_shutdown(self, signal: signal.Signals) -> None:
        end_process_after(STOP_SECONDS, 0)
        super()._schedule_shutdown(signal)

    async def start(self) -> None:
        """Start the app; what keeps it from starting is told in a line, where Faust would print a stack trace."""
        try:
            await super().start()
        except EngineError as exc:
            if cast("App", self.app).failure is not None:
                raise  # it had started
            self._note_refusal(exc)

    async def _sentinel_task(self) -> None:
        """Wait until what was cancelled has ended, before the event loop is closed; mode sleeps for a second."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            await asyncio.wait(left, timeout=_CANCELLED_SECONDS)

    def refuse(self, reason: Exception) -> None:
        """Stop, for a reason that is told in one line."""
        self._note_refusal(reason)
        self._signal_stop_future = asyncio.ensure_future(self._stop_refused())

    async def _stop_refused(self) -> None:
        await self.stop()
        maybe_cancel(self._starting_fut)

    def _note_refusal(self, reason: Exception) -> None:
        self._refusal = error_line(str(reason), cast("App", self.app).log_form)
        end_process_after(_REFUSED_SECONDS, EXIT_STATUS, self._refusal)

    def execute_from_commandline(self) -> NoReturn:
        """Run until the worker is to stop; end the program, with a line on why the worker was refused if it was."""
        try:
            super().execute_from_commandline()
        except SystemExit:
            if self._refusal is not None:
                raise SystemExit(self._refusal) from None
            raise


def end_process_after(seconds: float, status: int, last_words: str = "") -> None:
    """End this process after some seconds, unless it has ended by then; say a line before."""

    def end() -> None:
        if last_words and sys.__stderr__ is not None:
            print(last_words, file=sys.__stderr__, flush=True)
        os._exit(status)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
