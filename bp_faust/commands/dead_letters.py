"""Add the command dlq: look at what was refused, and send it again."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timezone
from difflib import get_close_matches

import click
import orjson
from faust.cli import argument, option

from bp_faust.app import app, settings
from bp_faust.audit import Action, note, of_command
from bp_faust.commands.command import Command
from bp_faust.commands.output_files import output_file
from bp_faust.commands.terminal import progress_bar
from bp_faust.dead_letters.described import content, described, when
from bp_faust.dead_letters.reasons import EXPLANATIONS, explain
from bp_faust.dead_letters.topic import Filter, Found, read_letters, replay
from bp_faust.engine.errors import EngineError
from bp_faust.fhir import parse
from bp_faust.input_files import InputFileError
from bp_faust.models import Rejection
from bp_faust.topics import dead_letters

#: How much of a record `show` prints, in characters.
_LONGEST_SHOWN = 20_000


def _moment(context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00")) if value is not None else None
    except ValueError as exc:
        raise click.BadParameter("write a time like 2026-07-01 or 2026-07-01T08:30:00+02:00") from exc
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _known_reasons(context: click.Context, parameter: click.Parameter, codes: tuple[str, ...]) -> frozenset[str]:
    for code in codes:
        if explain(code) is None:
            close = get_close_matches(code, EXPLANATIONS, n=1)
            raise click.BadParameter(
                f"there is no reason code {code!r}; "
                + (f"did you mean {close[0]}?" if close else "docs/reference/reason-codes.md lists those there are")
            )
    return frozenset(codes)


def _place(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and re.fullmatch(r"[\w.-]+/\d+/\d+", value) is None:
        raise click.BadParameter("write topic/partition/offset, as list shows it")
    return value


class dlq(Command):
    """List, show, replay or export what was refused (the dead letters).

    A replay twice over counts no reading twice.

    \b
    Examples:
      faust -A bp_faust dlq list --reason unit-unknown
      faust -A bp_faust dlq show --at blood_pressure_readings/2/17
      faust -A bp_faust dlq replay --since 2026-07-01
      faust -A bp_faust dlq export -o refused.ndjson
      faust -A bp_faust --json dlq list --limit 1000
    """

    options = [
        argument("action", type=click.Choice(["list", "show", "replay", "export"])),
        option(
            "--reason",
            multiple=True,
            callback=_known_reasons,
            help="Only those with this reason code; may be given several times.",
        ),
        option("--topic", help="Only those that came in on this topic."),
        option("--at", callback=_place, help="Only the one that came in there, as topic/partition/offset."),
        option(
            "--since", callback=_moment, help="Only those that came in then or later; ISO 8601, in UTC unless it says."
        ),
        option("--until", callback=_moment, help="Only those that came in before then."),
        option("--limit", type=click.IntRange(1), help="Only so many [default: for list and show 100, else all]."),
        option("--output", "-o", help="The file that export writes [default: standard output]."),
    ]

    async def run(
        self,
        action: str,
        reason: frozenset[str],
        topic: str | None,
        at: str | None,
        since: datetime | None,
        until: datetime | None,
        limit: int | None,
        output: str | None,
    ) -> None:
        """Do what is asked."""
        if output is not None and action != "export":
            raise click.UsageError("--output is for export.", self.ctx)
        if since is not None and until is not None and since >= until:
            raise click.UsageError("--since must lie before --until.", self.ctx)
        wanted = Filter(reason, topic, at, since, until)
        if limit is None and action in {"list", "show"}:
            limit = 100
        with progress_bar(self.quiet) as bar:
            task = bar.add_task("Reading", total=None)
            letters = read_letters(
                app,
                dead_letters.get_topic_name(),
                wanted,
                lambda done, total: bar.update(task, completed=done, total=total),
            )
            chosen = _first(letters, limit)
            if action == "replay":
                count = await _replay(chosen, wanted, limit)
            elif action == "export":
                count = await _export(chosen, output)
            else:
                found = [one async for one in chosen]
        if action == "list":
            self._list(found, limit)
        elif action == "show":
            self._show(found)
        elif action == "replay":
            self.say_result(f"{count} records sent again", replayed=count)
        elif output is not None:
            self.say_result(f"{count} dead letters written to {output}", written=count, file=output)

    def _list(self, found: list[Found], limit: int | None) -> None:
        if self.json:
            self.say_json([described(one) for one in found])
            return
        rows = []
        for _, letter in found:
            first = letter.rejections[0] if letter.rejections else Rejection("unknown", "", "")
            more = f" (+{letter.rejected - 1})" if letter.rejected > 1 else ""
            size = str(len(letter.value or b""))
            rows.append((when(letter.origin.timestamp), str(letter.origin), first.reason + more, first.path, size))
        self.say_rows(("received", "record", "reason", "where", "bytes"), rows, nothing="No dead letters.")
        if len(rows) == limit:
            # Not among the rows, which another program may read.
            self.say(f"The first {limit}; --limit shows more.", file=self.stderr)

    def _show(self, found: list[Found]) -> None:
        if not found:
            raise InputFileError("There is no such dead letter: `dlq list` shows those there are.")
        if self.json:
            self.say_json([{**described(one), **content(one)} for one in found])
            return
        for one in found:
            self._show_one(one)

    def _show_one(self, found: Found) -> None:
        """Print a letter whole, with what is wrong by the rules in force now."""
        place, letter = found
        self.say(f"{letter.origin}, received {when(letter.origin.timestamp)}, refused {when(place.timestamp)}")
        for rejection in letter.rejections:
            self.say(f"  {rejection.reason} at {rejection.path}: {rejection.detail}")
            if explained := explain(rejection.reason):
                self.say(f"    {explained.remedy}")
        if letter.origin.topic == settings.readings_topic:
            outcomes = parse(letter.value or b"", settings.parse_options())
            if not any(isinstance(outcome, Rejection) for outcome in outcomes):
                self.say("  By the settings in force now it can be read: replay it.")
        for name, value in letter.headers:
            self.say(f"  header {name}: {value.decode(errors='replace')}")
        if letter.key is not None:
            self.say(f"  key: {letter.key.decode(errors='replace')}")
        text = (letter.value or b"").decode(errors="replace")
        self.say(text[:_LONGEST_SHOWN] + (" …" if len(text) > _LONGEST_SHOWN else ""))


async def _export(chosen: AsyncIterator[Found], output: str | None) -> int:
    written = 0
    with output_file(output) if output is not None else contextlib.nullcontext(sys.stdout.buffer) as file:
        async for found in chosen:
            file.write(orjson.dumps({**described(found), **content(found)}) + b"\n")
            written += 1
    return written


async def _replay(chosen: AsyncIterator[Found], wanted: Filter, limit: int | None) -> int:
    """Send letters again and return how many, with an audit record before and one after: they may be very many."""
    actor, asked = of_command(), {**dataclasses.asdict(wanted), "limit": limit}
    asked = {name: value for name, value in asked.items() if value}
    await note(actor, Action("replay", details=asked), "begun")
    try:
        count = await replay(app, chosen)
    except BaseException:
        with contextlib.suppress(EngineError):
            await note(actor, Action("replay", details=asked), "failed")
        raise
    await note(actor, Action("replay", details={**asked, "records": count}), "done")
    return count


async def _first(letters: AsyncIterator[Found], limit: int | None) -> AsyncIterator[Found]:
    number = 0
    async for found in letters:
        number += 1
        yield found
        if number == limit:
            return
