"""Add the command settings: what is in force, and where it came from."""

from __future__ import annotations

from typing import Any

from bp_faust.app import app
from bp_faust.app import settings as own_settings
from bp_faust.commands.command import Command
from bp_faust.settings.in_force import settings_in_force


class settings(Command):
    """Show every setting in force and where it came from; of secrets, only whether they are set.

    \b
    Examples:
      faust -A bp_faust settings
      faust -A bp_faust --json settings
    """

    async def run(self, *args: Any, **kwargs: Any) -> None:
        """Print a table, or an array of objects with --json."""
        rows = settings_in_force(own_settings, app.conf)
        if self.json:
            self.say_json(rows)
            return
        headers = ("setting", "value", "from")
        self.say_rows(headers, [(row["name"], row["value"], row["from"]) for row in rows], whole=("setting",))
