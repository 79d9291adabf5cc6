"""Tell the errors of our commands in one line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click
from faust.cli.base import AppCommand

from bp_faust.engine.errors import EngineError
from bp_faust.input_files import InputFileError
from bp_faust.local.errors import LocalStackError
from bp_faust.settings import told_in_form

#: What a command's user can do something about: told in one line, without a stack trace.
_TOLD = (EngineError, InputFileError, LocalStackError)


class Command(AppCommand):
    """Tell errors in one line and end with exit status 1."""

    abstract = True

    def run_using_worker(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run the command in an event loop of its own: Faust's worker would print a stack trace for every error."""
        raise SystemExit(run_told(lambda: asyncio.run(self.execute(*self.args, **self.kwargs))))


def run_told(work: Callable[[], Any]) -> int:
    """Do some work; return the exit status, after telling an error in one line."""
    try:
        work()
    except _TOLD as exc:
        print(told_in_form(str(exc)), file=sys.stderr)
        return 1
    except click.UsageError as exc:
        exc.show()
        return exc.exit_code
    except KeyboardInterrupt:
        return 130
    return 0
