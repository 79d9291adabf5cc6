"""Tell the results and the errors of our commands."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import click
import orjson
from aiokafka.errors import KafkaError
from faust.cli.base import AppCommand

from bp_faust.commands.terminal import Row, print_rows
from bp_faust.engine.errors import EngineError
from bp_faust.input_files import InputFileError
from bp_faust.local.errors import LocalStackError
from bp_faust.settings.reading import told_in_form

#: What a command's user can do something about: told in one line, without a stack trace.
_TOLD = (EngineError, InputFileError, LocalStackError)

#: The exit status of who is ended by Ctrl-C, or whose reader went away: 128 and the signal's number, as shells say it.
_INTERRUPTED, _READER_GONE = 130, 141


class Command(AppCommand):
    """Tell errors in one line and end with exit status 1."""

    abstract = True

    def run_using_worker(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run the command in an event loop of its own: Faust's worker would print a stack trace for every error."""
        raise SystemExit(run_told(lambda: asyncio.run(self.execute(*self.args, **self.kwargs))))

    def say_json(self, found: Any) -> None:
        """Print JSON."""
        self.say(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())

    def say_rows(self, headers: Sequence[str], rows: Iterable[Row], **options: Any) -> None:
        """Print a table on a terminal, rows with tabs elsewhere."""
        if not self.quiet:
            print_rows(headers, rows, **options)

    def say_result(self, told: str, **found: Any) -> None:
        """Print what was done: a sentence, or with --json an object."""
        if self.json:
            self.say_json(found)
        else:
            self.say(told)


def run_told(work: Callable[[], Any]) -> int:
    """Do some work; return the exit status, after telling an error in one line."""
    try:
        work()
        sys.stdout.flush()
    except _TOLD as exc:
        print(told_in_form(str(exc)), file=sys.stderr)
        return 1
    except KafkaError as exc:
        told = f"Kafka did not do this ({_words(exc)}): see what became of it, and try again."
        print(told_in_form(told), file=sys.stderr)
        return 1
    except click.UsageError as exc:
        exc.show()
        return exc.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # What is still to be written would fail when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READER_GONE
    return 0


def _words(error: KafkaError) -> str:
    # Its text begins with its name and may go on with its cause.
    return " ".join(str(error).split()) or type(error).__name__
