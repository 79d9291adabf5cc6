"""Add the command backtest: find out what another policy would have made of past readings."""

from __future__ import annotations

import contextlib
import gc
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import click
import orjson
from faust.cli import option
from rich import box
from rich.console import Console
from rich.table import Table

from bp_faust.app import app, settings
from bp_faust.clinical.backtest import Backtest
from bp_faust.clinical.judges import Judges, Rules
from bp_faust.clinical.policies import POLICIES, find_policy
from bp_faust.clinical.policy import Judgement, PolicyError
from bp_faust.clinical.state import timestamp
from bp_faust.commands.command import Command
from bp_faust.commands.output_files import output_file
from bp_faust.commands.terminal import progress_bar
from bp_faust.fhir import ParseOptions, parse
from bp_faust.input_files import InputFileError, read_resources
from bp_faust.models import Reading, Rejection
from bp_faust.topic_records import read_merged
from bp_faust.topics import readings

#: A record and when Kafka received it, in seconds since 1970.
_Record = tuple[bytes, float]

#: How many records of a file are judged between two looks at the progress.
_PIECE = 2000

#: What pictures may be, as their names end.
_FORMS = ("svg", "png", "pdf")

_Advance = Callable[[int, int | None], None]


def _day(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    try:
        day = date.fromisoformat(value) if value is not None else None
    except ValueError as exc:
        raise click.BadParameter("write a day like 2026-07-01") from exc
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp() if day is not None else None


def _picture(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and _form(value) not in _FORMS:
        raise click.BadParameter(f"name a file that ends in {' or '.join(f'.{form}' for form in _FORMS)}")
    return value


def _form(picture: str) -> str:
    return Path(picture).suffix[1:].lower()


class backtest(Command):
    """Compare what two policies make of past readings: findings, alerts, and the readings on which they differ.

    Reads the ingest topic from its beginning, or a file, and touches neither the workers nor their tables.

    \b
    Examples:
      faust -A bp_faust backtest --policy aha-2025
      faust -A bp_faust --json backtest --policy aha-2025 --from 2026-07-01
      faust -A bp_faust backtest --policy own.yaml --against esc-2024 --file readings.ndjson --plot alerts.svg
    """

    options = [
        option("--policy", required=True, help="The policy to try: an id, or the path of a policy file."),
        option("--against", default="seed", help="The policy to compare it with [default: seed]."),
        option("--from", "since", callback=_day, help="Only readings made on that day or later (UTC)."),
        option("--to", "until", callback=_day, help="Only readings made before that day (UTC)."),
        option("--file", "-f", "file", help="Readings, one resource or envelope a line; gzipped or not."),
        option("--differences", help="Write the readings on which the policies differ to this file, one a line."),
        option("--plot", callback=_picture, help="Draw the alerts of each day into this file: .svg, .png or .pdf."),
    ]

    async def run(
        self,
        policy: str,
        against: str,
        since: float | None,
        until: float | None,
        file: str | None,
        differences: str | None,
        plot: str | None,
    ) -> None:
        """Judge all readings by both policies, and report."""
        if since is not None and until is not None and since >= until:
            raise click.UsageError("--from must lie before --to.", self.ctx)
        if plot is not None:
            _plotting()
        test = Backtest(*(_rules(name) for name in (policy, against)))
        # Batches make much that is gone at once: the collector need not look so often.
        gc.set_threshold(50_000, 20, 20)
        refused = 0
        differing = output_file(differences) if differences is not None else contextlib.nullcontext()
        with differing as written, progress_bar(self.quiet) as bar:
            task = bar.add_task("Reading", total=None)

            def advance(done: int, total: int | None) -> None:
                bar.update(task, completed=done, total=total)

            def keep(reading: Reading, judgements: tuple[Judgement, Judgement]) -> None:
                if written is not None:
                    written.write(orjson.dumps(_difference(reading, judgements)) + b"\n")

            options = _options()
            source = _from_file(Path(file), advance) if file is not None else _from_topic(advance)
            async for piece in source:
                refused += _judge(piece, test, options, (since, until), keep)
        report = {**test.describe(), "refused": refused}
        if plot is not None:
            _draw(report, plot)
        if self.json:
            self.say_json(report)
        elif not self.quiet:
            _print(report)


def _options() -> ParseOptions:
    """Return how readings are read, without explanations that nobody sees."""
    options = settings.parse_options()
    return replace(options, validation="off") if options.validation == "rejects" else options


def _rules(name: str) -> Rules:
    try:
        policy = find_policy(name)
    except PolicyError as exc:
        raise InputFileError(str(exc)) from exc
    return Judges({**POLICIES, policy.id: policy}, policy.id, settings.measurement_setting).rules(None, None)


def _judge(
    piece: Iterable[_Record],
    test: Backtest,
    options: ParseOptions,
    span: tuple[float | None, float | None],
    keep: Callable[[Reading, tuple[Judgement, Judgement]], None],
) -> int:
    """Judge the readings of some records, keep those that differ, and return how many could not be read."""
    refused = 0
    since, until = span
    for raw, received in piece:
        for outcome in parse(raw, options):
            if isinstance(outcome, Rejection):
                refused += 1
                continue
            outcome.received = received
            if since is not None or until is not None:
                time = outcome.effective if outcome.effective is not None else received
                if (since is not None and time < since) or (until is not None and time >= until):
                    continue
            found = test.take(outcome)
            if found is not None:
                keep(outcome, found)
    return refused


async def _from_file(path: Path, advance: _Advance) -> AsyncIterator[Iterable[_Record]]:
    try:
        size = path.stat().st_size
    except OSError as exc:
        raise InputFileError(f"{path} cannot be read: {exc.strerror}.") from exc
    done = 0

    def note(position: int) -> None:
        nonlocal done
        done = position

    values = read_resources(path, note)
    while piece := [(raw, 0.0) for raw in itertools.islice(values, _PIECE)]:
        yield piece
        advance(done, size)


async def _from_topic(advance: _Advance) -> AsyncIterator[Iterable[_Record]]:
    async for records in read_merged(app, readings.get_topic_name(), advance):
        yield [(record.value or b"", record.timestamp / 1000) for record in records]


def _difference(reading: Reading, judgements: tuple[Judgement, Judgement]) -> dict[str, Any]:
    time = reading.effective if reading.effective is not None else reading.received
    return {
        "patient_id": reading.patient_id,
        "observation_id": reading.observation_id,
        "timestamp": timestamp(time),
        "systolic_pressure": reading.systolic,
        "diastolic_pressure": reading.diastolic,
        "findings": [list(judgement.rules) for judgement in judgements],
    }


def _print(report: dict[str, Any]) -> None:
    console = Console()
    first, second = report["policies"]
    table = Table("", first["policy"], second["policy"], box=box.SIMPLE)
    for title, name in (
        ("readings with findings", "readings_with_findings"),
        ("patients alerted", "patients_alerted"),
        ("alerts", "alerts"),
        ("alerts a day", "alerts_a_day"),
    ):
        table.add_row(title, f"{first[name]:,}", f"{second[name]:,}")
    for place, outcome in enumerate((first, second)):
        for rule, number in outcome["findings"].items():
            cells = ["", ""]
            cells[place] = f"{number:,}"
            table.add_row(f"  {rule}", *cells)
    console.print(table)
    span = f" of {report['days']:,} days, {report['first'][:10]} to {report['last'][:10]}" if report["days"] else ""
    console.print(f"{report['readings']:,} readings{span}; the policies differ on {report['differing']:,} of them.")
    for name, meaning in (
        ("left_out", "left out: repeated, taken back or implausible"),
        ("refused", "could not be read"),
        ("late", "came after a later one of the same patient: judged, but of no account for alerts"),
    ):
        if report[name]:
            console.print(f"{report[name]:,} {meaning}.")


def _plotting() -> Any:
    try:
        from matplotlib import figure
    except ImportError as exc:
        raise InputFileError("--plot needs matplotlib: pip install bp_faust[plot].") from exc
    return figure


def _draw(report: dict[str, Any], path: str) -> None:
    drawn = _plotting().Figure(figsize=(10, 4), layout="constrained")
    axes = drawn.subplots()
    for outcome in report["policies"]:
        by_day = {date.fromisoformat(day): number for day, number in outcome["alerts_by_day"].items()}
        axes.step(list(by_day), list(by_day.values()), where="mid", label=outcome["policy"], marker=".")
    axes.set(title="Alerts that would have been opened", ylabel="alerts a day", ylim=(0, None))
    axes.legend()
    drawn.autofmt_xdate()
    with output_file(path) as file:
        drawn.savefig(file, format=_form(path))
