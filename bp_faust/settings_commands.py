"""Add the command settings: what is in force, and where it came from."""

from __future__ import annotations

import sys
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.table import Table

from bp_faust.app import app
from bp_faust.app import settings as own_settings
from bp_faust.command import Command
from bp_faust.settings_in_force import settings_in_force


class settings(Command):
    """Show every setting in force and where it came from; of secrets, only whether they are set.

    Examples: faust -A bp_faust settings; faust -A bp_faust --json settings.
    """

    async def run(self, *args: Any, **kwargs: Any) -> None:
        """Print a table, or an array of objects with --json."""
        rows = settings_in_force(own_settings, app.conf)
        if self.json:
            sys.stdout.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode() + "\n")
            return
        table = Table("setting", "value", "from", box=box.SIMPLE)
        for row in rows:
            table.add_row(row["name"], row["value"], row["from"])
        Console(markup=False, highlight=False).print(table)
