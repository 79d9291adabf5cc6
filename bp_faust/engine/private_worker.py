"""Run a Faust worker that shows nothing of what records hold."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

from faust.worker import Worker
from mode.utils.logging import level_number

from .log_privacy import keep_data_out_of_log

if TYPE_CHECKING:
    from .application import App


class PrivateWorker(Worker):
    """Keep data out of the log, unless its level is DEBUG, and out of what SIGUSR1 shows; keep secrets out of both."""

    def __init__(self, app: App, *args: Any, **kwargs: Any) -> None:
        super().__init__(app, *args, **kwargs)
        level = level_number(self.loglevel) or logging.WARNING
        keep_data_out_of_log(app.told_errors, debugging=level <= logging.DEBUG)
        if app.log_form == "json":
            # Faust would show on standard output that it lives.
            self.quiet, self.spinner = True, None

    def _on_sigusr1(self) -> None:
        """Tell where every thread and task is; Faust would tell all their variables, too."""
        faulthandler.dump_traceback(file=sys.__stderr__, all_threads=True)
        for task in asyncio.all_tasks(self.loop):
            print("Task", getattr(task.get_coro(), "__qualname__", ""), file=sys.__stderr__)
            for frame in task.get_stack():
                traceback.print_stack(frame, limit=1, file=sys.__stderr__)
