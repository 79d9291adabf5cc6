"""Show tables and progress on a terminal; where the output is piped, rows with tabs, and no progress."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

Row = Sequence[str | Text]


def print_rows(headers: Sequence[str], rows: Iterable[Row], *, whole: Iterable[str] = (), nothing: str = "") -> None:
    """Print rows as a table that fits the terminal, or with tabs and without headers for another program.

    The columns in ``whole`` are not broken into lines. ``nothing`` is said on a terminal where there is no row.
    """
    rows = list(rows)
    console = Console(highlight=False)
    if not console.is_terminal:
        for row in rows:
            print("\t".join(str(cell) for cell in row))
        return
    if not rows:
        console.print(nothing)
        return
    table = Table(box=box.SIMPLE)
    for header in headers:
        table.add_column(header, no_wrap=header in whole, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    console.print(table)


def progress_bar(quiet: bool = False) -> Progress:
    """Return a progress display on standard error; it is silent where that is no terminal, or where asked to be."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
    )


@contextlib.contextmanager
def waiting(told: str, quiet: bool = False) -> Iterator[None]:
    """Show on a terminal, on standard error, that something takes a while."""
    console = Console(stderr=True)
    with contextlib.nullcontext() if quiet or not console.is_terminal else console.status(told):
        yield
