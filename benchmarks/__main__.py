"""Run the benchmark and write its report."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import machine, measuring, report
from benchmarks.dataset import Dataset
from benchmarks.measuring import Bench
from benchmarks.report import Answer
from benchmarks.sections import backtest, growth, latency, rebuild, scaling, sink, storage, throughput

SECTIONS = {
    "throughput": throughput,
    "sink": sink,
    "scaling": scaling,
    "growth": growth,
    "rebuild": rebuild,
    "latency": latency,
    "backtest": backtest,
    "storage": storage,
}

_SHORT = ("throughput", "sink", "latency", "backtest")


@click.command(help="Measure this worker beside others on a real Kafka and a real Elasticsearch.")
@click.argument("sections", nargs=-1, type=click.Choice(list(SECTIONS)))
@click.option("--records", default=200_000, show_default=True, help="How many readings a run processes.")
@click.option("--repeats", default=3, show_default=True, help="How often each run is repeated.")
@click.option("--short", is_flag=True, help="20,000 readings, once, small tables: to see that it works, not to quote.")
@click.option("--kafka", metavar="HOST:PORT", help="Use this broker, not one of our own.")
@click.option("--elasticsearch", metavar="URL", help="Use this node, not one of our own.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(__file__).parent / "results",
    help="Where the report goes.  [default: benchmarks/results]",
)
def main(
    sections: tuple[str, ...],
    records: int,
    repeats: int,
    short: bool,
    kafka: str | None,
    elasticsearch: str | None,
    output: Path,
) -> None:
    """Run the sections named, or all."""
    # An end from outside, too, ends the processes that were started.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if short:
        records, repeats = 20_000, 1
    chosen = sections or (_SHORT if short else tuple(SECTIONS))
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    rule = " ".join((measuring.__doc__ or "").partition("\n\n")[2].split())
    data = Dataset(records, throughput.PATIENTS).describe()
    answers: dict[str, Answer] = {}
    failures: dict[str, Exception] = {}
    directory = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        with _servers(directory, kafka, elasticsearch) as (broker, node), _progress() as say:
            described = machine.describe(kafka or "the local stack's own", elasticsearch or "the local stack's own")
            bench = Bench(broker, node, records, repeats, short, say, directory)
            for name in chosen:
                try:
                    answers[name] = asyncio.run(SECTIONS[name].answer(bench))
                except Exception as exc:  # what the other sections measured is not to be lost
                    traceback.print_exc()
                    failures[name] = exc
                path = report.write(output, answers, described, command, rule, data)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if "throughput" in answers:
        from benchmarks import plot

        plot.draw(answers["throughput"], output / "plot.png")
    click.echo(path.read_text())
    click.echo(f"Written to {path}")
    if failures:
        raise click.ClickException("; ".join(f"{name} was not measured: {exc}" for name, exc in failures.items()))
    if not all(answer.complete for answer in answers.values()):
        raise click.ClickException("Some contender did not tell of every anomaly once: see the notes in the report.")


@contextlib.contextmanager
def _servers(directory: Path, kafka: str | None, elasticsearch: str | None) -> Iterator[tuple[str, str]]:
    """Give the servers named, and a local stack's where one is not."""
    if kafka and elasticsearch:
        yield kafka, elasticsearch
        return
    from bp_faust.local.stack import Stack

    with Stack(directory / "stack") as stack:
        yield kafka or stack.kafka.bootstrap, elasticsearch or stack.elasticsearch.url


@contextlib.contextmanager
def _progress() -> Iterator[measuring.Say]:
    """Give what tells the user what is being done: a line that changes on a terminal, lines of their own elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: click.echo(text, err=True)
        return
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("")
        yield lambda text: progress.update(task, description=text)


if __name__ == "__main__":
    main()
