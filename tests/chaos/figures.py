"""Collect the figures of the chaos suite, and write them down as a table."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import pytest


@dataclass(frozen=True)
class Figure:
    """Hold one figure: of which case, what is counted, what it is to be, what it is."""

    case: str
    figure: str
    goal: str
    measured: str
    reached: bool


class Figures:
    """Hold the figures of a run; each is in a file as soon as it is known, so that a later run can go on from there."""

    def __init__(self, path: Path, *, resume: bool, output: TextIO) -> None:
        self._path = path
        self._output = output
        self._started = time.monotonic()
        self._found: list[Figure] = []
        if resume and path.exists():
            self._found = [Figure(**figure) for figure in json.loads(path.read_text())]

    def say(self, text: str) -> None:
        """Tell whoever watches how far it is."""
        self._output.write(f"\n  {time.monotonic() - self._started:7.0f} s  {text}")
        self._output.flush()

    def has(self, case: str) -> bool:
        """Tell whether a case's figures are there from the run before."""
        return any(figure.case == case for figure in self._found)

    def skip_known(self, case: str) -> None:
        """Skip the test of a case whose figures are there from the run before."""
        if self.has(case):
            pytest.skip(f"The figures of {case} are there.")

    def add(self, case: str, figure: str, goal: str, measured: str, *, reached: bool) -> None:
        """Add a figure."""
        self._found.append(Figure(case, figure, goal, measured, reached))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps([asdict(found) for found in self._found], indent=1))

    def table(self) -> str:
        """Return the figures as a Markdown table, in the order of the cases."""
        lines = ["| case | figure | goal | measured | reached |", "|---|---|---|---|---|"]
        for one in sorted(self._found, key=lambda found: int(found.case.partition(" ")[0])):
            lines.append(
                f"| {one.case} | {one.figure} | {one.goal} | {one.measured} | {'yes' if one.reached else '**no**'} |"
            )
        return "\n".join(lines) + "\n"

    @property
    def is_empty(self) -> bool:
        """Tell whether there is none."""
        return not self._found
