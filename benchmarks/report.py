"""Write down what was measured: Markdown for people, JSON for programs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from benchmarks.measuring import Measurement


@dataclass
class Answer:
    """Hold what one section found."""

    title: str
    #: What was done, in whole sentences.
    text: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    #: Sentences below the table: ratios, and what goes with them.
    notes: list[str] = field(default_factory=list)
    #: The single measurements, by what was measured.
    raw: dict[str, Any] = field(default_factory=dict)
    #: Whether every contender told of every anomaly once.
    complete: bool = True

    def add_measurements(self, name: str, measurements: Sequence[Measurement]) -> None:
        """Keep the single measurements of one row."""
        self.raw[name] = [asdict(measurement) for measurement in measurements]
        for measurement in measurements:
            if not measurement.complete:
                self.complete = False
                self.notes.append(
                    f"**{name}: {measurement.anomalies:,} anomalies came out, {measurement.anomalies_expected:,} are "
                    "in the data.**"
                )


def spread(measurements: Sequence[Any], value: Callable[[Any], float], digits: int = 0) -> str:
    """Return the median of a value and, of several, its least and greatest."""
    values = [value(measurement) for measurement in measurements]
    middle = f"{statistics.median(values):,.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def median(measurements: Sequence[Any], value: Callable[[Any], float]) -> float:
    """Return the median of a value."""
    return statistics.median(value(measurement) for measurement in measurements)


def markdown(answers: Mapping[str, Answer], machine: Mapping[str, str], command: str, rule: str, data: str) -> str:
    """Return the report as Markdown."""
    lines = ["# Benchmark", "", f"Made by `{command}`.", ""]
    lines += table(["machine", ""], [(name, value) for name, value in machine.items()])
    lines += ["", f"**Data.** {data}", "", f"**Rule.** {rule}", ""]
    for answer in answers.values():
        lines += [f"## {answer.title}", "", answer.text, ""]
        lines += table(answer.columns, answer.rows)
        lines += ["", *(f"- {note}" for note in answer.notes), ""]
    return "\n".join(lines).rstrip() + "\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    return [
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def write(
    directory: Path, answers: Mapping[str, Answer], machine: Mapping[str, str], command: str, rule: str, data: str
) -> Path:
    """Write ``report.md`` and ``report.json``; return the former's path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "report.md"
    path.write_text(markdown(answers, machine, command, rule, data))
    sections = {name: asdict(answer) for name, answer in answers.items()}
    content = {"command": command, "machine": machine, "rule": rule, "data": data, "sections": sections}
    (directory / "report.json").write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    return path
